"""Prompts as the API sends them, and what a conversation is about."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from ftplatform.text.turns import ShownTurn, shown_turns, tool_names


def shown_prompt(prompt: Mapping[str, Any]) -> dict[str, Any]:
    """A prompt, given as `Prompt.content` returns it, as the API sends it:
    {instruction, input, turns: [{role, text, calls: [{name, arguments}], name}], tools: [name]}."""
    return {
        "instruction": prompt.get("instruction", ""),
        "input": prompt.get("input", ""),
        "turns": [_sent(turn) for turn in shown_turns(prompt.get("messages", ()))],
        "tools": list(tool_names(prompt.get("tools", ()))),
    }


def last_question(turns: Iterable[ShownTurn]) -> str:
    """The text of the user's last turn, which says best what a conversation is about."""
    return next((turn.text for turn in reversed(list(turns)) if turn.role == "user"), "")


def _sent(turn: ShownTurn) -> dict[str, Any]:
    calls = [asdict(call) for call in turn.calls]
    return {"role": turn.role, "text": turn.text, "calls": calls, "name": turn.name}
