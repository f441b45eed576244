"""The headline inference: the wider of the two-way clustered and the mixed-model interval, around one mean.

Chosen by simulation (benchmarks/stats_calibration.py, 2,000 replicates of seven scenarios): the plain clustered form
errs in up to 8.6 % and the jackknife form alone in up to 6.2 %; the wider of both stays at or under 5.1 % everywhere
and keeps 94 to 97 % of the mixed model's power.
"""

from dataclasses import dataclass

from evaluation.stats.clustered import clustered_mean
from evaluation.stats.estimate import Estimate, Interval
from evaluation.stats.mixed import MixedMean, mixed_mean
from evaluation.stats.ratings import FloatArray, IntArray

# The mixed model factors a matrix of the smaller factor's size about fifty times. With this many levels
# in both factors the clustered form has all the clusters its large-sample theory needs, and stands alone.
MIXED_MODEL_LEVELS = 400


@dataclass(frozen=True)
class Headline:
    """One mean with both of its inferences. `mixed` is None where the model was not fitted."""

    clustered: Estimate
    mixed: MixedMean | None

    @property
    def value(self) -> float | None:
        return self.clustered.value

    @property
    def problem(self) -> str | None:
        return self.clustered.problem

    @property
    def se(self) -> float | None:
        """The larger of the standard errors; None where none exists."""
        return max((e.se for e in self._parts() if e.se is not None), default=None)

    def interval(self, level: float = 0.95) -> Interval | None:
        """The wider of the two intervals at confidence `level`; None where no standard error exists."""
        found = [e.interval(level) for e in self._parts()]
        known = [interval for interval in found if interval is not None]
        return max(known, key=lambda i: i.high - i.low) if known else None

    def p_value(self, null: float = 0.0) -> float | None:
        """The larger of the two p-values; None where no standard error exists."""
        known = [p for p in (e.p_value(null) for e in self._parts()) if p is not None]
        return max(known) if known else None

    def _parts(self) -> list[Estimate]:
        if self.clustered.se is None or self.mixed is None:
            return [self.clustered]
        return [self.clustered, self.mixed.weighted]


def headline_mean(values: FloatArray, prompt: IntArray, reviewer: IntArray, weights: FloatArray) -> Headline:
    """Mean of `values` (n,) with `weights` (n,) summing to 1. Raises ValueError as `clustered_mean` does."""
    clustered = clustered_mean(values, prompt, reviewer, weights=weights)
    smaller = min(clustered.n_prompts, clustered.n_reviewers)
    if clustered.se is None or smaller > MIXED_MODEL_LEVELS:
        return Headline(clustered, None)
    return Headline(clustered, mixed_mean(values, prompt, reviewer, weights))
