"""Measured values with their unit as text: a value, a difference of two, an interval, a relative change.

Units: share (0 to 1, shown as a percentage; differences in percentage points), ms, likeness, kinds, tokens, words,
points.
"""

from typing import Any

from ftplatform.text import numbers
from ftplatform.text.numbers import DASH

_FINE = ("likeness", "kinds")


def quantity(value: Any, unit: str) -> str:
    """One value: '76.0 %', '8.14 s', '0.83', '56.0'."""
    if unit == "share":
        return numbers.percent(value, 1)
    if unit == "ms":
        return numbers.milliseconds(value)
    return numbers.decimal(value, 2 if unit in _FINE else 1)


def difference(value: Any, unit: str) -> str:
    """A difference of two values, always with its sign: '+65.0 pp', '−3.79 s'."""
    if unit == "share":
        return numbers.points(value, 1)
    if unit == "ms":
        return _signed_milliseconds(value)
    return numbers.signed(value, 2 if unit in _FINE else 1)


def interval(low: Any, high: Any, unit: str) -> str:
    """An interval of a difference, or a dash if there is none."""
    if low is None or high is None:
        return DASH
    return f"{difference(low, unit)} to {difference(high, unit)}"


def relative_change(share: Any) -> str:
    """A relative change in percent, with one decimal below 10 %."""
    return DASH if share is None else numbers.signed_percent(share, 1 if abs(share) < 0.1 else 0)


def _signed_milliseconds(value: Any) -> str:
    text = numbers.signed(value, 1)
    if text == DASH or abs(float(value)) < 1000:
        return text if text == DASH else f"{text} ms"
    return f"{numbers.signed(float(value) / 1000, 2)} s"
