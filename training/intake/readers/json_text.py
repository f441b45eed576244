"""Strict JSON: no constants outside the standard, no name twice in an object, and no number that another parser would
change."""

import json
import math
from collections import Counter
from decimal import Decimal
from typing import Any

from training.intake.readers.lines import RowError, shown

MAX_DEPTH = 50
TOO_DEEP = f"The JSON is nested too deeply; at most {MAX_DEPTH} levels are allowed."
# Every decimal of this many digits survives as a 64-bit float.
_SAFE_DIGITS = 15
_MOST_DIGITS = 40


def parse(text: str, field: str = "") -> Any:
    """The JSON value of `text`; raises RowError."""
    try:
        return DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise RowError(f"Not JSON: {error.msg} at column {error.colno}.", field) from None
    except RecursionError:
        raise RowError(TOO_DEEP, field) from None


def _refuse_constant(name: str) -> None:
    raise RowError(f"{name} is not JSON; use null or a number.")


def _whole(digits: str) -> int:
    try:
        return int(digits)
    except ValueError:
        raise RowError(f"A number of {len(digits):,} digits is too long; write it as a text.") from None


def _decimal(digits: str) -> float:
    value = float(digits)
    if len(digits) <= _SAFE_DIGITS + 1 and "e" not in digits and "E" not in digits:
        return value
    if math.isinf(value):
        raise RowError(f"{shown([digits])} is too large for a number; write it as a text.")
    if not _survives(digits, value):
        raise RowError(f"The number {shown([digits])} would lose digits; write it as a text.")
    return value


def _survives(digits: str, value: float) -> bool:
    """Whether the float holds all given digits: those of its shortest text, or its own at their number."""
    if len(digits) > _MOST_DIGITS:
        return False
    given = Decimal(digits)
    places = max(len(given.as_tuple().digits) - 1, 0)
    return given in (Decimal(repr(value)), Decimal(f"{value:.{places}e}"))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = [name for name, times in Counter(name for name, _ in pairs).items() if times > 1]
        said = f"The name {shown(twice)} appears twice in one object. Keep one of the values."
        raise RowError(said, shown(twice[:1]))
    return found


DECODER = json.JSONDecoder(
    parse_constant=_refuse_constant, parse_int=_whole, parse_float=_decimal, object_pairs_hook=_unique
)
