"""Rows of an uploaded file, one at a time: each is an Example, or a line number with its problem."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import IO, Any, Protocol

from ftplatform.errors import DomainError
from training.intake.readers import json_text, open_source
from training.intake.readers.clean import require_clean
from training.intake.readers.lines import Cells, RowError, is_text, shown

SPLITS = ("train", "validation", "test")
EXAMPLE_FIELDS = ("id", "instruction", "input", "output", "split", "group")
_MAX_NAME = 200
_TOLD_EVERY = 500


@dataclass(frozen=True)
class ColumnMapping:
    """How the columns of a file become an Example. `inputs` and `outputs` map key → column and make an object;
    `input_column` and `output_column` use one column unchanged (`json_cells`: its text is JSON)."""

    instruction: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    instruction_column: str = ""
    input_column: str = ""
    output_column: str = ""
    id_column: str = ""
    group_column: str = ""
    split_column: str = ""
    json_cells: bool = False

    @property
    def columns(self) -> set[str]:
        single = (self.instruction_column, self.input_column, self.output_column)
        named = (*single, self.id_column, self.group_column, self.split_column)
        return {*self.inputs.values(), *self.outputs.values(), *filter(None, named)}

    def column_of(self, field: str) -> str:
        """The one column that a field is read from, or "": users know the field by that name."""
        named = {
            "instruction": self.instruction_column,
            "input": self.input_column,
            "output": self.output_column,
            "id": self.id_column,
            "group": self.group_column,
            "split": self.split_column,
        }
        return named.get(field, "")

    def require_complete(self) -> None:
        """Raise DomainError `invalid_mapping` naming each part that is missing or given twice."""
        problems = [
            {"field": name, "message": message}
            for name, message, wrong in (
                (
                    "instruction",
                    "Enter an instruction, or choose the column that contains it.",
                    not self.instruction.strip() and not self.instruction_column,
                ),
                (
                    "instruction",
                    "Enter a text or choose a column, not both.",
                    self.instruction.strip() and self.instruction_column,
                ),
                (
                    "inputs",
                    "Map keys to columns or choose one column, not both.",
                    self.inputs and self.input_column,
                ),
                (
                    "outputs",
                    "Choose the column or columns of the expected output.",
                    not self.outputs and not self.output_column,
                ),
                (
                    "outputs",
                    "Map keys to columns or choose one column, not both.",
                    self.outputs and self.output_column,
                ),
            )
            if wrong
        ]
        names = (self.instruction, *self.inputs, *self.outputs, *self.columns)
        if not all(is_text(name) and "\x00" not in name for name in names):
            said = "A column name contains NUL or a lone surrogate. Rename that column."
            problems.append({"field": "mapping", "message": said})
        if problems:
            said = "The column mapping is not complete."
            raise DomainError("invalid_mapping", said, status=400, problems=problems)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class Seen(Protocol):
    """Used ids with their lines; `setdefault` returns the line where an id was first used."""

    def setdefault(self, identity: str, line: int, /) -> int: ...


@dataclass(frozen=True)
class ReadRow:
    """A line of the file: an example with its requested split and its group, or a problem."""

    line: int
    example: dict[str, Any] | None
    split: str = ""
    group: str = ""
    problem: str = ""
    field: str = ""


def read(
    file: IO[bytes],
    source_name: str,
    mapping: ColumnMapping | None,
    seen: Seen | None = None,
    tell: Callable[[float], None] = lambda part: None,
) -> Iterator[ReadRow]:
    """Stream the examples of JSON lines, a CSV or Parquet; ids must be unique. Memory stays constant when `seen`
    keeps the ids elsewhere. `tell` is called periodically with the part that has been read, from 0 to 1.

    Raises DomainError for errors about the whole file: a mapping that is missing or incomplete, a header that cannot
    be read or lacks a mapped column, a size beyond the limit.
    """
    if mapping is not None:
        mapping.require_complete()
    source = open_source(file, source_name)
    _require_columns(source.columns, mapping)
    known: Seen = {} if seen is None else seen
    for number, (line, parse) in enumerate(source.rows):
        if number % _TOLD_EVERY == 0:
            tell(source.part_read())
        try:
            cells = parse() if mapping is None else _mapped(parse(), mapping)
            example = example_of(cells, line)
            first = known.setdefault(example["id"], line)
            if first != line:
                said = f"id {example['id']!r} was already used on line {first}; ids must differ."
                raise RowError(said, "id")
        except RowError as error:
            column = mapping.column_of(error.field) if mapping else ""
            said = str(error).replace(f"`{error.field}`", f"`{column}`") if column else str(error)
            yield ReadRow(line, None, problem=said, field=column or error.field)
        else:
            split, group = cells.get("split") or "", _name(cells.get("group"), "group")
            yield ReadRow(line, example, split=split, group=group)


def _require_columns(columns: list[str] | None, mapping: ColumnMapping | None) -> None:
    if columns is None:
        return
    if mapping is None:
        if not {"instruction", "output"} <= set(columns):
            said = (
                "This file needs an instruction and a mapping of its columns to input and output keys: "
                f"it has {shown(columns) or 'no columns'}."
            )
            raise DomainError("mapping_needed", said, status=400)
    elif missing := mapping.columns - set(columns):
        said = f"The header lacks {shown(sorted(missing))}; it has {shown(columns) or 'nothing'}."
        raise DomainError("missing_columns", said, status=422)


def _mapped(row: Cells, mapping: ColumnMapping) -> Cells:
    if missing := mapping.columns - set(row):
        raise RowError(f"The row lacks {shown(sorted(missing))}.", sorted(missing)[0])
    made: Cells = {
        "instruction": row[mapping.instruction_column] if mapping.instruction_column else mapping.instruction,
        "input": {key: row[column] for key, column in mapping.inputs.items()},
        "output": {key: row[column] for key, column in mapping.outputs.items()},
    }
    for name, column in (("input", mapping.input_column), ("output", mapping.output_column)):
        if column:
            made[name] = _whole_cell(row[column], column, as_json=mapping.json_cells)
    if not mapping.inputs and not mapping.input_column:
        made["input"] = ""
    named = {"id": mapping.id_column, "group": mapping.group_column, "split": mapping.split_column}
    return made | {name: row[column] for name, column in named.items() if column}


def _whole_cell(value: Any, column: str, *, as_json: bool) -> Any:
    """One column unchanged; with `as_json`, text is parsed as JSON."""
    if as_json and isinstance(value, str) and value.strip():
        return json_text.parse(value, column)
    return value


def example_of(row: Cells, line: int) -> dict[str, Any]:
    """The Example of a row with all its fields; raises RowError."""
    if unknown := set(row) - set(EXAMPLE_FIELDS):
        raise RowError(
            f"Unknown field {shown(sorted(unknown))}; a row has {', '.join(sorted(EXAMPLE_FIELDS))}.",
            shown(sorted(unknown)[:1]),
        )
    for name in ("instruction", "output"):
        if name not in row:
            raise RowError(f"The row lacks `{name}`.", name)
    if not isinstance(row["instruction"], str) or not row["instruction"].strip():
        raise RowError("`instruction` must be a text that is not empty.", "instruction")
    if row.get("split") not in (None, "", *SPLITS):
        raise RowError(f"`split` must be one of {', '.join(SPLITS)}.", "split")
    identity = row.get("id", f"row-{line}")
    if not isinstance(identity, str | int) or isinstance(identity, bool):
        identity = ""
    if not 0 < len(str(identity)) <= _MAX_NAME:
        raise RowError(f"`id` must be a text or whole number of at most {_MAX_NAME} characters.", "id")
    example = {
        "id": str(identity),
        "instruction": row["instruction"],
        "input": _content(row.get("input", ""), "input", empty=True),
        "output": _content(row["output"], "output", empty=False),
    }
    if group := _name(row.get("group"), "group"):
        example["group"] = group
    require_clean(example)
    return example


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
        raise RowError(f"`{name}` must be a text or a JSON object.", name)
    if not empty and not (value.strip() if isinstance(value, str) else value):
        raise RowError(f"`{name}` is empty.", name)
    return value
