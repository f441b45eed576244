"""Means of ratings with intervals that stay valid up to the ends of a scale and for values that are all alike.

A symmetric interval fails near an end of the scale: it is too short on its inner side, it can leave the scale, and
values that are all alike have no interval at all. Two rules prevent this.

1. **Log odds.** On a scale with known ends, interval and test use the log odds of the mean's place on the scale, with
   the standard error of the clustered and mixed-model variances by the delta method. Source: Korn & Graubard (1998),
   Confidence intervals for proportions with small expected number of positive counts, Survey Methodology 24. Its
   coverage is printed by `benchmarks.stats_calibration`.
2. **Added ratings.** Nearly constant values say little about their own variation. One rating on each side is added: at
   each end of the scale, or one unit away on a scale without ends. It counts as one independent rating under the
   clustering that planning assumes for experts (`power.EXPERTS`). The addition shrinks as 1/(1 + n·variance)², so a few
   ratings that differ replace it by what was observed.
"""

import math
from dataclasses import dataclass
from functools import cached_property

from scipy import special, stats

from evaluation.stats.arrays import FloatArray
from evaluation.stats.clusters import Clusters
from evaluation.stats.estimate import Interval
from evaluation.stats.headline import MIXED_MODEL_LEVELS, Headline, headline_mean
from evaluation.stats.power import EXPERTS

# The largest |log odds| that a p-value or an interval needs.
_MOST_ODDS = 700.0


@dataclass(frozen=True)
class Scale:
    """A scale from `low` to `high`, or one without ends (`low` 0, `high` 1, not `ends`) whose unit is 1."""

    low: float = 0.0
    high: float = 1.0
    ends: bool = True

    @property
    def span(self) -> float:
        return self.high - self.low


SHARES = Scale()
DIFFERENCES_OF_SHARES = Scale(-1.0, 1.0)
POINTS = Scale(ends=False)


@dataclass(frozen=True)
class Added:
    """The ratings added on each side: `number` of them, with standard error `se` in spans of the scale, and `df`.

    `n` is 1/Σw² of the ratings that were given.
    """

    n: float
    number: float
    se: float
    df: float

    def half_width(self, p: float) -> float:
        return self.se * float(stats.t.isf(p / 2, self.df))

    def p_value(self, distance: float) -> float:
        return float(2 * special.stdtr(self.df, -distance / self.se))


