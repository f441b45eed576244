"""How long a job still takes, as a range, from how it went so far."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

_BLOCKS = 8


@dataclass(frozen=True)
class Forecast:
    """Seconds left: at the mean pace so far, and at the paces of its fastest and its slowest stretch."""

    seconds: float
    low: float | None
    high: float | None


class Pace:
    """The reports of one attempt; what came before the first of them was warming up and does not count.

    The range has no probability attached. It says: if the rest went like the quickest, or like the slowest, of up
    to eight equal stretches so far.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._marks: list[tuple[float, int]] = []
        self._total = 0

    def report(self, done: int, total: int) -> None:
        """Say that so many of so many steps are done."""
        self._total = total
        if not self._marks or done > self._marks[-1][1]:
            self._marks.append((self._clock(), done))

    def forecast(self) -> Forecast | None:
        """None before two reports."""
        if len(self._marks) < 2:
            return None
        remaining = self._total - self._marks[-1][1]
        mean = _pace(self._marks[0], self._marks[-1])
        stretches = len(self._marks) - 1
        blocks = min(_BLOCKS, stretches // 2)
        if blocks < 2:
            return Forecast(mean * remaining, None, None)
        cuts = [self._marks[stretches * number // blocks] for number in range(blocks + 1)]
        paces = [_pace(start, end) for start, end in pairwise(cuts)]
        return Forecast(mean * remaining, min(paces) * remaining, max(paces) * remaining)


def _pace(start: tuple[float, int], end: tuple[float, int]) -> float:
    """Seconds a step between two marks."""
    return (end[0] - start[0]) / (end[1] - start[1])
