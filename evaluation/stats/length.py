"""Would the verdict stand if both responses had been equally long? A sensitivity check, never the headline.

The regression on tanh of the standardised length difference follows Dubois, Galambosi, Liang & Hashimoto
(2024), Length-controlled AlpacaEval.
"""

import numpy as np

from evaluation.stats.arrays import FloatArray
from evaluation.stats.clustered import clustered_intercept
from evaluation.stats.estimate import Estimate
from evaluation.stats.ratings import Ratings


def length_adjusted_win_score(
    ratings: Ratings, baseline_length: FloatArray, candidate_length: FloatArray
) -> Estimate:
    """The win score where both lengths (n,), in any one unit, are equal.

    Where the difference of lengths never varies there is nothing to adjust with, and the win score itself is
    returned. Raises ValueError when lengths are not finite or do not fit the ratings.
    """
    difference = candidate_length - baseline_length
    if difference.shape != ratings.outcome.shape or not np.isfinite(difference).all():
        raise ValueError("lengths must be finite and one per rating")
    spread = float(difference.std()) if len(difference) else 0.0
    covariate = np.tanh(difference / spread) if spread > 0 else np.zeros(len(difference))
    return clustered_intercept(ratings.win_score, covariate, ratings.clusters)
