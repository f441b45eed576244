"""Yes/no outcomes: shares of "yes", their difference, and the relative change."""

from dataclasses import dataclass

import numpy as np

from evaluation.stats.means import DIFFERENCES_OF_SHARES, Mean, mean_of
from evaluation.stats.ratings import Ratings
from evaluation.stats.relative import RelativeChange, relative_change


@dataclass(frozen=True)
class ProportionResult:
    """Share of "yes", candidate − baseline (−1 … 1), and the two shares.

    Only ratings with answers for both sides count; `n_missing` is the number of the others.
    """

    name: str
    difference: Mean
    baseline: Mean
    candidate: Mean
    relative: RelativeChange
    n_missing: int


def proportion_difference(ratings: Ratings, name: str) -> ProportionResult:
    """Inference for the yes/no outcome `name`. Raises KeyError when the ratings do not have it."""
    baseline, candidate = ratings.yes_no[name]
    answered = np.isfinite(baseline) & np.isfinite(candidate)
    clusters = ratings.clusters_where(answered)
    before, after = baseline[answered], candidate[answered]
    return ProportionResult(
        name=name,
        difference=mean_of(after - before, clusters, DIFFERENCES_OF_SHARES),
        baseline=mean_of(before, clusters),
        candidate=mean_of(after, clusters),
        relative=relative_change(before, after, clusters),
        n_missing=int(len(ratings) - answered.sum()),
    )
