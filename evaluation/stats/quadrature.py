"""Points and weights of Gauss–Legendre quadrature. Each set is cached, because computing it is slow."""

from functools import lru_cache

import numpy as np

from evaluation.stats.arrays import FloatArray


@lru_cache(maxsize=64)
def gauss_legendre(n: int) -> tuple[FloatArray, FloatArray]:
    """`n` points in (−1, 1) and their weights, which sum to 2. Both arrays are read-only."""
    points, weights = np.polynomial.legendre.leggauss(n)
    points.flags.writeable = weights.flags.writeable = False
    return points, weights
