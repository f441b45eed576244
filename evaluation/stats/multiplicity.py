"""Adjusted p-values for several tests at once."""

import numpy as np
import numpy.typing as npt

from evaluation.stats.arrays import FloatArray


def holm(p_values: FloatArray) -> FloatArray:
    """Holm's step-down adjusted p-values (m,), which control the probability of any false claim.

    Source: Holm (1979), Scand. J. Statistics 6. Raises ValueError for values outside [0, 1].
    """
    _check(p_values)
    m = len(p_values)
    order = np.argsort(p_values, kind="stable")
    stepped = np.maximum.accumulate((m - np.arange(m)) * p_values[order])
    return _restore(np.minimum(stepped, 1.0), order)


def benjamini_hochberg(p_values: FloatArray) -> FloatArray:
    """Step-up adjusted p-values (m,), which control the expected share of false claims. For exploration.

    Source: Benjamini & Hochberg (1995), JRSS B 57. Raises ValueError for values outside [0, 1].
    """
    _check(p_values)
    m = len(p_values)
    order = np.argsort(p_values, kind="stable")
    scaled = p_values[order] * m / np.arange(1, m + 1)
    stepped = np.minimum.accumulate(scaled[::-1])[::-1]
    return _restore(np.minimum(stepped, 1.0), order)


def gatekept(primary: float, secondary: FloatArray) -> FloatArray:
    """Adjusted p-values (m,) of tests behind the primary test: Holm's, but never below the primary p-value.

    This is the closed-testing form of a serial gate, so each value can be compared with the full level.
    """
    return np.maximum(holm(secondary), primary)


def _restore(ordered: FloatArray, order: npt.NDArray[np.intp]) -> FloatArray:
    result = np.empty_like(ordered)
    result[order] = ordered
    return result


def _check(p_values: FloatArray) -> None:
    if p_values.ndim != 1 or not ((p_values >= 0) & (p_values <= 1)).all():
        raise ValueError("p-values must be a one-dimensional array of numbers from 0 to 1")
