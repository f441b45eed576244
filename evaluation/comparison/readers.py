"""Reads the rows of uploaded prompts and pairs. An invalid row gives an error with its line and field.

Prompts: `prompt` (or `instruction`), `input`, `expected` (or `output`), `id`, `tags`; or `messages`, the turns of a
conversation, with `tools` and `system`; or `prompt` with `history`, earlier questions and answers. Pairs also have
`baseline` and `candidate`, each with optional `_input_tokens`, `_output_tokens`, `_latency_ms`, `_finish_reason`
columns. In tables, the columns `input.KEY`, `expected.KEY` and `tag.NAME` are combined into objects.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Set
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import IO, Any

from evaluation.comparison.row_fields import PAIR, PROMPT, SIDES, Row, pair_of, prompt_of
from ftplatform.errors import DomainError
from training.intake import conversations
from training.intake.column_mapping import ColumnMapping
from training.intake.layouts import TURN_COLUMNS, common
from training.intake.readers import open_source
from training.intake.readers.lines import Cells, RawRow, RowError, shown, used
from training.intake.rows import Rows, ahead, columns_of, unknown_columns

MOST_PROBLEMS = 1000
_ALIASES = {"instruction": "prompt", "output": "expected", **dict.fromkeys(TURN_COLUMNS, "messages")}
_OBJECTS = {"tag": "tags", "input": "input", "output": "expected", "expected": "expected"}
# The fields that a mapping can name, in the order of a page.
_TURNS = ("messages", "tools", "system", "history")
PROMPT_FIELDS = ("prompt", "input", "expected", "id", "tags", *_TURNS)
PAIR_FIELDS = ("prompt", "input", *SIDES, *PROMPT_FIELDS[2:], *sorted(PAIR - PROMPT - {*SIDES}))

Parser = Callable[[Cells, int], Row]


@dataclass(frozen=True)
class Columns:
    """Which column is which field (field → column), and which columns are ignored. With `ignore_others`, so are all
    columns that are no field; otherwise they are an error, because a misspelt name would lose data silently."""

    names: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    ignored: frozenset[str] = frozenset()
    ignore_others: bool = False

    def require_known(self, known: Set[str]) -> None:
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
        yield from _read(file, source_name, prompt_of, PROMPT, columns)
    elif mapping.messages_column:
        yield from _read(file, source_name, *_of_turns(mapping))
    else:
        for row in Rows(file, source_name, mapping).read():
            if row.example is None:
                yield Read(row.line, None, row.problem, row.field)
            else:
                yield Read(row.line, as_prompt(row.example) | {"tags": {}})


def _of_turns(mapping: ColumnMapping) -> tuple[Parser, Set[str], Columns]:
    """How `_read` reads turns under a dataset's mapping: unlike an example, a prompt needs no answer."""
    mapping.require_complete()
    parts = {"messages": "messages", "expected": "output", "id": "id", "tools": "tools", "system": "system"}
    names = {name: column for name, part in parts.items() if (column := mapping.column_of(part))}

    def parser(cells: Cells, line: int) -> Row:
        named = {name: cell for name, cell in cells.items() if name in names}
        return prompt_of({**named, "system": named.get("system") or mapping.instruction}, line)

    return parser, PROMPT, Columns(names, ignore_others=True)


def pairs(file: IO[bytes], source_name: str, columns: Columns = NO_COLUMNS) -> Iterator[Read]:
    """Read pairs. `columns` says which column is which field."""
    yield from _read(file, source_name, pair_of, PAIR, columns)


def as_prompt(example: Row) -> Row:
    """A dataset's row as the row of a prompt."""
    expected = conversations.spoken(example["output"])
    if "messages" not in example:
        content = {name: example[name] for name in ("instruction", "input")}
    else:
        turns = conversations.Conversation(example["messages"], None, example.get("tools", []))
        content = conversations.prompt_content(turns)
    return {"id": example["id"], **content, "expected": expected}


def refused(problems: list[dict[str, Any]], bad: int, rows: int) -> DomainError:
    return DomainError(
        "invalid_rows",
        f"{bad:,} of {rows:,} rows cannot be used and nothing was stored; mend the listed lines and try again.",
        status=422,
        problems=problems,
    )


def _read(
    file: IO[bytes], source_name: str, parser: Parser, known: Set[str], columns: Columns
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
            yield _refused(line, error, columns)
        else:
            yield Read(line, row)


def _refused(line: int, error: RowError, columns: Columns) -> Read:
    """The error under the name that the field's column has in the file."""
    name = re.split(r"[.\[]", error.field, maxsplit=1)[0]
    column = columns.names.get(name, name)
    problem = str(error).replace(f"`{name}", f"`{column}")
    return Read(line, None, problem, column + error.field.removeprefix(name))


def _renamed(file: IO[bytes], source_name: str, known: Set[str], columns: Columns) -> Iterator[RawRow]:
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
    # A file with such a column holds conversations, also in a row without that cell.
    absent = dict.fromkeys({"system", "history"} & {mapped.get(name, name) for name in header})
    if not (mapped or leave_out or absent):
        yield from rows
        return
    for line, parse in rows:

        def renamed(parse: Callable[[], Cells] = parse) -> Cells:
            cells = {name: cell for name, cell in parse().items() if name not in leave_out}
            return absent | {mapped.get(name, name): used(cell, name) for name, cell in cells.items()}

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
            target = _ALIASES.get(name, name)
            if combined.get(target) in (None, ""):
                combined[target] = value
            elif value not in (None, ""):
                raise RowError(f"`{target}` is given twice; the second is `{name}`.", name)
    return combined
