"""Scored criteria: the mean within-reviewer difference, and the relative change of the baseline's mean."""

from dataclasses import dataclass

import numpy as np

from evaluation.stats.clustered import clustered_ratio
from evaluation.stats.estimate import Estimate, Interval
from evaluation.stats.headline import Headline, headline_mean
from evaluation.stats.ratings import Ratings


@dataclass(frozen=True)
class CriterionResult:
    """Difference candidate − baseline in points. `ratio` is candidate mean / baseline mean.

    Only ratings that score both sides count; `n_missing` is the number of the others. Means are None if no
    rating counts.
    """

    name: str
    difference: Headline
    ratio: Estimate
    baseline_mean: float | None
    candidate_mean: float | None
    n_missing: int

    @property
    def relative_change(self) -> float | None:
        """Change of the mean as a share of the baseline's mean."""
        return None if self.ratio.value is None else self.ratio.value - 1

    def relative_interval(self, level: float = 0.95) -> Interval | None:
        found = self.ratio.interval(level)
        return found.shifted(-1) if found else None


def criterion_difference(ratings: Ratings, name: str) -> CriterionResult:
    """Inference for criterion `name`. Raises KeyError when the ratings do not have it."""
    baseline, candidate = ratings.criteria[name]
    scored = np.isfinite(baseline) & np.isfinite(candidate)
    clusters = ratings.clusters_where(scored)
    before, after = baseline[scored], candidate[scored]
    return CriterionResult(
        name=name,
        difference=headline_mean(after - before, clusters),
        ratio=clustered_ratio(after, before, clusters),
        baseline_mean=float(clusters.weights @ before) if len(before) else None,
        candidate_mean=float(clusters.weights @ after) if len(after) else None,
        n_missing=int(len(ratings) - scored.sum()),
    )
