"""Column mappings from JSON."""

import dataclasses
from typing import Any

from ftplatform.errors import DomainError
from training.intake.column_mapping import ColumnMapping

_DEFAULTS = dataclasses.asdict(ColumnMapping())


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


def _fits(value: Any, default: Any) -> bool:
    if isinstance(default, dict):
        return isinstance(value, dict) and all(isinstance(column, str) for column in value.values())
    return isinstance(value, type(default))


def _invalid(problems: list[dict[str, Any]]) -> DomainError:
    said = "The column mapping is not valid."
    return DomainError("invalid_mapping", said, status=400, problems=problems)
