"""The remaining time of a job, as a range, estimated from its progress so far."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

_BLOCKS = 8


@dataclass(frozen=True)
class Forecast:
    """Seconds left: at the mean pace so far, and at the paces of the fastest and the slowest stretch."""

    seconds: float
    low: float | None
    high: float | None


class Pace:
    """The progress reports of one attempt. Time before the first report is warm-up and does not count.

    The range has no probability attached. Its ends are the time left if the rest runs at the pace of the fastest, or
    of the slowest, of up to eight equal stretches so far.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._marks: list[tuple[float, int]] = []
        self._total = 0

    def report(self, done: int, total: int) -> None:
        """Record that `done` of `total` steps are complete."""
        self._total = total
        if not self._marks or done > self._marks[-1][1]:
            self._marks.append((self._clock(), done))

    def forecast(self) -> Forecast | None:
        """The forecast, or None before the second report."""
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
    """Seconds per step between two marks."""
    return (end[0] - start[0]) / (end[1] - start[1])
