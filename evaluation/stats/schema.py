"""JSON Schema of the report, generated from the record classes so that it always matches them."""

import inspect
from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from evaluation.stats.report import SCHEMA_VERSION, Report

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_PLAIN: dict[type, str] = {bool: "boolean", int: "integer", float: "number", str: "string", NoneType: "null"}


def report_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of `Report.to_json`.

    A campaign's provenance or a file's rows are stored beside these members, so further members are allowed
    at the top level only.
    """
    found = {"$schema": DIALECT, "title": "Report of a blind review", **_record(Report)}
    found["properties"]["schema_version"] = {"const": SCHEMA_VERSION}
    del found["additionalProperties"]
    return found


def _record(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind)
    names = [field.name for field in fields(kind)]
    return {
        "type": "object",
        "description": " ".join((inspect.getdoc(kind) or "").split()),
        "properties": {name: _of(hints[name]) for name in names},
        "required": names,
        "additionalProperties": False,
    }


def _of(hint: Any) -> dict[str, Any]:
    if is_dataclass(hint) and isinstance(hint, type):
        return _record(hint)
    if hint in _PLAIN:
        return {"type": _PLAIN[hint]}
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is tuple:
        return {"type": "array", "items": _of(arguments[0])}
    if origin in (Union, UnionType):
        return {"anyOf": [_of(argument) for argument in arguments]}
    raise TypeError(f"no JSON Schema for {hint!r}")
