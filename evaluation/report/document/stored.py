"""Read a stored result back into a `Report`. Fields that earlier versions lack are filled here."""

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from evaluation.stats.report import Report

_MISSING: dict[Any, Any] = {str: "", bool: False, int: 0, float: math.nan}
# Values that earlier versions always used but did not store.
_ALWAYS = {"confidence": 0.95, "significance_level": 0.05, "margin": 0.05, "schema_version": 1}


def read(result: Mapping[str, Any]) -> Report:
    """The report stored by `Report.to_json` of this or an earlier version.

    A missing field is empty, None, zero, false or NaN, or has the value that earlier versions always used.
    """
    report: Report = _read(Report, result)
    return report


def _read(kind: Any, value: Any) -> Any:
    if is_dataclass(kind) and isinstance(kind, type):
        given = value or {}
        hints = _hints(kind)
        return kind(
            **{f.name: _read(hints[f.name], given.get(f.name, _ALWAYS.get(f.name))) for f in fields(kind)}
        )
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        if value is None and NoneType in arguments:
            return None
        return _read(next(one for one in arguments if one is not NoneType), value)
    if origin is tuple:
        return tuple(_read(arguments[0], item) for item in value or ())
    return _MISSING.get(kind) if value is None else value


@lru_cache(maxsize=64)
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)
