"""Position effect: whether reviewers favour a side of the screen, and whether that changes the result."""

from dataclasses import dataclass

import numpy as np

from evaluation.stats.clustered import clustered_intercept, clustered_mean
from evaluation.stats.estimate import Estimate
from evaluation.stats.ratings import Ratings


@dataclass(frozen=True)
class PositionResult:
    """`left_score` is the share preferring the left side, with ties as half; ½ means no position effect.

    `candidate_left_share` is the share of ratings with the candidate on the left. `adjusted` is the win score
    with the side as a covariate, as if the candidate had been on the left in exactly half of the ratings.
    """

    left_score: Estimate
    candidate_left_share: float | None
    adjusted: Estimate


def position_effect(ratings: Ratings) -> PositionResult:
    """Test the share preferring the left with the two-way clustered t, and adjust the win score for the side."""
    score = ratings.win_score
    side = np.where(ratings.candidate_left, 0.5, -0.5)
    return PositionResult(
        left_score=clustered_mean(np.where(side > 0, score, 1 - score), ratings.clusters),
        candidate_left_share=float(ratings.candidate_left.mean()) if len(ratings) else None,
        adjusted=clustered_intercept(score, side, ratings.clusters),
    )
