"""The turns of a conversation as people read them: who speaks, the text, and calls of tools."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Call:
    """One call of a tool; `arguments` are indented JSON, or the text as it came if it is not JSON."""

    name: str
    arguments: str


@dataclass(frozen=True)
class ShownTurn:
    """`role` is "system", "user", "assistant" or "tool". `name` is the tool whose answer the turn is, if known."""

    role: str
    text: str
    calls: tuple[Call, ...] = ()
    name: str = ""


def shown_turns(messages: Iterable[Mapping[str, Any]]) -> tuple[ShownTurn, ...]:
    """Stored messages, in their order."""
    return tuple(
        ShownTurn(
            role=turn["role"],
            text=turn.get("content") or "",
            calls=tuple(_call(call) for call in turn.get("tool_calls") or ()),
            name=turn.get("name") or "",
        )
        for turn in messages
    )


def _call(call: Mapping[str, Any]) -> Call:
    function = call.get("function", call)
    return Call(function["name"], _arguments(function.get("arguments")))


def _arguments(value: Any) -> str:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return value
    return json.dumps(value, ensure_ascii=False, indent=2)
