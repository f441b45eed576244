"""The win score if both responses were equally long. A sensitivity check, never the headline.

The regression on tanh of the standardised length difference follows Dubois, Galambosi, Liang & Hashimoto
(2024), Length-controlled AlpacaEval.
"""

import numpy as np

from evaluation.stats.arrays import FloatArray
from evaluation.stats.linearised import intercept
from evaluation.stats.means import Mean, mean_of
from evaluation.stats.ratings import Ratings

# The candidate's response must be the longer one, and the shorter one, in this share of the ratings. Otherwise "equal
# length" lies outside the data, and length cannot be told from the model.
LEAST_SHARE = 0.1


def length_adjusted_win_score(
    ratings: Ratings, baseline_length: FloatArray, candidate_length: FloatArray
) -> Mean | None:
    """The win score where both lengths (n,) are equal; None if it cannot be separated from the models.

    Lengths may be in any one unit. If all responses have the same length, this is the win score itself. Raises
    ValueError if lengths are not finite or differ in number from the ratings.
    """
    difference = candidate_length - baseline_length
    if difference.shape != ratings.outcome.shape or not np.isfinite(difference).all():
        raise ValueError("lengths must be finite and one per rating")
    spread = float(np.sqrt((difference * difference).mean())) if len(difference) else 0.0
    if spread == 0:
        return mean_of(ratings.win_score, ratings.clusters)
    if min((difference > 0).mean(), (difference < 0).mean()) < LEAST_SHARE:
        return None
    values = intercept(ratings.win_score, np.tanh(difference / spread), ratings.clusters.weights)
    return mean_of(values, ratings.clusters)
