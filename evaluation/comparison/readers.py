"""Reads the rows of uploaded prompts and pairs. An invalid row gives an error with its line and field.

Prompts: `prompt` (or `instruction`), `input`, `expected` (or `output`), `id`, `tags`; or `messages`, turns of a chat.
Pairs also have `baseline` and `candidate`, each with optional `_input_tokens`, `_output_tokens`, `_latency_ms`,
`_finish_reason` columns. In tables, the columns `input.KEY`, `expected.KEY` and `tag.NAME` are combined into objects.
"""

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import IO, Any

from evaluation.models import Response
from ftplatform.errors import DomainError
from training.intake import conversations
from training.intake.column_mapping import ColumnMapping
from training.intake.layouts import common
from training.intake.readers import json_text, open_source
from training.intake.readers.clean import require_clean
from training.intake.readers.lines import Cells, RawRow, RowError, shown, used
from training.intake.rows import Rows, ahead, columns_of, unknown_columns

_SEVERAL_TURNS = "The conversation has several turns or tools, but a prompt holds one question. Leave it out."
MOST_PROBLEMS = 1000
MOST_TAGS = 20
_ALIASES = {"instruction": "prompt", "output": "expected"}
_OBJECTS = {"tag": "tags", "input": "input", "output": "expected", "expected": "expected"}
_PROMPT = {"id", "prompt", "input", "expected", "tags", "split", "group", "messages"}
_SIDES = ("baseline", "candidate")
_FIGURES = ("input_tokens", "output_tokens", "latency_ms", "finish_reason")
_PAIR = _PROMPT | {*_SIDES, *(f"{side}_{figure}" for side in _SIDES for figure in _FIGURES)}
# The fields that a mapping can name, in the order of a page.
PROMPT_FIELDS = ("prompt", "input", "expected", "id", "tags", "messages")
PAIR_FIELDS = ("prompt", "input", *_SIDES, *PROMPT_FIELDS[2:], *sorted(_PAIR - _PROMPT - {*_SIDES}))
_MOST_TOKENS = 2**31 - 1
_MOST_MS = 1e9
# What model servers call these reasons; others are stored as unknown.
_FINISHES = {
    **dict.fromkeys(("eos", "eos_token", "end", "end_turn", "stop_sequence", "complete"), "stop"),
    **dict.fromkeys(("max_tokens", "max_length"), "length"),
    **dict.fromkeys(("content_filter", "safety", "refusal"), "filter"),
}

Row = dict[str, Any]
Parser = Callable[[Cells, int], Row]


@dataclass(frozen=True)
class Columns:
    """Which column is which field (field → column), and which columns are ignored. With `ignore_others`, so are all
    columns that are no field; otherwise they are an error, because a misspelt name would lose data silently."""

    names: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    ignored: frozenset[str] = frozenset()
    ignore_others: bool = False

    def require_known(self, known: set[str]) -> None:
        if unknown := sorted(set(self.names) - known):
            said = f"There is no field {shown(unknown)}. Use {', '.join(sorted(known))}."
            raise DomainError("invalid_mapping", said, status=400)


NO_COLUMNS = Columns()


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


def prompts(
    file: IO[bytes], source_name: str, mapping: ColumnMapping | None, columns: Columns = NO_COLUMNS
) -> Iterator[Read]:
    """Read prompts. `columns` says which column is which field. With a `mapping`, as for datasets, the expected output
    is required."""
    if mapping is None:
        yield from _read(file, source_name, prompt_of, _PROMPT, columns)
        return
    for row in Rows(file, source_name, mapping).read():
        if row.example is None:
            yield Read(row.line, None, row.problem, row.field)
        elif not conversations.is_single_question(row.example):
            yield Read(row.line, None, _SEVERAL_TURNS, mapping.messages_column)
        else:
            yield Read(row.line, as_prompt(row.example) | {"tags": {}})


def pairs(file: IO[bytes], source_name: str, columns: Columns = NO_COLUMNS) -> Iterator[Read]:
    """Read pairs. `columns` says which column is which field."""
    yield from _read(file, source_name, pair_of, _PAIR, columns)


def as_prompt(example: Row) -> Row:
    """A dataset's row of one question as the row of a prompt."""
    instruction, given = conversations.prompt_parts(example)
    return {"id": example["id"], "instruction": instruction, "input": given, "expected": example["output"]}


def refused(problems: list[dict[str, Any]], bad: int, rows: int) -> DomainError:
    return DomainError(
        "invalid_rows",
        f"{bad:,} of {rows:,} rows cannot be used and nothing was stored; mend the listed lines and try again.",
        status=422,
        problems=problems,
    )


