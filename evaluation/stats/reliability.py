"""Agreement between reviewers who rated the same prompts, for any pattern of missing ratings.

Sources: Krippendorff (2011), Computing Krippendorff's alpha-reliability; Gwet (2008), Brit. J. Math.
Stat. Psych. 61, for AC1, and Gwet (2014), Handbook of Inter-Rater Reliability, 4th ed., for AC2. Prompts
with one rating say nothing about agreement and drop out.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from evaluation.stats.estimate import Interval
from evaluation.stats.ratings import FloatArray, IntArray, dense_codes

Level = Literal["nominal", "ordinal", "interval", "ratio"]
GwetWeights = Literal["identity", "linear", "quadratic"]


@dataclass(frozen=True, eq=False)
class Table:
    """`counts` (units, categories): raters who put a unit into a category; `values` (categories,) ascend."""

    counts: FloatArray
    values: FloatArray

    def paired(self) -> "Table":
        """Only units with at least two ratings."""
        return Table(self.counts[self.counts.sum(1) >= 2], self.values)

    def rated(self) -> "Table":
        """Only units with at least one rating."""
        return Table(self.counts[self.counts.sum(1) > 0], self.values)


def rating_table(unit: IntArray, value: FloatArray) -> Table:
    """Table of ratings `value` (n,) of units `unit` (n,). Raises ValueError unless values are finite."""
    if unit.shape != value.shape or not np.isfinite(value).all():
        raise ValueError("unit and value must have the same length and values must be finite")
    if not len(unit):
        return Table(np.zeros((0, 0)), np.zeros(0))
    codes = dense_codes(unit)
    values, category = np.unique(value, return_inverse=True)
    shape = (int(codes.max()) + 1, len(values))
    flat = np.bincount(codes * shape[1] + category, minlength=shape[0] * shape[1])
    return Table(flat.reshape(shape).astype(np.float64), values.astype(np.float64))


def krippendorff_alpha(table: Table, level: Level) -> float | None:
    """α = 1 − observed / expected disagreement; None where nothing varies or no unit has two ratings.

    Raises ValueError for level "ratio" with negative values.
    """
    if level == "ratio" and (table.values < 0).any():
        raise ValueError("ratio data cannot be negative")
    return _alpha(table.paired(), np.ones(1), level)


def alpha_interval(
    table: Table, level: Level, *, seed: int, replicates: int = 500, confidence: float = 0.95
) -> Interval | None:
    """Percentile interval of α from resampling units (prompts) with replacement; None without enough units.

    Reviewers stay fixed: the interval is about these reviewers on other prompts.
    """
    paired = table.paired()
    if krippendorff_alpha(paired, level) is None:
        return None
    return _resampled(paired, lambda times: _alpha(paired, times, level), seed, replicates, confidence)


def gwet_interval(
    table: Table,
    weights: GwetWeights = "identity",
    *,
    seed: int,
    replicates: int = 500,
    confidence: float = 0.95,
) -> Interval | None:
    """Percentile interval of AC1 or AC2, made as `alpha_interval` makes its own."""
    rated = table.rated()
    if gwet_ac(rated, weights) is None:
        return None
    return _resampled(rated, lambda times: _gwet(rated, times, weights), seed, replicates, confidence)


def _resampled(
    table: Table,
    statistic: Callable[[FloatArray], float | None],
    seed: int,
    replicates: int,
    confidence: float,
) -> Interval | None:
    units = len(table.counts)
    if units < 2:
        return None
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(replicates):
        times = np.bincount(rng.integers(units, size=units), minlength=units).astype(np.float64)
        value = statistic(times)
        if value is not None:
            found.append(value)
    if len(found) < replicates / 2:
        return None
    low, high = np.quantile(found, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(low), float(high))


def percent_agreement(table: Table) -> float | None:
    """Mean over units of the share of rater pairs that agree; None where no unit has two ratings."""
    return _gwet_observed(table, np.ones(len(table.counts)), np.eye(len(table.values)))


def gwet_ac(table: Table, weights: GwetWeights = "identity") -> float | None:
    """Gwet's AC1 (identity weights) or AC2; steady under skewed marginals, where α falls to its floor.

    None where fewer than two categories occur or no unit has two ratings.
    """
    rated = table.rated()
    return _gwet(rated, np.ones(len(rated.counts)), weights)


def _gwet(rated: Table, times: FloatArray, weights: GwetWeights) -> float | None:
    q = len(rated.values)
    if q < 2:
        return None
    agreement = _gwet_weights(rated.values, weights)
    observed = _gwet_observed(rated, times, agreement)
    if observed is None:
        return None
    share = times @ (rated.counts / rated.counts.sum(1, keepdims=True)) / times.sum()
    expected = float(agreement.sum() / (q * (q - 1)) * (share * (1 - share)).sum())
    return (observed - expected) / (1 - expected) if expected < 1 else None


def _alpha(table: Table, times: FloatArray, level: Level) -> float | None:
    counts = table.counts
    scaled = counts * (times / (counts.sum(1) - 1))[:, None]
    coincidence = counts.T @ scaled - np.diag(scaled.sum(0))
    marginal = coincidence.sum(1)
    n = float(marginal.sum())
    distance = _distance(table.values, marginal, level)
    expected = float(marginal @ distance @ marginal)
    if n < 2 or expected <= 0:
        return None
    return 1 - (n - 1) * float((coincidence * distance).sum()) / expected


def _distance(values: FloatArray, marginal: FloatArray, level: Level) -> FloatArray:
    """Krippendorff's δ² between every two categories."""
    row, column = values[:, None], values[None, :]
    if level == "nominal":
        return 1 - np.eye(len(values))
    if level == "interval":
        return np.asarray((row - column) ** 2)
    if level == "ratio":
        total = np.where(row + column == 0, 1, row + column)
        return np.asarray(((row - column) / total) ** 2)
    middle = np.cumsum(marginal) - marginal / 2
    return np.asarray((middle[:, None] - middle[None, :]) ** 2)


def _gwet_weights(values: FloatArray, weights: GwetWeights) -> FloatArray:
    """How far two categories count as agreement; linear and quadratic weights use their distance on the scale."""
    if weights == "identity":
        return np.eye(len(values))
    steps = np.abs(np.subtract.outer(values, values)) / np.ptp(values)
    return np.asarray(1 - (steps if weights == "linear" else steps**2))


def _gwet_observed(table: Table, times: FloatArray, agreement: FloatArray) -> float | None:
    """Mean weighted agreement over units with two ratings or more, unit u counting `times[u]`."""
    raters = table.counts.sum(1)
    paired = (raters >= 2) * times
    if not paired.any():
        return None
    counts = table.counts
    agreeing = (counts * (counts @ agreement - 1)).sum(1)
    share = agreeing / np.where(raters >= 2, raters * (raters - 1), 1.0)
    return float(paired @ share / paired.sum())
