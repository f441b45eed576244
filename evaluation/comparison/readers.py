"""Reads the rows of uploaded prompts and pairs. An invalid row gives an error with its line and field.

Prompts: `prompt` (or `instruction`), `input`, `expected` (or `output`), `id`, `tags`. Pairs also have `baseline` and
`candidate`, each with optional `_input_tokens`, `_output_tokens`, `_latency_ms`, `_finish_reason` columns. In CSV
files, the columns `input.KEY`, `expected.KEY` and `tag.NAME` are combined into objects.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any

from evaluation.models import Response
from ftplatform.errors import DomainError
from training.intake.readers import json_text, open_source
from training.intake.readers.clean import require_clean
from training.intake.readers.lines import Cells, RowError, shown
from training.intake.rows import ColumnMapping
from training.intake.rows import read as read_examples

MOST_PROBLEMS = 1000
MOST_TAGS = 20
_ALIASES = {"instruction": "prompt", "output": "expected"}
_OBJECTS = {"tag": "tags", "input": "input", "output": "expected", "expected": "expected"}
_PROMPT = {"id", "prompt", "input", "expected", "tags", "split", "group"}
_SIDES = ("baseline", "candidate")
_FIGURES = ("input_tokens", "output_tokens", "latency_ms", "finish_reason")
_PAIR = _PROMPT | {*_SIDES, *(f"{side}_{figure}" for side in _SIDES for figure in _FIGURES)}
_MOST_TOKENS = 2**31 - 1
_MOST_MS = 1e9

Row = dict[str, Any]
Parser = Callable[[Cells, int], Row]


@dataclass(frozen=True)
class Read:
    """One row of the file: the parsed row, or its error and position."""

    line: int
    row: Row | None
    problem: str = ""
    field: str = ""

    def to_json(self) -> dict[str, Any]:
        place = {"line": self.line, "message": self.problem}
        return place | ({"field": self.field} if self.field else {})


def prompts(file: IO[bytes], source_name: str, mapping: ColumnMapping | None) -> Iterator[Read]:
    """Read prompts from JSON Lines, CSV or Parquet.

    With a `mapping`, columns can have any names; then the expected output is required.
    """
    if mapping is None:
        yield from _read(file, source_name, prompt_of)
        return
    for read in read_examples(file, source_name, mapping):
        if read.example is None:
            yield Read(read.line, None, read.problem, read.field)
        else:
            yield Read(read.line, {**read.example, "expected": read.example["output"], "tags": {}})


def pairs(file: IO[bytes], source_name: str) -> Iterator[Read]:
    """Read pairs from JSON Lines, CSV or Parquet."""
    yield from _read(file, source_name, pair_of)


def refused(problems: list[dict[str, Any]], bad: int, rows: int) -> DomainError:
    return DomainError(
        "invalid_rows",
        f"{bad:,} of {rows:,} rows cannot be used and nothing was stored; mend the listed lines and try again.",
        status=422,
        problems=problems,
    )


def _read(file: IO[bytes], source_name: str, parser: Parser) -> Iterator[Read]:
    seen: dict[str, int] = {}
    for line, parse in open_source(file, source_name).rows:
        try:
            row = parser(_gathered(parse()), line)
            first = seen.setdefault(row["id"], line)
            if first != line:
                raise RowError(f"id {row['id']!r} was already used on line {first}; ids must differ.", "id")
        except RowError as error:
            yield Read(line, None, str(error), error.field)
        else:
            yield Read(line, row)


def prompt_of(cells: Cells, line: int) -> Row:
    """Parse a prompt's row; raises RowError."""
    return _prompt(cells, line, _PROMPT)


def pair_of(cells: Cells, line: int) -> Row:
    """Parse a pair's row: a prompt with `baseline` and `candidate`, each {text, input_tokens, …}; raises RowError."""
    row = _prompt(cells, line, _PAIR)
    for side in _SIDES:
        text = cells.get(side)
        if not isinstance(text, str):
            raise RowError(f"`{side}` must be the text of its response; an empty one is allowed.", side)
        row[side] = {
            "text": text,
            "input_tokens": _whole(cells, f"{side}_input_tokens"),
            "output_tokens": _whole(cells, f"{side}_output_tokens"),
            "latency_ms": _number(cells, f"{side}_latency_ms"),
            "finish_reason": _finish(cells, f"{side}_finish_reason"),
        }
    return row


