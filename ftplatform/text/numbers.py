"""Numbers, durations and sizes as text. A missing or non-finite value is a dash, never 'None'."""

import math
from collections.abc import Callable
from datetime import timedelta
from typing import Any

DASH = "–"
# Keeps a number and its unit on one line.
_NBSP = "\N{NO-BREAK SPACE}"


def _finite(value: Any) -> float | None:
    """The value as a float, or None if it is not a finite number."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _digits(number: float, digits: int, *, sign: str = "") -> str:
    text = f"{number:{sign},.{digits}f}"
    if not text.strip("+-0.,"):
        text = text.lstrip("+-")
    return text.replace("-", "−")


def count(value: Any) -> str:
    """A whole number with thousands separators."""
    number = _finite(value)
    return DASH if number is None else _digits(number, 0)


def decimal(value: Any, digits: int = 2) -> str:
    number = _finite(value)
    return DASH if number is None else _digits(number, digits)


def signed(value: Any, digits: int = 2) -> str:
    """A difference, always with its sign."""
    number = _finite(value)
    return DASH if number is None else _digits(number, digits, sign="+")


def percent(share: Any, digits: int = 0) -> str:
    """A share (0 to 1) as a percentage."""
    number = _finite(share)
    return DASH if number is None else f"{_digits(100 * number, digits)}{_NBSP}%"


def signed_percent(share: Any, digits: int = 0) -> str:
    """A relative change as a percentage with its sign."""
    number = _finite(share)
    return DASH if number is None else f"{_digits(100 * number, digits, sign='+')}{_NBSP}%"


def points(share: Any, digits: int = 1) -> str:
    """A difference of two shares in percentage points."""
    number = _finite(share)
    return DASH if number is None else f"{_digits(100 * number, digits, sign='+')}{_NBSP}pp"


def hundred(share: Any, digits: int = 0) -> str:
    """A share (0 to 1) as a number out of 100, for the win score."""
    number = _finite(share)
    return DASH if number is None else _digits(100 * number, digits)


def p_value(value: Any) -> str:
    number = _finite(value)
    if number is None:
        return DASH
    return "< 0.001" if number < 0.001 else f"{number:.3f}"


def figure(value: Any, digits: int = 4) -> str:
    """A measured number of any magnitude, to `digits` significant digits: 0.0002, 1.274, 12,400."""
    number = _finite(value)
    if number is None:
        return DASH
    if number and abs(number) < 1e-4:
        return f"{number:.{min(digits, 3)}g}".replace("e-0", "e-").replace("-", "−")
    return (
        _digits(number, 0)
        if abs(number) >= 10 ** min(digits, 3)
        else f"{number:.{digits}g}".replace("-", "−")
    )


def span(low: Any, high: Any, form: Callable[[Any], str]) -> str:
    """Two bounds as a range that names the unit once: "79.1 to 92.4 %". A dash unless both are numbers."""
    first, last = form(low), form(high)
    if DASH in (first, last):
        return DASH
    _, sign, unit = last.partition(_NBSP)
    return f"{first.removesuffix(sign + unit)} to {last}"


def change_from(value: Any, base: Any) -> float | None:
    """The change from `base` to `value` as a share of `base`."""
    new, old = _finite(value), _finite(base)
    return None if new is None or not old else new / old - 1


def per(value: Any, size: Any) -> float | None:
    total, parts = _finite(value), _finite(size)
    return None if total is None or not parts else total / parts


def minus(value: Any, other: Any) -> float | None:
    a, b = _finite(value), _finite(other)
    return None if a is None or b is None else a - b


def duration(value: Any) -> str:
    """Seconds or a timedelta as '42 s', '4 min 10 s' or '2 h 5 min'."""
    number = value.total_seconds() if isinstance(value, timedelta) else _finite(value)
    if number is None:
        return DASH
    if 0 < number < 1:
        return "under 1 s"
    seconds = round(number)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"


def roughly(value: Any) -> str:
    """An estimated time in seconds, rounded to whole minutes."""
    number = _finite(value)
    if number is None:
        return DASH
    if number < 60:
        return "less than a minute"
    minutes = round(number / 60)
    return f"about {minutes} min" if minutes < 60 else f"about {minutes // 60} h {minutes % 60} min"


def time_left(job: Any) -> str:
    """The time that a running job still needs, with its range if the worker has one."""
    if job.seconds_left is None:
        return ""
    low, high = _finite(job.seconds_left_low), _finite(job.seconds_left_high)
    text = f"{roughly(job.seconds_left)} left"
    if low is None or high is None or roughly(low) == roughly(high):
        return text
    return f"{text} ({between(low, high)})"


def between(low: Any, high: Any) -> str:
    """Two durations in seconds as a range: '3 to 6 min'."""
    first, last = duration(_coarse(low)), duration(_coarse(high))
    if first == last:
        return first
    number, _, unit = first.partition(" ")
    return f"{number} to {last}" if last.endswith(unit) and last.count(" ") == 1 else f"{first} to {last}"


def _coarse(value: Any) -> float | None:
    """A duration rounded to the precision of an estimate."""
    seconds = _finite(value)
    if seconds is None:
        return None
    for unit in (1, 5, 60, 600):
        if seconds < 30 * unit or unit == 600:
            return max(1, round(seconds / unit)) * unit
    return seconds


def memory(value: Any) -> str:
    """Bytes as GB (powers of ten), as memory is sold."""
    size = _finite(value)
    if size is None:
        return DASH
    return f"{size / 1e9:.1f} GB" if size < 1e11 else f"{size / 1e9:.0f} GB"


def milliseconds(value: Any) -> str:
    """A latency: milliseconds below one second, seconds above."""
    number = _finite(value)
    if number is None:
        return DASH
    if number >= 1000:
        return f"{_digits(number / 1000, 1 if number >= 100_000 else 2)} s"
    return f"{_digits(number, 1 if number < 100 else 0)} ms"
