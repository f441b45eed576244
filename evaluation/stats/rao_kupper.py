"""A second model of ties, to check whether a ranking depends on Davidson's.

Rao & Kupper (1967), Ties in paired-comparison experiments, JASA 62: i is preferred with probability πi/(πi +
θπj), and a tie has the remaining probability. θ ≥ 1 is the threshold below which a difference is not noticed.
"""

import numpy as np
from scipy import optimize

from evaluation.stats.arrays import FloatArray
from evaluation.stats.davidson import Comparisons

# Lower bound for the logarithm of the threshold. At zero, ties are impossible.
_LEAST = 1e-9


def rao_kupper(data: Comparisons) -> tuple[FloatArray, float] | None:
    """Log-strengths (models,) that sum to zero, and θ, by maximum likelihood.

    None if the search does not converge, for example if a group of models never lost to the rest.
    """
    m = data.models
    pair = data.first * m + data.second
    won, tied, lost = (
        np.bincount(pair[data.score == score], minlength=m * m).reshape(m, m) for score in (1.0, 0.5, 0.0)
    )
    wins, ties = won + lost.T, np.triu(tied + tied.T)

    def negative(at: FloatArray) -> tuple[float, FloatArray]:
        strength, threshold = at[:m], max(float(at[m]), _LEAST)
        difference = strength[:, None] - strength[None, :]
        # log(1 + exp(θ − d)) for a win of row over column. A tie multiplies the probabilities of both sides
        # by θ² − 1.
        cost = np.logaddexp(0.0, threshold - difference)
        chance = np.exp(threshold - difference - cost)
        number = wins + ties + ties.T
        gap = float(np.log(np.expm1(2 * threshold)))
        value = float((number * cost).sum()) - float(ties.sum()) * gap
        by_difference = -number * chance
        slope = by_difference.sum(1) - by_difference.sum(0)
        by_threshold = float((number * chance).sum()) - float(ties.sum()) * 2 / -np.expm1(-2 * threshold)
        return value, np.append(slope, by_threshold)

    start = np.append(np.zeros(m), 0.5)
    bounds = [(-30.0, 30.0)] * m + [(_LEAST, 30.0)]
    found = optimize.minimize(
        negative, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-14}
    )
    if not found.success or np.abs(found.x[:m]).max() > 29:
        return None
    return found.x[:m] - found.x[:m].mean(), float(np.exp(found.x[m]))
