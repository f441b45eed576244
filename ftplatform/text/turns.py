"""The turns of a conversation as people read them: who speaks, the text, and calls of tools."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

FEW = 3  # earlier turns that are shown unfolded,
BRIEF = 600  # if they have no more characters than these
LONG = 320  # characters of one turn that count towards them; a longer text is folded itself


@dataclass(frozen=True)
class Call:
    """One call of a tool; `arguments` are indented JSON, the text as it came if it is not JSON, or empty."""

    name: str
    arguments: str


@dataclass(frozen=True)
class ShownTurn:
    """`role` is "system", "user", "assistant" or "tool". `name` is the tool whose answer the turn is, if known.
    `untrained`: the turn has the weight 0."""

    role: str
    text: str
    calls: tuple[Call, ...] = ()
    name: str = ""
    untrained: bool = False


@dataclass(frozen=True)
class Parts:
    """A conversation in two parts: the turns before the user's last one, and the others. `folded`: the earlier turns
    are too many or too long to be shown at once."""

    earlier: Sequence[ShownTurn]
    latest: Sequence[ShownTurn]
    folded: bool


def shown_turns(messages: Iterable[Mapping[str, Any]]) -> tuple[ShownTurn, ...]:
    """Stored messages, in their order."""
    return tuple(
        ShownTurn(
            role=turn["role"],
            text=turn.get("content") or "",
            calls=tuple(_call(call) for call in turn.get("tool_calls") or ()),
            name=turn.get("name") or "",
            untrained=turn.get("weight") == 0,
        )
        for turn in messages
    )


def parts(turns: Sequence[ShownTurn]) -> Parts:
    users = [place for place, turn in enumerate(turns) if turn.role == "user"]
    earlier = turns[: users[-1] if users else 0]
    characters = sum(min(len(turn.text), LONG) for turn in earlier)
    return Parts(earlier, turns[len(earlier) :], folded=len(earlier) > FEW or characters > BRIEF)


def tool_names(tools: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """The names of the functions that the assistant may call; tools of another form have none."""
    named = (_function(tool).get("name") for tool in tools)
    return tuple(name for name in named if isinstance(name, str))


def indented(value: Any) -> str:
    """JSON, as a value or as text, with one entry a line. A text that is not JSON, or of which indenting would change
    more than white space, stays as it is."""
    if not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False, indent=2)
    try:
        shown = json.dumps(json.loads(value), ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        return value
    return shown if _joined(shown) == _joined(value) else value


def _joined(text: str) -> str:
    return "".join(text.split())


def _call(call: Mapping[str, Any]) -> Call:
    function = _function(call)
    arguments = function.get("arguments")
    return Call(function["name"], "" if arguments is None else indented(arguments))


def _function(value: Mapping[str, Any]) -> Mapping[str, Any]:
    function = value.get("function", value)
    return function if isinstance(function, Mapping) else {}
