"""Points and weights of Gauss–Legendre quadrature, each set computed once: it takes longer than using it."""

from functools import lru_cache

import numpy as np

from evaluation.stats.arrays import FloatArray


@lru_cache(maxsize=64)
def gauss_legendre(n: int) -> tuple[FloatArray, FloatArray]:
    """`n` points in (−1, 1) and their weights, which sum to 2; neither can be written to."""
    points, weights = np.polynomial.legendre.leggauss(n)
    points.flags.writeable = weights.flags.writeable = False
    return points, weights
