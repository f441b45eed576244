"""Rows of an uploaded file, one at a time: each is an Example, or a line number with its problem."""

import json
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import IO, Any, Protocol

from ftplatform.errors import DomainError
from training.intake import conversations, layouts
from training.intake.column_mapping import ColumnMapping as ColumnMapping  # also imported from here
from training.intake.layouts import EXAMPLE_FIELDS
from training.intake.readers import json_text, open_source
from training.intake.readers.clean import require_clean
from training.intake.readers.lines import Cells, RawRow, RowError, Source, shown, used

SPLITS = ("train", "validation", "test")
_MAX_NAME = 200
_TOLD_EVERY = 500
_LOOKED_AT = 20
_KNOWN = frozenset(EXAMPLE_FIELDS)


class Seen(Protocol):
    """Used ids with their lines; `setdefault` returns the line where an id was first used."""

    def setdefault(self, identity: str, line: int, /) -> int: ...


@dataclass(frozen=True)
class ReadRow:
    """A line of the file: an example with its requested split and its group, or a problem. `dropped` counts the turns
    after the answer of a conversation."""

    line: int
    example: dict[str, Any] | None
    split: str = ""
    group: str = ""
    problem: str = ""
    field: str = ""
    dropped: int = 0


class Rows:
    """The rows of a file under a mapping, or under what its layout says without one. Iterate once. `is_plain`: see
    `open_source`.

    Raises DomainError for errors about the whole file: a mapping that is missing or incomplete, a header that cannot
    be read or lacks a mapped column, preferences, a size beyond the limit.
    """

    def __init__(
        self, file: IO[bytes], source_name: str, mapping: ColumnMapping | None, *, is_plain: bool = False
    ) -> None:
        if mapping is not None:
            mapping.require_complete()
        self._source = open_source(file, source_name, is_plain=is_plain)
        self.first, self._raw = ahead(self._source)
        self.columns = columns_of(self._source, self.first)
        self.layout = layouts.recognise(self.columns, self.first)
        self.mapping = mapping or self._certain()
        self._dropped = 0
        self._require_columns()

    def _certain(self) -> ColumnMapping | None:
        layouts.refuse_preferences(self.layout)
        return self.layout.mapping if self.layout.is_certain else None

    def _require_columns(self) -> None:
        known, listed = set(self.columns), shown(self.columns)
        if self.mapping is None:
            if not layouts.is_example(known) and (self.first or self._source.columns is not None):
                said = (
                    "This file needs a mapping that says which columns are the instruction or input and the expected "
                    f"output: it has {listed or 'no columns'}."
                )
                raise DomainError("mapping_needed", said, status=400)
            if unknown := sorted(layouts.common(self.first) - set(EXAMPLE_FIELDS)):
                raise unknown_columns(unknown, EXAMPLE_FIELDS)
        elif self._source.columns is not None and (missing := self.mapping.columns - known):
            said = f"The header lacks {shown(sorted(missing))}; it has {listed or 'nothing'}."
            raise DomainError("missing_columns", said, status=422)

    def facts(self) -> dict[str, Any]:
        """How the file was read; complete after the last row."""
        unused = [name for name in self.columns if self.mapping and name not in self.mapping.columns]
        found = {"layout": self.layout.title, "ignored_columns": unused[:100], "dropped_turns": self._dropped}
        return self._source.facts.to_json() | {name: value for name, value in found.items() if value}

    def read(
        self, seen: Seen | None = None, tell: Callable[[float], None] = lambda part: None
    ) -> Iterator[ReadRow]:
        """The examples; ids must be unique. Memory stays constant when `seen` keeps the ids elsewhere. `tell` is called
        periodically with the part that has been read, from 0 to 1."""
        known: Seen = {} if seen is None else seen
        mapping = self.mapping
        for number, (line, parse) in enumerate(self._raw):
            if number % _TOLD_EVERY == 0:
                tell(self._source.part_read())
            try:
                row = _row_of(parse() if mapping is None else _mapped(parse(), mapping), line)
                identity = row.example["id"]  # type: ignore[index]
                first = known.setdefault(identity, line)
                if first != line:
                    said = f"id {identity!r} was already used on line {first}; ids must differ."
                    raise RowError(said, "id")
            except RowError as error:
                yield _refused(line, error, mapping)
            else:
                self._dropped += row.dropped
                yield row


