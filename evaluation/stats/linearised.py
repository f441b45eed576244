"""Linearised statistics: one value per rating whose weighted mean is the statistic.

The weighted mean of these values is the statistic, and their differences from it are its influence values (delta
method). Every statistic can therefore use the inference of a mean.
"""

import math

from evaluation.stats.arrays import FloatArray

# Below this, a weighted spread is rounding error.
_ROUNDING = 1e-24


def log_ratio(numerator: FloatArray, denominator: FloatArray, weights: FloatArray) -> FloatArray:
    """Values (n,) whose mean is the log of the ratio of two weighted means, both of which must be positive."""
    above, below = float(weights @ numerator), float(weights @ denominator)
    return math.log(above / below) + numerator / above - denominator / below


def intercept(values: FloatArray, covariate: FloatArray, weights: FloatArray) -> FloatArray:
    """Values (n,) whose mean is the weighted least-squares fit of `values` (n,) where `covariate` (n,) is zero.

    With a constant covariate there is nothing to adjust for, and these are the values themselves.
    """
    centre = float(weights @ covariate)
    deviation = covariate - centre
    spread = float(weights @ (deviation * deviation))
    if spread <= _ROUNDING:
        return values
    slope = float(weights @ (deviation * values)) / spread
    fitted = float(weights @ values) - slope * centre
    residual = values - fitted - slope * covariate
    return fitted + residual * (1 - centre * deviation / spread)
