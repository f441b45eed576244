"""Scored criteria: the mean within-reviewer difference, and the relative change of the baseline's mean."""

from dataclasses import dataclass

import numpy as np

from evaluation.stats.means import POINTS, Mean, mean_of
from evaluation.stats.ratings import Ratings
from evaluation.stats.relative import RelativeChange, relative_change


@dataclass(frozen=True)
class CriterionResult:
    """Difference candidate − baseline in points, and the relative change on a scale that starts at zero.

    Only ratings that score both sides count; `n_missing` is the number of the others. Means are None if no
    rating counts.
    """

    name: str
    difference: Mean
    relative: RelativeChange
    baseline_mean: float | None
    candidate_mean: float | None
    n_missing: int


def criterion_difference(ratings: Ratings, name: str) -> CriterionResult:
    """Inference for criterion `name`. Raises KeyError when the ratings do not have it."""
    baseline, candidate = ratings.criteria[name]
    scored = np.isfinite(baseline) & np.isfinite(candidate)
    clusters = ratings.clusters_where(scored)
    before, after = baseline[scored], candidate[scored]
    from_zero = name in ratings.from_zero
    return CriterionResult(
        name=name,
        difference=mean_of(after - before, clusters, POINTS),
        relative=relative_change(before, after, clusters) if from_zero else RelativeChange(None),
        baseline_mean=float(clusters.weights @ before) if len(before) else None,
        candidate_mean=float(clusters.weights @ after) if len(after) else None,
        n_missing=int(len(ratings) - scored.sum()),
    )
