"""Two systems measured on the same prompts. Running sums keep memory independent of the number of prompts.

The prompt is the unit: several samples of one prompt are averaged beforehand, and prompts weigh equally.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from evaluation.stats.arrays import FloatArray

LEVEL = 0.95
Method = Literal["paired_t", "mcnemar_exact", "none"]
_SAME = 1e-9


@dataclass(frozen=True)
class PairedResult:
    """`difference` is candidate − baseline in the unit of the measure, over `n` prompts with both values.

    `up`, `same` and `down` count prompts by the sign of their difference. The interval and the two-sided
    `p_value` are None if the data have no information about the error: fewer than two prompts, or no
    variation.
    """

    n: int
    baseline: float
    candidate: float
    difference: float
    ci_low: float | None
    ci_high: float | None
    p_value: float | None
    method: Method
    up: int
    same: int
    down: int


class Paired:
    """Running sums over prompts, for one measure on both sides."""

    def __init__(self) -> None:
        self.n = 0
        self.up = self.down = self.both = 0
        self._baseline = self._candidate = self._mean = self._squares = 0.0
        self._binary = True

    def add(self, baseline: FloatArray, candidate: FloatArray) -> None:
        """Add prompts (P,). A prompt with NaN on either side is ignored.

        Source of the update: Chan, Golub & LeVeque (1979), Updating formulae for computing sample variances.
        """
        known = ~(np.isnan(baseline) | np.isnan(candidate))
        first, second = baseline[known], candidate[known]
        more = len(first)
        if not more:
            return
        differences = second - first
        scale = _SAME * np.maximum(1.0, np.maximum(np.abs(first), np.abs(second)))
        self.up += int((differences > scale).sum())
        self.down += int((differences < -scale).sum())
        self.both += int(((first == 1) & (second == 1)).sum())
        self._binary = self._binary and bool(np.isin(first, (0, 1)).all() and np.isin(second, (0, 1)).all())
        self._baseline += float(first.sum())
        self._candidate += float(second.sum())
        mean = float(differences.mean())
        gap, total = mean - self._mean, self.n + more
        self._squares += float(((differences - mean) ** 2).sum()) + gap**2 * self.n * more / total
        self._mean += gap * more / total
        self.n = total

    def result(self, *, binary: bool = False) -> PairedResult | None:
        """The comparison so far; None without any prompt.

        A `binary` measure (0 or 1 for every prompt) has an exact test. With several samples per prompt its
        means are no longer binary, and the t test is used.
        """
        if not self.n:
            return None
        low = high = p = None
        method: Method = "none"
        if binary and self._binary:
            method = "mcnemar_exact"
            p = mcnemar(self.up, self.down)
            low, high = newcombe(self.both, self.up, self.down, self.n - self.both - self.up - self.down)
        elif self.n > 1 and self._squares > 0:
            method = "paired_t"
            error = math.sqrt(self._squares / (self.n - 1) / self.n)
            reach = float(stats.t.ppf(0.5 + LEVEL / 2, self.n - 1)) * error
            low, high = self._mean - reach, self._mean + reach
            p = float(2 * stats.t.sf(abs(self._mean) / error, self.n - 1))
        return PairedResult(
            n=self.n,
            baseline=self._baseline / self.n,
            candidate=self._candidate / self.n,
            difference=self._mean,
            ci_low=low,
            ci_high=high,
            p_value=p,
            method=method,
            up=self.up,
            same=self.n - self.up - self.down,
            down=self.down,
        )


def mcnemar(up: int, down: int) -> float:
    """Exact two-sided p-value of H0: `up` and `down` discordant pairs are equally likely.

    Source: McNemar (1947), Psychometrika 12, in its exact binomial form.
    """
    return float(stats.binomtest(up, up + down).pvalue) if up + down else 1.0


def newcombe(both: int, up: int, down: int, neither: int, level: float = LEVEL) -> tuple[float, float]:
    """Interval of the candidate's minus the baseline's proportion for paired data.

    `up` counts pairs that are right on the candidate's side only, `down` those right on the baseline's side
    only. Raises ValueError if there is no pair. Source: Newcombe (1998), Improved confidence intervals for
    the difference between binomial proportions based on paired data, Statistics in Medicine 17, method 10:
    Wilson limits combined through the corrected φ.
    """
    n = both + up + down + neither
    if n == 0:
        raise ValueError("there must be at least one pair")
    candidate, baseline = (both + up) / n, (both + down) / n
    low_c, high_c = wilson(both + up, n, level)
    low_b, high_b = wilson(both + down, n, level)
    phi = _phi(both, up, down, neither)
    below_c, above_b = candidate - low_c, high_b - baseline
    above_c, below_b = high_c - candidate, baseline - low_b
    down_reach = math.sqrt(max(0.0, below_c**2 - 2 * phi * below_c * above_b + above_b**2))
    up_reach = math.sqrt(max(0.0, above_c**2 - 2 * phi * above_c * below_b + below_b**2))
    difference = candidate - baseline
    return max(-1.0, difference - down_reach), min(1.0, difference + up_reach)


def wilson(successes: int, n: int, level: float = LEVEL) -> tuple[float, float]:
    """Score interval of one proportion. Source: Wilson (1927), JASA 22."""
    z = float(stats.norm.ppf(0.5 + level / 2))
    share = successes / n
    centre = share + z**2 / (2 * n)
    reach = z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return max(0.0, (centre - reach) / (1 + z**2 / n)), min(1.0, (centre + reach) / (1 + z**2 / n))


def _phi(both: int, up: int, down: int, neither: int) -> float:
    margins = (both + up) * (down + neither) * (both + down) * (up + neither)
    if margins == 0:
        return 0.0
    crossed = float(both * neither - up * down)
    if crossed > 0:
        crossed = max(crossed - (both + up + down + neither) / 2, 0.0)
    return crossed / math.sqrt(margins)
