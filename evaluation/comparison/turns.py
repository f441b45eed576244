"""The turns of a conversation as people read them: who speaks, the text, and calls of tools."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from evaluation.scoring.matching import printable
from evaluation.scoring.matching.response import decode


@dataclass(frozen=True)
class Call:
    """One call of a tool; `arguments` are indented JSON, the text as it came if it is not JSON, or empty."""

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


def tool_names(tools: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """The names of the functions that the assistant may call; tools of another form have none."""
    named = (_function(tool).get("name") for tool in tools)
    return tuple(name for name in named if isinstance(name, str))


def shown_prompt(prompt: Mapping[str, Any]) -> dict[str, Any]:
    """A prompt, given as `Prompt.content` returns it, as the API sends it:
    {instruction, input, turns: [{role, text, calls: [{name, arguments}], name}], tools: [name]}."""
    return {
        "instruction": prompt.get("instruction", ""),
        "input": prompt.get("input", ""),
        "turns": [asdict(turn) for turn in shown_turns(prompt.get("messages", ()))],
        "tools": list(tool_names(prompt.get("tools", ()))),
    }


def last_question(turns: Iterable[ShownTurn]) -> str:
    """The text of the user's last turn, which says best what a conversation is about."""
    return next((turn.text for turn in reversed(list(turns)) if turn.role == "user"), "")


def _call(call: Mapping[str, Any]) -> Call:
    function = _function(call)
    return Call(function["name"], _arguments(function.get("arguments")))


def _function(value: Mapping[str, Any]) -> Mapping[str, Any]:
    function = value.get("function", value)
    return function if isinstance(function, Mapping) else {}


def _arguments(value: Any) -> str:
    if value is None:
        return ""
    try:
        read = decode(value) if isinstance(value, str) else value
        return printable(json.dumps(read, ensure_ascii=False, indent=2))
    except (ValueError, TypeError, RecursionError):
        return str(value)