def _prompt(cells: Cells, line: int, known: set[str]) -> Row:
    if unknown := sorted(set(cells) - known):
        raise RowError(
            f"Unknown field {shown(unknown)}; a row has {', '.join(sorted(known))}.", shown(unknown[:1])
        )
    require_clean(cells)
    text = cells.get("prompt")
    if not isinstance(text, str) or not text.strip():
        raise RowError("`prompt` must be a text that is not empty.", "prompt")
    expected = _content(cells, "expected")
    return {
        "id": _identity(cells, line),
        "instruction": text,
        "input": _content(cells, "input") or "",
        "expected": expected if expected not in ("", {}) else None,
        "tags": _tags(cells.get("tags")),
    }


def _gathered(cells: Cells) -> Cells:
    """Combine dotted columns into objects, and rename the common dataset column names to ours."""
    combined: Cells = {}
    for name, value in cells.items():
        head, dot, key = name.partition(".")
        target = _OBJECTS.get(head) if dot else None
        if target:
            if value not in (None, ""):
                combined.setdefault(target, {})
                if not isinstance(combined[target], dict):
                    raise RowError(f"Give either `{target}` or `{name}`, not both.", name)
                combined[target][key] = value
        else:
            combined[_ALIASES.get(name, name)] = value
    return combined


def _content(cells: Cells, name: str) -> Any:
    """Text or an object. Text that contains a JSON object is parsed."""
    value = cells.get(name)
    if value is None or isinstance(value, dict):
        return value
    if not isinstance(value, str):
        raise RowError(f"`{name}` must be a text or a JSON object.", name)
    if not value.lstrip().startswith("{"):
        return value
    try:
        parsed = json_text.parse(value, name)
    except RowError:
        return value
    require_clean(parsed)
    return parsed if isinstance(parsed, dict) else value


def _identity(cells: Cells, line: int) -> str:
    value = cells.get("id")
    if value in (None, ""):
        return f"row-{line}"
    if not isinstance(value, str | int) or isinstance(value, bool) or len(str(value)) > 200:
        raise RowError("`id` must be a text or whole number of at most 200 characters.", "id")
    return str(value)


def _tags(value: Any) -> dict[str, str]:
    if value in (None, ""):
        return {}
    if isinstance(value, str):
        value = json_text.parse(value, "tags")
    if not isinstance(value, dict) or len(value) > MOST_TAGS:
        raise RowError(f"`tags` must be an object of at most {MOST_TAGS} names with short texts.", "tags")
    for name, text in value.items():
        if isinstance(text, bool) or not isinstance(text, str | int | float) or not 0 < len(str(text)) <= 60:
            raise RowError(
                f"The tag {shown([name])} must be a text of 1 to 60 characters.", f"tags.{name}"[:200]
            )
        if not 0 < len(name) <= 60:
            raise RowError("A tag's name must have 1 to 60 characters.", "tags")
    return {name: str(text) for name, text in value.items()}


def _number(cells: Cells, name: str) -> float | None:
    value = cells.get(name)
    if value in (None, ""):
        return None
    try:
        number = float(value) if not isinstance(value, bool) else math.nan
    except (TypeError, ValueError):
        number = math.nan
    if not 0 <= number <= _MOST_MS:
        raise RowError(f"`{name}` must be a number of at least 0, or left out.", name)
    return number


def _whole(cells: Cells, name: str) -> int | None:
    number = _number(cells, name)
    if number is None:
        return None
    if number != int(number) or number > _MOST_TOKENS:
        raise RowError(f"`{name}` must be a whole number, or left out.", name)
    return int(number)


def _finish(cells: Cells, name: str) -> str:
    value = cells.get(name)
    if value in (None, ""):
        return Response.FinishReason.UNKNOWN.value
    if value not in Response.FinishReason.values:
        raise RowError(f"`{name}` is one of {', '.join(Response.FinishReason.values)}, or left out.", name)
    return str(value)
