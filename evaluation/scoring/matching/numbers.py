"""JSON numbers with all their digits, and their comparison as the decimals that are written."""

import math
from decimal import Context, Decimal, InvalidOperation

Number = int | float | Decimal
# For isinstance(), which takes much longer for a union.
NUMBERS = (int, float, Decimal)

# Every number of this length without an exponent has at most 15 digits, which a float keeps.
_SAFE_CHARACTERS = 15
# Python reads whole numbers up to 4,300 digits as int, unless its settings say otherwise.
_INT_CHARACTERS = 600
# Rounds a difference to 50 digits, so that 1 − 1e-400 takes no longer than 1 − 0.5.
_ROUNDED = Context(prec=50, Emax=10**9, Emin=-(10**9), traps=[])


def whole(digits: str) -> int | Decimal:
    """A whole number of any length; from 600 characters a Decimal, which is read in linear time."""
    return int(digits) if len(digits) <= _INT_CHARACTERS else Decimal(digits)


def fraction(digits: str) -> float | Decimal:
    """A number with a fraction or exponent: a float, or a Decimal if a float would change its digits.

    Raises ValueError if it is too large or too small for any reader.
    """
    value = float(digits)
    if len(digits) <= _SAFE_CHARACTERS and "e" not in digits and "E" not in digits:
        return value
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    try:
        written = Decimal(digits)
    except InvalidOperation:
        raise ValueError("a number is too small") from None
    return value if written == Decimal(repr(value)) else written


def exact(value: Number) -> int | Decimal:
    """The number as it is written. Equal numbers have equal hashes: 3 and 3.0, 1e23 and 10**23."""
    return Decimal(repr(value)) if isinstance(value, float) else value


def equal(left: Number, right: Number) -> bool:
    """Whether two numbers are the same decimal; two whole numbers differ if any digit differs."""
    return left == right if type(left) is type(right) else exact(left) == exact(right)


def within(expected: Number, got: Number, tolerance: float, relative_tolerance: float) -> bool:
    """Whether `got` differs from `expected` by at most the larger of an absolute and a relative tolerance."""
    wanted, found = Decimal(exact(expected)), Decimal(exact(got))
    share = _ROUNDED.multiply(Decimal(repr(relative_tolerance)), wanted.copy_abs())
    return _ROUNDED.subtract(wanted, found).copy_abs() <= max(Decimal(repr(tolerance)), share)
