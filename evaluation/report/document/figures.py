"""Figures of each kind: the number, its unit and the text that every output prints."""

import math
from collections.abc import Callable, Iterable
from functools import partial

from evaluation.report.document.model import Column, Figure, RowGroup, Table, Unit
from ftplatform.text import numbers
from ftplatform.text.values import words


def share(
    value: float | None, low: float | None = None, high: float | None = None, digits: int = 1
) -> Figure:
    """A share (0 to 1), such as the win score, as a percentage."""
    return _figure("share", value, low, high, partial(numbers.percent, digits=digits))


def points(value: float | None, low: float | None = None, high: float | None = None) -> Figure:
    """A difference of two shares, in percentage points."""
    return _figure("points", value, low, high, numbers.points)


def scale(value: float | None, low: float | None = None, high: float | None = None) -> Figure:
    """A difference on a rating scale, in points of the scale."""
    return _figure("scale", value, low, high, numbers.signed)


def change(value: float | None, low: float | None = None, high: float | None = None) -> Figure:
    """A change relative to the baseline, as a percentage."""
    return _figure("change", value, low, high, numbers.signed_percent)


def number(
    value: float | None, low: float | None = None, high: float | None = None, digits: int = 2
) -> Figure:
    return _figure("number", value, low, high, partial(numbers.decimal, digits=digits))


def signed(value: float | None, low: float | None = None, high: float | None = None) -> Figure:
    """An effect size, without a unit and always with its sign."""
    return _figure("number", value, low, high, numbers.signed)


def measured(value: float | None, digits: int = 4) -> Figure:
    """A number of unknown magnitude, rounded to `digits` significant digits."""
    return _figure("number", value, None, None, partial(numbers.figure, digits=digits))


def count(value: int | None) -> Figure:
    return _figure("count", value, None, None, numbers.count)


def p(value: float | None, note: str = "") -> Figure:
    return Figure(numbers.p_value(value), "p", _known(value), note=note)


def text(value: str, note: str = "") -> Figure:
    return Figure(value or numbers.DASH, note=note)


def label(name: object) -> str:
    """Turn a stored key into a row heading."""
    display = words(name)
    return display[:1].upper() + display[1:]


def plural(number: int, noun: str) -> str:
    """`number` and `noun`, with a plural s unless the number is 1."""
    return f"{numbers.count(number)} {noun}{'' if number == 1 else 's'}"


def table(title: str, columns: Iterable[Column | str], rows: Iterable[tuple[Figure, ...]]) -> Table:
    """A table with one row group. A column given as a string is numeric."""
    described = tuple(one if isinstance(one, Column) else Column(one) for one in columns)
    return Table(title, described, (RowGroup("", tuple(rows)),))


def _figure(
    unit: Unit, value: float | None, low: float | None, high: float | None, form: Callable[[object], str]
) -> Figure:
    low, high = _known(low), _known(high)
    interval = "" if low is None or high is None else numbers.span(low, high, form)
    return Figure(form(value), unit, _known(value), interval, low, high)


def _known(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
