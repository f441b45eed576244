"""Agreement between reviewers who rated the same prompts, for any pattern of missing ratings.

Sources: Krippendorff (2011), Computing Krippendorff's alpha-reliability; Gwet (2008), Brit. J. Math. Stat.
Psych. 61, for AC1; Gwet (2014), Handbook of Inter-Rater Reliability, 4th ed., for AC2. Prompts with one
rating hold no information about agreement and are ignored.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from evaluation.stats.arrays import FloatArray, IntArray, dense_codes, distinct
from evaluation.stats.estimate import Interval

FixedLevel = Literal["nominal", "interval"]
Level = FixedLevel | Literal["ordinal", "ratio"]
GwetWeights = Literal["identity", "linear", "quadratic"]
# The most numbers that resamples computed together may hold.
_NUMBERS = 2_000_000


@dataclass(frozen=True, eq=False)
class Table:
    """`counts` (units, categories) are the raters who chose each category; `values` (categories,) ascend."""

    counts: FloatArray
    values: FloatArray

    def paired(self) -> "Table":
        """The table with only the units that have at least two ratings."""
        return Table(self.counts[self.counts.sum(1) >= 2], self.values)

    def rated(self) -> "Table":
        """The table with only the units that have at least one rating."""
        return Table(self.counts[self.counts.sum(1) > 0], self.values)


def rating_table(unit: IntArray, value: FloatArray) -> Table:
    """Table of ratings `value` (n,) of units `unit` (n,). Raises ValueError unless values are finite."""
    if unit.shape != value.shape or not np.isfinite(value).all():
        raise ValueError("unit and value must have the same length and values must be finite")
    if not len(unit):
        return Table(np.zeros((0, 0)), np.zeros(0))
    codes = dense_codes(unit)
    values, category = distinct(value)
    shape = (int(codes.max()) + 1, len(values))
    flat = np.bincount(codes * shape[1] + category, minlength=shape[0] * shape[1])
    return Table(flat.reshape(shape).astype(np.float64), values.astype(np.float64))


@dataclass(frozen=True, eq=False)
class _Sums:
    """A coefficient computed from sums over units: `columns` (units, q), and `value` of their sums (q,)."""

    columns: FloatArray
    value: Callable[[FloatArray], float | None]

    def point(self) -> float | None:
        return self.value(self.columns.sum(0)) if len(self.columns) else None

    def interval(self, seed: int, replicates: int, confidence: float) -> Interval | None:
        """Percentile interval from resampling units with replacement; None without enough units."""
        units = len(self.columns)
        if units < 2 or self.point() is None:
            return None
        rng = np.random.default_rng(seed)
        found = []
        together = max(1, _NUMBERS // units)
        for first in range(0, replicates, together):
            rows = range(min(together, replicates - first))
            times = np.array(
                [np.bincount(rng.integers(units, size=units), minlength=units) for _ in rows],
                dtype=np.float64,
            )
            values = (self.value(sums) for sums in times @ self.columns)
            found += [value for value in values if value is not None]
        if len(found) < replicates / 2:
            return None
        low, high = np.quantile(found, [(1 - confidence) / 2, (1 + confidence) / 2])
        return Interval(float(low), float(high))


def krippendorff_alpha(table: Table, level: Level) -> float | None:
    """α = 1 − observed / expected disagreement; None without variation or without a unit with two ratings.

    Raises ValueError for level "ratio" with negative values.
    """
    return _alpha(table, level).point()


def alpha_interval(
    table: Table, level: FixedLevel, *, seed: int, replicates: int = 500, confidence: float = 0.95
) -> Interval | None:
    """Percentile interval of α from resampling units (prompts) with replacement; None without enough units.

    Reviewers stay fixed, so the interval is about these reviewers on other prompts.
    """
    return _alpha(table, level).interval(seed, replicates, confidence)


def percent_agreement(table: Table) -> float | None:
    """Mean over units of the share of rater pairs that agree; None if no unit has two ratings."""
    paired = table.paired()
    shares = _agreeing(paired, np.eye(len(paired.values)))
    return float(shares.mean()) if len(shares) else None


def gwet_ac(table: Table, weights: GwetWeights = "identity") -> float | None:
    """Gwet's AC1 (identity weights) or AC2. It stays stable under skewed marginals, where α becomes very low.

    None if fewer than two categories occur or no unit has two ratings.
    """
    return _gwet(table, weights).point()


def gwet_interval(
    table: Table,
    weights: GwetWeights = "identity",
    *,
    seed: int,
    replicates: int = 500,
    confidence: float = 0.95,
) -> Interval | None:
    """Percentile interval of AC1 or AC2, computed as in `alpha_interval`."""
    return _gwet(table, weights).interval(seed, replicates, confidence)


def _alpha(table: Table, level: Level) -> _Sums:
    """Columns: the observed disagreement of each unit, then the number of its ratings in each category."""
    if level == "ratio" and (table.values < 0).any():
        raise ValueError("ratio data cannot be negative")
    counts = table.paired().counts
    raters = counts.sum(1, keepdims=True)
    distance = _distance(table.values, counts.sum(0), level)
    observed = (counts * (counts @ distance)).sum(1, keepdims=True) / np.maximum(raters - 1, 1)

    def value(sums: FloatArray) -> float | None:
        marginal = sums[1:]
        n, expected = float(marginal.sum()), float(marginal @ distance @ marginal)
        return 1 - (n - 1) * float(sums[0]) / expected if n >= 2 and expected > 0 else None

    return _Sums(np.hstack([observed, counts]), value)


def _gwet(table: Table, weights: GwetWeights) -> _Sums:
    """Columns: each unit's agreement, whether it has two ratings, whether it has any, and its category shares."""
    rated, q = table.rated(), len(table.values)
    counts, raters = rated.counts, rated.counts.sum(1, keepdims=True)
    agreement = _gwet_weights(table.values, weights)
    chance = float(agreement.sum() / (q * (q - 1))) if q > 1 else 0.0
    paired = raters >= 2
    agreeing = np.zeros_like(raters)
    agreeing[paired[:, 0], 0] = _agreeing(rated.paired(), agreement)

    def value(sums: FloatArray) -> float | None:
        if q < 2 or sums[1] == 0:
            return None
        share = sums[3:] / sums[2]
        expected = chance * float((share * (1 - share)).sum())
        return (float(sums[0] / sums[1]) - expected) / (1 - expected) if expected < 1 else None

    return _Sums(np.hstack([agreeing, paired, np.ones_like(raters), counts / raters]), value)


def _agreeing(paired: Table, agreement: FloatArray) -> FloatArray:
    """Weighted share of each unit's rater pairs that agree (units,)."""
    counts, raters = paired.counts, paired.counts.sum(1)
    return np.asarray((counts * (counts @ agreement - 1)).sum(1) / (raters * (raters - 1)))


def _distance(values: FloatArray, marginal: FloatArray, level: Level) -> FloatArray:
    """Krippendorff's δ² between all pairs of categories. `marginal` counts the ratings in each category."""
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
    """Weight of agreement between two categories. Linear and quadratic weights use their distance on the scale."""
    if weights == "identity" or len(values) < 2:
        return np.eye(len(values))
    steps = np.abs(np.subtract.outer(values, values)) / np.ptp(values)
    return np.asarray(1 - (steps if weights == "linear" else steps**2))
