"""The win score if both responses were equally long. A sensitivity check, never the headline.

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
    """The win score where both lengths (n,) are equal. Lengths may be in any one unit.

    If the length difference does not vary, there is nothing to adjust for, and the win score itself is
    returned. Raises ValueError if lengths are not finite or differ in number from the ratings.
    """
    difference = candidate_length - baseline_length
    if difference.shape != ratings.outcome.shape or not np.isfinite(difference).all():
        raise ValueError("lengths must be finite and one per rating")
    spread = float(difference.std()) if len(difference) else 0.0
    covariate = np.tanh(difference / spread) if spread > 0 else np.zeros(len(difference))
    return clustered_intercept(ratings.win_score, covariate, ratings.clusters)