def read(file: IO[bytes], source_name: str, mapping: ColumnMapping | None) -> Iterator[ReadRow]:
    """The examples of a file; see `Rows`."""
    yield from Rows(file, source_name, mapping).read()


def ahead(source: Source) -> tuple[list[Cells], Iterator[RawRow]]:
    """The cells of the first rows that can be read, and all rows from the first. An error that ends the file is raised
    when it is its turn."""
    raw: list[RawRow] = []
    first: list[Cells] = []
    errors: list[DomainError] = []
    try:
        for row in islice(source.rows, _LOOKED_AT):
            raw.append(row)
            with suppress(RowError):
                first.append(row[1]())
    except DomainError as error:
        errors.append(error)

    def all_rows() -> Iterator[RawRow]:
        yield from raw
        for error in errors:
            raise error
        yield from source.rows

    return first, all_rows()


def columns_of(source: Source, first: list[Cells]) -> list[str]:
    """The columns of a file; where rows have their own names, those of the first rows."""
    if source.columns is not None:
        return source.columns
    return list(dict.fromkeys(name for row in first for name in row))


def unknown_columns(unknown: list[str], known: Collection[str]) -> DomainError:
    """One error for columns that every row has and that mean nothing."""
    said = (
        f"The file has the unknown column {shown(unknown)}. A row has {', '.join(sorted(known))}. Rename the column, "
        "or give a mapping; columns that a mapping does not name are ignored."
    )
    problems = [{"field": shown([name]), "message": "Unknown column."} for name in unknown[:20]]
    return DomainError("unknown_columns", said, status=422, problems=problems)


def _refused(line: int, error: RowError, mapping: ColumnMapping | None) -> ReadRow:
    column = mapping.column_of(error.field) if mapping else ""
    said = str(error).replace(f"`{error.field}`", f"`{column}`") if column else str(error)
    return ReadRow(line, None, problem=said, field=column or error.field)


def _mapped(row: Cells, mapping: ColumnMapping) -> Cells:
    """The fields of an Example from the mapped columns."""
    if missing := mapping.required - row.keys():
        raise RowError(f"The row lacks {shown(sorted(missing))}.", sorted(missing)[0])
    made = {name: used(row[column], column) for name, column in mapping.row_columns if column in row}
    if mapping.messages_column:
        return made | {"messages": _given_turns(row, mapping)}
    instruction = (
        _cell(row, mapping.instruction_column) if mapping.instruction_column else mapping.instruction
    )
    given: Any = {key: used(row[column], column) for key, column in mapping.inputs.items()}
    if not given:
        given = _whole_cell(row, mapping.input_column, as_json=mapping.json_cells)
    output: Any = {key: used(row[column], column) for key, column in mapping.outputs.items()}
    if not output:
        output = _whole_cell(row, mapping.output_column, as_json=mapping.json_cells)
    elif all(value in ("", None) for value in output.values()):
        empty = shown(list(mapping.outputs.values()))
        raise RowError(f"`{empty}` is empty.", empty)
    if mapping.makes_conversations:
        user = _user_text(instruction, given, mapping)
        system, history = _cell(row, mapping.system_column), _cell(row, mapping.history_column)
        tools = _cell(row, mapping.tools_column)
        return made | {"messages": conversations.of_parts(system, history, user, output, tools=tools)}
    return made | {"instruction": instruction, "input": given, "output": output}


def _given_turns(row: Cells, mapping: ColumnMapping) -> conversations.Conversation:
    column, answer = mapping.messages_column, mapping.output_column
    return conversations.of_turns(
        _cell(row, column),
        column,
        tools=_cell(row, mapping.tools_column),
        system=_cell(row, mapping.system_column) or mapping.instruction,
        output=_whole_cell(row, answer, as_json=mapping.json_cells) if answer else None,
    )


