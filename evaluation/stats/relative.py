"""Relative change of a mean: ratio of the candidate's to the baseline's mean, minus 1, for scales with a true zero."""

import math
from dataclasses import dataclass

from evaluation.stats.arrays import FloatArray
from evaluation.stats.clusters import Clusters
from evaluation.stats.estimate import Interval
from evaluation.stats.linearised import log_ratio
from evaluation.stats.means import POINTS, Mean, mean_of


@dataclass(frozen=True)
class RelativeChange:
    """`log` is the log of the ratio of the means; None if one of them is not positive."""

    log: Mean | None

    @property
    def value(self) -> float | None:
        """Change as a share of the baseline's mean; None without a ratio."""
        return None if self.log is None or self.log.value is None else math.expm1(self.log.value)

    def interval(self, level: float = 0.95) -> Interval | None:
        """Interval of the change. Symmetric for the log ratio, so it never goes below −1."""
        found = None if self.log is None or self.log.headline.se is None else self.log.interval(level)
        return None if found is None else Interval(_change(found.low), _change(found.high))


def relative_change(baseline: FloatArray, candidate: FloatArray, clusters: Clusters) -> RelativeChange:
    """Relative change of the weighted mean from `baseline` (n,) to `candidate` (n,), none of them negative."""
    means = [float(clusters.weights @ side) if len(side) else 0.0 for side in (baseline, candidate)]
    if min(means) <= 0:
        return RelativeChange(None)
    return RelativeChange(mean_of(log_ratio(candidate, baseline, clusters.weights), clusters, POINTS))


def _change(log: float) -> float:
    return math.expm1(min(log, 700.0))