def _read(
    file: IO[bytes], source_name: str, parser: Parser, known: set[str], columns: Columns
) -> Iterator[Read]:
    columns.require_known(known)
    rows = _renamed(file, source_name, known, columns)
    seen: dict[str, int] = {}
    for line, parse in rows:
        try:
            row = parser(_gathered(parse()), line)
            first = seen.setdefault(row["id"], line)
            if first != line:
                raise RowError(f"id {row['id']!r} was already used on line {first}; ids must differ.", "id")
        except RowError as error:
            yield Read(line, None, str(error), error.field)
        else:
            yield Read(line, row)


def _renamed(file: IO[bytes], source_name: str, known: set[str], columns: Columns) -> Iterator[RawRow]:
    """The rows under the names of their fields. Raises DomainError: `missing_columns`, `unknown_columns`,
    `preference_data`."""
    source = open_source(file, source_name)
    first, rows = ahead(source)
    header = columns_of(source, first)
    if missing := sorted(set(columns.names.values()) - set(header)):
        said = f"The file lacks the column {shown(missing)}; it has {shown(header) or 'none'}."
        raise DomainError("missing_columns", said, status=422)
    mapped = {column: name for name, column in columns.names.items()}
    leave_out = {name for name in columns.names if name not in mapped} | columns.ignored
    strange = [name for name in header if name not in mapped.keys() | leave_out and not is_field(name, known)]
    if not columns.ignore_others:
        _refuse_preferences(strange)
        everywhere = set(header) if source.columns is not None else common(first)
        if unknown := [name for name in strange if name in everywhere]:
            raise unknown_columns(unknown, known)
    leave_out |= set(strange) if columns.ignore_others else set()
    if not mapped and not leave_out:
        yield from rows
        return
    for line, parse in rows:

        def renamed(parse: Callable[[], Cells] = parse) -> Cells:
            cells = {name: cell for name, cell in parse().items() if name not in leave_out}
            return {mapped.get(name, name): used(cell, name) for name, cell in cells.items()}

        yield line, renamed


def is_field(name: str, known: Collection[str]) -> bool:
    """Whether a column of this name is read without a mapping."""
    head, dot, _ = name.partition(".")
    return bool(dot and head in _OBJECTS) or name in known or name in _ALIASES


def _refuse_preferences(columns: list[str]) -> None:
    if {"chosen", "rejected"} <= set(columns):
        said = (
            "The file holds preferences: chosen and rejected answers. To compare them as two systems, import pairs and "
            "map `rejected` as the baseline and `chosen` as the candidate."
        )
        raise DomainError("preference_data", said, status=422)


def prompt_of(cells: Cells, line: int) -> Row:
    """Parse a prompt's row; raises RowError."""
    return _prompt(cells, line, _PROMPT)


def pair_of(cells: Cells, line: int) -> Row:
    """Parse a pair's row: a prompt with `baseline` and `candidate`, each {text, input_tokens, …}; raises RowError."""
    row = _prompt(cells, line, _PAIR)
    for side in _SIDES:
        text = _response(cells.get(side), side)
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
    expected = _content(cells, "expected")
    asked = {"instruction": cells.get("prompt"), "input": _content(cells, "input") or ""}
    for column in ("messages", "prompt"):
        if turns := conversations.turns_in(cells.get(column)):
            asked, answer = _question(cells, turns, column)
            expected = answer if expected in (None, "", {}) else expected
            break
    if not isinstance(asked["instruction"], str) or not asked["instruction"].strip():
        raise RowError("`prompt` must be a text that is not empty.", "prompt")
    return {
        "id": _identity(cells, line),
        **asked,
        "expected": expected if expected not in ("", {}) else None,
        "tags": _tags(cells.get("tags")),
    }


def _question(cells: Cells, turns: list[Any], column: str) -> tuple[Row, Any]:
    """The only question of a chat, and the answer if the chat has one."""
    if cells.get("input") not in (None, "", {}):
        raise RowError(f"`{column}` contains the input; give no other one.", "input")
    last = turns[-1] if isinstance(turns[-1], dict) else {}
    is_open = last.get("role", last.get("from")) in ("user", "human")
    found = conversations.of_turns(turns, column, output="" if is_open else None)
    row = {"messages": found.messages, "output": found.output}
    if not conversations.is_single_question(row):
        raise RowError(_SEVERAL_TURNS, column)
    instruction, given = conversations.prompt_parts(row)
    return {"instruction": instruction, "input": given}, found.output or None


def _response(value: Any, side: str) -> Any:
    """A response's text, also of one that is a list with the assistant's turn."""
    turns = conversations.turns_in(value)
    if turns is None:
        return value
    answer = conversations.of_turns([{"role": "user", "content": "-"}, *turns[-1:]], side).output
    return answer if isinstance(answer, str) else None


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
    if not isinstance(value, str):
        raise RowError(f"`{name}` must be a text such as stop or length, or left out.", name)
    reason = _FINISHES.get(value.strip().lower(), value.strip().lower())
    return reason if reason in Response.FinishReason.values else Response.FinishReason.UNKNOWN.value
