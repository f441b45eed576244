"""Stored values and keys as readable text."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ftplatform.text.numbers import DASH

_VERDICTS = {
    "better": "Better",
    "worse": "Worse",
    "equivalent": "Equivalent",
    "not_worse": "Not worse",
    "inconclusive": "Inconclusive",
}


def unbroken(text: Any) -> str:
    """Keep each percent sign on the same line as its number."""
    return str(text).replace(" %", "\N{NO-BREAK SPACE}%")


def paragraphs(text: str | None) -> list[str]:
    """The paragraphs of a text, which are separated by empty lines. Lines within a paragraph are joined."""
    parts = re.split(r"\n\s*\n", text or "")
    return [joined for part in parts if (joined := " ".join(part.split()))]


def words(name: Any) -> str:
    """A stored key as words."""
    return str(name).replace("_", " ").replace("lora", "LoRA")


def pretty(value: Any) -> str:
    """Text as it is, anything else as indented JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)


def entries(value: Any) -> list[tuple[Any, Any]] | None:
    """The items of a mapping, even if one of its keys is called "items"; None for anything else."""
    return list(value.items()) if isinstance(value, Mapping) else None


def verdict_word(verdict: str) -> str:
    return _VERDICTS.get(verdict, verdict)


def plain(value: Any) -> str:
    """Any JSON value on one line, as readable text."""
    if value is None or value == "" or value == []:
        return DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(plain(item) for item in value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, Mapping) else str(value)


def moment(value: datetime) -> str:
    """A date and time in UTC: '28 Nov 2026, 09:30 UTC'."""
    utc = value.astimezone(UTC)
    return f"{utc.day} {utc:%b %Y, %H:%M} UTC"