@dataclass(frozen=True)
class Mean:
    """A weighted mean on `scale` with its inference.

    `place` is the mean's place on the scale, in spans from its low end. It and `added` are None without values.
    `constant` means that all values are the same.
    """

    headline: Headline
    scale: Scale
    place: float | None
    constant: bool
    added: Added | None

    @property
    def value(self) -> float | None:
        return None if self.place is None else self.scale.low + self.scale.span * self.place

    @property
    def problem(self) -> str | None:
        """Why there is no test; None if there is one."""
        clustered = self.headline.clustered
        return None if min(clustered.n_prompts, clustered.n_reviewers) > 1 else self.headline.problem

    @property
    def se(self) -> float | None:
        """Standard error in the unit of the values, at least that of the added ratings; None without a test."""
        if self.problem or self.added is None:
            return None
        return max(self.headline.se or 0.0, self.scale.span * self.added.se)

    @property
    def is_assumed(self) -> bool:
        """Whether the added ratings, and not the variation of the values, determine the 95 % interval."""
        return self.added is not None and self.added.half_width(0.05) > self._measured_half_width(0.05)

    def interval(self, level: float = 0.95) -> Interval | None:
        """Interval at confidence `level`, inside a scale with ends; None without values.

        With one prompt or one reviewer, it rests on the assumed clustering alone. Raises ValueError unless `level`
        lies between 0 and 1.
        """
        if not 0 < level < 1:
            raise ValueError("level must lie strictly between 0 and 1")
        if self.place is None or self.added is None:
            return None
        half = max(self._measured_half_width(1 - level), self.added.half_width(1 - level))
        low, high = (self._moved(side * half) for side in (-1, 1))
        # With few values, the added ratings can move the interval past the estimate.
        low, high = min(low, self.place), max(high, self.place)
        return Interval(self.scale.low + self.scale.span * low, self.scale.low + self.scale.span * high)

    def p_value(self, null: float = 0.0) -> float | None:
        """Two-sided p-value of H0: mean = `null`, which must lie inside the scale; None without a test.

        It is the level at which `null` is an end of the interval.
        """
        if self.place is None or self.added is None or self.problem:
            return None
        distance = self._distance((null - self.scale.low) / self.scale.span)
        measured = self.headline.p_value_at(distance * self.scale.span) if self.headline.se else None
        return max(measured or 0.0, self.added.p_value(distance))

    def chance_above(self, value: float) -> float | None:
        """Chance that the mean is above `value` if all means were equally likely beforehand; None without a test.

        It belongs to the one-sided p-value: the tail of the same t distribution.
        """
        p = self.p_value(value)
        if p is None or self.value is None:
            return None
        return 1 - p / 2 if self.value > value else p / 2

    def log_odds(self, bound: float) -> tuple[float, float] | None:
        """The log odds of the mean's place and their standard error; None without a test or on a scale without ends.

        The standard error is that of a normal distribution with the same half-width at `bound` standard errors.
        """
        if not self.scale.ends or self.place is None or self.added is None or self.problem:
            return None
        p = float(2 * stats.norm.sf(bound))
        half = max(self._measured_half_width(p), self.added.half_width(p)) / self._slope
        return float(special.logit(self._centre)), half / bound

    def _measured_half_width(self, p: float) -> float:
        return self.headline.half_width(p) / self.scale.span if self.headline.se else 0.0

    def _moved(self, distance: float) -> float:
        """The place at `distance` from the mean."""
        if not self.scale.ends:
            return self._centre + distance
        odds = float(special.logit(self._centre)) + distance / self._slope
        return float(special.expit(max(-_MOST_ODDS, min(odds, _MOST_ODDS))))

    def _distance(self, place: float) -> float:
        if not self.scale.ends:
            return abs(self._centre - place)
        return abs(float(special.logit(self._centre) - special.logit(place))) * self._slope

    @cached_property
    def _centre(self) -> float:
        """The mean's place; on a scale with ends, with the added ratings, so that it is never at an end."""
        if self.place is None or self.added is None:
            return math.nan
        if not self.scale.ends:
            return self.place
        return (self.added.n * self.place + self.added.number) / (self.added.n + 2 * self.added.number)

    @property
    def _slope(self) -> float:
        """Change of the place per unit of log odds at the centre."""
        return self._centre * (1 - self._centre)


def mean_of(
    values: FloatArray, clusters: Clusters, scale: Scale = SHARES, *, model_levels: int = MIXED_MODEL_LEVELS
) -> Mean:
    """Weighted mean of `values` (n,) on `scale`. Raises ValueError as `headline_mean` does."""
    headline = headline_mean(values, clusters, model_levels=model_levels)
    if not len(values):
        return Mean(headline, scale, None, False, None)
    places = (values - scale.low) / scale.span
    constant = bool((places == places[0]).all())
    # The weighted mean of equal values can differ from them by rounding.
    place = float(places[0]) if constant else float(clusters.weights @ places)
    if scale.ends:
        place = min(max(place, 0.0), 1.0)
    spread = float(clusters.weights @ (places - place) ** 2)
    return Mean(headline, scale, place, constant, _added(clusters, place, spread))


def _added(clusters: Clusters, place: float, variance: float) -> Added:
    factors = clusters.by_prompt, clusters.by_reviewer
    squares = [float(w @ w) for w in (factors[0].shares, factors[1].shares, clusters.weights)]
    shares = EXPERTS.prompt_share, EXPERTS.reviewer_share, 1 - EXPERTS.prompt_share - EXPERTS.reviewer_share
    n, independent = (
        1 / squares[2],
        1 / sum(share * square for share, square in zip(shares, squares, strict=True)),
    )
    number = n / independent / (1 + n * variance) ** 2
    if min(factor.levels for factor in factors) < 2:
        # Nothing was measured, so the assumption covers the whole variance, with the fewest degrees of freedom.
        centre = min(max((n * place + number) / (n + 2 * number), 0.01), 0.99)
        return Added(n, number, math.sqrt(centre * (1 - centre) / independent), 1.0)
    df = max(min(factor.effective_df for factor in factors), 1.0)
    return Added(n, number, math.sqrt(number / n / independent), df)
