"""Array types, and sums over groups of rows."""

from typing import Any

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


def dense_codes(labels: npt.NDArray[np.generic]) -> IntArray:
    """Codes 0 … k−1 (n,) for the k distinct labels, in ascending order of the labels (n,)."""
    return distinct(labels)[1]


def distinct(values: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], IntArray]:
    """The distinct values (k,), ascending, and the index of each of `values` (n,) among them."""
    if len(values) and values.dtype.kind in "if":
        low, high = values.min(), values.max()
        if float(high) - float(low) <= 4 * len(values):
            # Whole numbers in a narrow range, such as codes and scores, need no sorting.
            steps = (values - low).astype(np.int64)
            if values.dtype.kind == "i" or bool((steps + low == values).all()):
                present = np.bincount(steps) > 0
                found = (np.flatnonzero(present) + low).astype(values.dtype)
                return found, np.asarray((np.cumsum(present) - 1)[steps], dtype=np.int64)
    found, codes = np.unique(values, return_inverse=True)
    return found, codes.astype(np.int64)


def group_sums(values: FloatArray, codes: IntArray) -> FloatArray:
    """Sum of `values` (n,) for each code: `codes` (n,) → (k,)."""
    sums: FloatArray = np.bincount(codes, weights=values).astype(np.float64)
    return sums