def _user_text(instruction: Any, given: Any, mapping: ColumnMapping) -> str:
    """Instruction and input as one turn."""
    if not isinstance(instruction, str | None):
        raise RowError("`instruction` must be a text.", "instruction")
    given = _content(given, "input", empty=True)
    whole = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
    said = "\n\n".join(text for text in (instruction, whole) if text and text.strip())
    wanted = "instruction" if mapping.instruction_column else "input"
    if not said or (wanted == "instruction" and not (instruction or "").strip()):
        raise RowError(f"`{wanted}` is empty.", wanted)
    return said


def _cell(row: Cells, column: str) -> Any:
    """An optional cell: None if the row has none."""
    return used(row.get(column), column) if column else None


def _whole_cell(row: Cells, column: str, *, as_json: bool) -> Any:
    """One column unchanged; with `as_json`, text is parsed as JSON."""
    value = used(row[column], column) if column else ""
    if as_json and isinstance(value, str) and value.strip():
        return json_text.parse(value, column)
    return value


def _row_of(cells: Cells, line: int) -> ReadRow:
    """The Example of a row with all its fields; raises RowError."""
    if unknown := cells.keys() - _KNOWN:
        raise RowError(
            f"Unknown field {shown(sorted(unknown))}; a row has {', '.join(sorted(EXAMPLE_FIELDS))}.",
            shown(sorted(unknown)[:1]),
        )
    turns = cells.get("messages")
    fields, dropped = _short_form(cells) if turns in (None, "") else _conversation(cells, turns)
    if cells.get("split") not in (None, "", *SPLITS):
        raise RowError(f"`split` must be one of {', '.join(SPLITS)}.", "split")
    identity = cells.get("id", f"row-{line}")
    if not isinstance(identity, str | int) or isinstance(identity, bool):
        identity = ""
    if not 0 < len(str(identity)) <= _MAX_NAME:
        raise RowError(f"`id` must be a text or whole number of at most {_MAX_NAME} characters.", "id")
    example = {"id": str(identity), **fields}
    if group := _name(cells.get("group"), "group"):
        example["group"] = group
    require_clean(example)
    return ReadRow(line, example, cells.get("split") or "", group, dropped=dropped)


def _short_form(cells: Cells) -> tuple[Cells, int]:
    for name in ("instruction", "output"):
        if name not in cells:
            raise RowError(f"The row lacks `{name}`.", name)
    if not isinstance(cells["instruction"], str) or not cells["instruction"].strip():
        raise RowError("`instruction` must be a text that is not empty.", "instruction")
    return {
        "instruction": cells["instruction"],
        "input": _content(cells.get("input", ""), "input", empty=True),
        "output": _content(cells["output"], "output", empty=False),
    }, 0


def _conversation(cells: Cells, turns: Any) -> tuple[Cells, int]:
    if not isinstance(turns, conversations.Conversation):
        if cells.get("instruction") or cells.get("input"):
            raise RowError("Give either `messages` or `instruction` and `input`, not both.", "messages")
        answer = cells.get("output") if cells.get("output") != "" else None
        turns = conversations.of_turns(turns, "messages", tools=cells.get("tools"), output=answer)
    _content(turns.output, "output", empty=False)
    return turns.fields(), turns.dropped


def _name(value: Any, name: str) -> str:
    """A group's name as text; a row without one is not grouped."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | None):
        raise RowError(f"`{name}` must be a text or a number.", name)
    text = "" if value is None else str(value).strip()
    if len(text) > _MAX_NAME:
        raise RowError(f"`{name}` may have at most {_MAX_NAME} characters.", name)
    return text


def _content(value: Any, name: str, *, empty: bool) -> Any:
    if value is None and empty:
        return ""
    if not isinstance(value, str | dict):
        used(value, name)
        raise RowError(f"`{name}` must be a text or a JSON object.", name)
    if not empty and not (value.strip() if isinstance(value, str) else value):
        raise RowError(f"`{name}` is empty.", name)
    return value
