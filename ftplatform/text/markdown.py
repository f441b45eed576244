"""Markdown built from data. Text from users is escaped here and nowhere else."""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|~])")


def escape(text: object) -> str:
    """The text on one line, with all Markdown markup escaped."""
    return _MARKUP.sub(r"\\\1", " ".join(str(text).split()))


def bullets(rows: Iterable[tuple[str, object]]) -> str:
    """A list of "**name:** value" lines. Names are trusted; values are escaped."""
    return "\n".join(f"- **{name}:** {escape(value)}" for name, value in rows)


def table(header: Sequence[object], rows: Iterable[Sequence[object]], *, numbers_right: bool = False) -> str:
    """A table of escaped cells. With `numbers_right`, every column except the first is aligned right."""
    rule = "---:" if numbers_right else "---"
    lines = [_cells(header), ["---", *[rule] * (len(header) - 1)], *map(_cells, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def fenced(value: Any) -> str:
    """Text, or any other value as JSON, in a code fence longer than any inside it."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
    kind = "" if isinstance(value, str) else "json"
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{kind}\n{text}\n{fence}"


def _cells(row: Sequence[object]) -> list[str]:
    return [escape(cell) for cell in row]
