"""Partial pooling: estimates of parts, shrunken towards their common mean as far as chance explains their differences.

The part effects are a sample from a normal distribution with variance τ². τ² is Paule & Mandel's (1982) estimate, J.
Research of the National Bureau of Standards 87; interval ends are those of the empirical Bayes estimator with the
common mean's own uncertainty (Morris 1983, JASA 78).
"""

import math

import numpy as np
from scipy import optimize, stats

from evaluation.stats.arrays import FloatArray
from evaluation.stats.estimate import Interval

# With fewer parts, their spread cannot be estimated.
FEWEST_PARTS = 3


def pooled(
    estimates: FloatArray, errors: FloatArray, level: float = 0.95
) -> list[tuple[float, Interval]] | None:
    """Shrunken estimate and interval of each part, from `estimates` (k,) with standard `errors` (k,) > 0.

    None for fewer than FEWEST_PARTS parts.
    """
    if len(estimates) < FEWEST_PARTS:
        return None
    variances = errors**2
    between = _between(estimates, variances)
    weights = 1 / (variances + between)
    common = float(weights @ estimates / weights.sum())
    kept = between / (variances + between)
    values = common + kept * (estimates - common)
    spread = np.sqrt(kept * variances + (1 - kept) ** 2 / weights.sum())
    reach = float(stats.norm.isf((1 - level) / 2)) * spread
    return [(float(v), Interval(float(v - r), float(v + r))) for v, r in zip(values, reach, strict=True)]


def _between(estimates: FloatArray, variances: FloatArray) -> float:
    """τ², at which the weighted sum of squares equals its expectation k − 1; 0 if chance explains the spread."""

    def excess(between: float) -> float:
        weights = 1 / (variances + between)
        common = weights @ estimates / weights.sum()
        return float(weights @ (estimates - common) ** 2) - (len(estimates) - 1)

    if excess(0.0) <= 0:
        return 0.0
    most = float(np.ptp(estimates)) ** 2 + float(variances.max())
    return float(optimize.brentq(excess, 0.0, most * math.sqrt(len(estimates))))
