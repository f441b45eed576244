"""Strict JSON: no constants outside the standard, and no number that another parser would change."""

import json
import math
from typing import Any

from training.intake.readers.lines import RowError, shown

MAX_DEPTH = 50
TOO_DEEP = f"The JSON is nested too deeply; at most {MAX_DEPTH} levels are allowed."


def parse(text: str, field: str = "") -> Any:
    """The JSON value of `text`; raises RowError."""
    try:
        return _DECODER.decode(text)
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
    if math.isinf(value := float(digits)):
        raise RowError(f"{shown([digits])} is too large for a number; write it as a text.")
    return value


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_int=_whole, parse_float=_decimal)
