"""Position effect: whether reviewers favour a side of the screen, and whether that changes the result."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from evaluation.stats.linearised import intercept
from evaluation.stats.means import Mean, mean_of
from evaluation.stats.ratings import Ratings

# Each side must have this share of the ratings; with fewer, the side cannot be told from the model.
LEAST_SHARE = 0.1


@dataclass(frozen=True)
class PositionResult:
    """`left_score` is the share that would prefer the left side if the models were equal, with ties as half; ½ means
    no position effect.

    `adjusted` is the win score with the candidate on the left in exactly half of the ratings. Both are fitted
    together, so a better model does not look like a preferred side. They are None where one side has less than
    LEAST_SHARE of the ratings. `candidate_left_share` is None without ratings; `balance_p_value` is the exact test
    that the candidate was on the left with probability ½ in each rating.
    """

    left_score: Mean | None
    adjusted: Mean | None
    candidate_left_share: float | None
    balance_p_value: float | None


def position_effect(ratings: Ratings) -> PositionResult | None:
    """The position effect; None if the sides are unknown."""
    if not ratings.sides_known:
        return None
    n, on_left = len(ratings), int(ratings.candidate_left.sum())
    if not n:
        return PositionResult(None, None, None, None)
    balance = float(stats.binomtest(on_left, n).pvalue)
    share = on_left / n
    if min(share, 1 - share) < LEAST_SHARE:
        return PositionResult(None, None, share, balance)
    clusters, score = ratings.clusters, ratings.win_score
    # Score of the left side: ½ + the effect of the side, where the model's effect is the covariate.
    side = np.where(ratings.candidate_left, 1.0, -1.0)
    left = intercept(np.where(ratings.candidate_left, score, 1 - score), side, clusters.weights)
    adjusted = intercept(score, side, clusters.weights)
    return PositionResult(mean_of(left, clusters), mean_of(adjusted, clusters), share, balance)
