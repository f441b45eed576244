"""The common form of an inferential result: a number, its standard error and its t distribution."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from scipy import special, stats

_LEVEL_RANGE = "level must lie strictly between 0 and 1"
Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
JsonObject = Mapping[str, Json]


@dataclass(frozen=True)
class Interval:
    """A two-sided interval, in the unit of the estimate it belongs to."""

    low: float
    high: float

    def clipped(self, low: float, high: float) -> "Interval":
        """The part inside [low, high]. Cutting off impossible values keeps the coverage."""
        return Interval(min(max(self.low, low), high), max(min(self.high, high), low))


class Inference(Protocol):
    """What a decision needs from an inference, whatever its method."""

    @property
    def value(self) -> float | None: ...

    @property
    def problem(self) -> str | None: ...

    def interval(self, level: float = 0.95) -> Interval | None: ...

    def p_value(self, null: float = 0.0) -> float | None: ...


@dataclass(frozen=True)
class Estimate:
    """An estimate with a t reference distribution.

    If the data have no information about the error (no data, one prompt, one reviewer, no variation), `se`
    and `df` are None and `problem` gives the reason.
    """

    value: float | None
    se: float | None
    df: float | None
    n_ratings: int
    n_prompts: int
    n_reviewers: int
    problem: str | None = None

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Numbers of ratings, prompts and reviewers."""
        return self.n_ratings, self.n_prompts, self.n_reviewers

    def interval(self, level: float = 0.95) -> Interval | None:
        """Two-sided t interval at confidence `level`; None without a standard error.

        Raises ValueError unless `level` lies between 0 and 1.
        """
        if not 0 < level < 1:
            raise ValueError(_LEVEL_RANGE)
        if self.value is None or self.se is None or self.df is None:
            return None
        half = self.half_width(1 - level)
        if not math.isfinite(half):
            return None
        return Interval(self.value - half, self.value + half)

    def half_width(self, p: float) -> float:
        """Distance from the estimate at which a value has the two-sided p-value `p`; infinite without a
        standard error.
        """
        if self.se is None or self.df is None:
            return math.inf
        return (
            float(special.stdtrit(self.df, 1 - p / 2) if p > 1e-8 else stats.t.isf(p / 2, self.df)) * self.se
        )

    def p_value(self, null: float = 0.0) -> float | None:
        """Two-sided p-value of H0: quantity = `null`; None without a standard error."""
        if self.value is None or self.se is None or self.df is None:
            return None
        return float(2 * special.stdtr(self.df, -abs(self.value - null) / self.se))
