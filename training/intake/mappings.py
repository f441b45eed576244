"""Column mappings from JSON, and suggestions based on column names."""

import dataclasses
import json
import re
from collections.abc import Sequence
from typing import Any

from ftplatform.errors import DomainError
from training.intake.readers.lines import Cells
from training.intake.rows import EXAMPLE_FIELDS, ColumnMapping

_DEFAULTS = dataclasses.asdict(ColumnMapping())
# Common names of these columns, the most likely first.
_HINTS = {
    "output_column": ("output", "expected_output", "expected", "response", "completion", "answer", "target"),
    "label": ("label", "labels", "category", "intent", "class", "decision", "sentiment", "target_label"),
    "input_column": (
        "input",
        "text",
        "query",
        "question",
        "prompt",
        "utterance",
        "sentence",
        "message",
        "context",
    ),
    "instruction_column": ("instruction", "instructions", "system", "system_prompt", "task"),
    "id_column": ("id", "row_id", "example_id", "uuid", "key"),
    "group_column": ("group", "group_id", "customer_id", "user_id", "conversation_id", "session_id"),
    "split_column": ("split", "fold", "subset"),
}


def from_json(values: Any) -> ColumnMapping:
    """The mapping in a JSON request. Raises DomainError `invalid_mapping` naming each bad field."""
    if not isinstance(values, dict):
        raise _invalid([{"field": "mapping", "message": "A mapping must be a JSON object."}])
    problems = [
        {"field": f"mapping.{name}", "message": f"Unknown. Use {', '.join(_DEFAULTS)}."}
        for name in sorted(set(values) - set(_DEFAULTS))
    ]
    for name in _DEFAULTS.keys() & values.keys():
        if not _fits(values[name], _DEFAULTS[name]):
            kind = {str: "a text", dict: "an object of key: column", bool: "true or false"}[
                type(_DEFAULTS[name])
            ]
            problems.append({"field": f"mapping.{name}", "message": f"Enter {kind}."})
    if problems:
        raise _invalid(problems)
    mapping = ColumnMapping(**values)
    mapping.require_complete()
    return mapping


def parse(text: str) -> ColumnMapping:
    try:
        return from_json(json.loads(text))
    except (json.JSONDecodeError, RecursionError) as error:
        raise _invalid([{"field": "mapping", "message": f"Not JSON: {error}."}]) from None


def _fits(value: Any, default: Any) -> bool:
    if isinstance(default, dict):
        return isinstance(value, dict) and all(isinstance(column, str) for column in value.values())
    return isinstance(value, type(default))


def _invalid(problems: list[dict[str, Any]]) -> DomainError:
    said = "The column mapping is not valid."
    return DomainError("invalid_mapping", said, status=400, problems=problems)


def is_canonical(columns: Sequence[str]) -> bool:
    """Whether rows with these columns are already Examples and need no mapping."""
    return {"instruction", "output"} <= set(columns) <= set(EXAMPLE_FIELDS)


def propose(columns: Sequence[str], rows: Sequence[Cells]) -> ColumnMapping:
    """Suggest a mapping from column names and first cells. It may lack parts that only the user knows, such as a
    constant instruction."""
    known = {re.sub(r"\W+", "_", column.strip().lower()): column for column in reversed(columns)}

    def hinted(part: str) -> str:
        return next((known[name] for name in _HINTS[part] if name in known), "")

    found = {part: hinted(part) for part in _HINTS if part != "label"}
    label = hinted("label")
    if found["output_column"] or not label:
        outputs: dict[str, str] = {}
    else:
        outputs = {"intent" if known.get("category") == label else label: label}
    if not found["input_column"] and (found["output_column"] or outputs):
        found["input_column"] = _only_other(columns, {*found.values(), *outputs.values()})
    whole = [column for column in (found["input_column"], found["output_column"]) if column]
    inputs = _as_keys(found, rows, columns)
    return ColumnMapping(
        inputs=inputs,
        outputs=outputs,
        json_cells=bool(whole) and all(_holds_json(column, rows) for column in whole),
        **{part: column for part, column in found.items() if not (part == "input_column" and inputs)},
    )


def _only_other(columns: Sequence[str], used: set[str]) -> str:
    """The only unrecognised column when all others are mapped; it is used as the input."""
    others = [column for column in columns if column not in used]
    return others[0] if len(others) == 1 and len(columns) > 1 else ""


def _as_keys(found: dict[str, str], rows: Sequence[Cells], columns: Sequence[str]) -> dict[str, str]:
    """Plain text becomes an object with one key, so that more inputs can be added; objects are used whole."""
    column = found["input_column"]
    if not column or any(isinstance(row.get(column), dict) for row in rows) or _holds_json(column, rows):
        return {}
    if is_canonical(columns):
        return {}
    return {"query" if column == "text" else column: column}


def _holds_json(column: str, rows: Sequence[Cells]) -> bool:
    cells = [row[column] for row in rows if column in row]
    return bool(cells) and all(isinstance(cell, str) and cell.lstrip().startswith("{") for cell in cells)
