"""Effect sizes, with pigeonhole-bootstrap intervals that treat prompts and reviewers both as samples.

Source of the bootstrap: Owen (2007), The pigeonhole bootstrap, Annals of Applied Statistics 1(2): prompts and
reviewers are resampled independently, and a rating counts as often as the product of both. The measures
are over single ratings: a mean over a prompt's ratings would get noisier by resampling and bias the
interval.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.stats.estimate import Interval
from evaluation.stats.ratings import BoolArray, FloatArray, IntArray, dense_codes, group_sums

# A statistic of how often each rating (n,) counts; None where it does not exist.
Statistic = Callable[[FloatArray], float | None]


@dataclass(frozen=True)
class EffectSize:
    """`value` is None where it does not exist (no variation), `interval` where it cannot be resampled."""

    value: float | None
    interval: Interval | None


def prompt_means(values: FloatArray, prompt: IntArray) -> FloatArray:
    """Mean of `values` (n,) per prompt that occurs."""
    codes = dense_codes(prompt)
    if not len(codes):
        return np.zeros(0)
    means: FloatArray = group_sums(values, codes) / np.bincount(codes)
    return means


def among(rows: BoolArray, statistic: Statistic) -> Statistic:
    """A statistic of the ratings where `rows` (n,) is true, as one of all ratings."""
    return lambda times: statistic(times[rows])


def standardised_mean(differences: FloatArray) -> Statistic:
    """dz: mean of `differences` (n,) over the standard deviation of single differences (n − 1).

    Source: Cohen (1988), Statistical Power Analysis, §2.3.5.
    """
    values, level = np.unique(differences, return_inverse=True)

    def statistic(times: FloatArray) -> float | None:
        count = np.bincount(level, times, len(values))
        total = float(count.sum())
        if total < 2:
            return None
        mean = float(count @ values) / total
        variance = float(count @ (values - mean) ** 2) / (total - 1)
        return mean / variance**0.5 if variance > 1e-20 else None

    return statistic


def matched_rank_biserial(differences: FloatArray) -> Statistic:
    """(favourable − unfavourable) / all ranks of |difference|, zeros dropped, ties at mid-rank.

    Source: Kerby (2014), Comprehensive Psychology 3.
    """
    sizes, level = np.unique(np.abs(differences), return_inverse=True)
    sign = np.sign(differences)
    moves = sizes > 0

    def statistic(times: FloatArray) -> float | None:
        count = np.bincount(level, times, len(sizes)) * moves
        balance = np.bincount(level, times * sign, len(sizes))
        rank = np.cumsum(count) - (count - 1) / 2
        total = float(rank @ count)
        return float(rank @ balance) / total if total > 0 else None

    return statistic


def cliffs_delta(candidate: FloatArray, baseline: FloatArray) -> Statistic:
    """Cliff's δ = P(candidate score > baseline score) − P(<) over all pairs of scores (n,) and (n,).

    Source: Cliff (1993), Psychological Bulletin 114.
    """
    levels, codes = np.unique(np.concatenate([candidate, baseline]), return_inverse=True)
    of_candidate, of_baseline = codes[: len(candidate)], codes[len(candidate) :]

    def statistic(times: FloatArray) -> float | None:
        total = float(times.sum())
        if total == 0:
            return None
        after = np.bincount(of_candidate, times, len(levels))
        before = np.bincount(of_baseline, times, len(levels))
        below = np.cumsum(before) - before
        above = total - below - before
        return float(after @ (below - above)) / total**2

    return statistic


def effect_sizes(
    statistics: Sequence[Statistic], prompt: IntArray, reviewer: IntArray, *, seed: int, replicates: int = 400
) -> list[EffectSize]:
    """Each of `statistics` of ratings (n,) with its 95 % pigeonhole percentile interval, from the same resamples.

    An interval needs two prompts, two reviewers, and a statistic that exists in most resamples.
    """
    n = len(prompt)
    points = [statistic(np.ones(n)) if n else None for statistic in statistics]
    prompt, reviewer = dense_codes(prompt), dense_codes(reviewer)
    if not n or min(prompt.max(), reviewer.max()) < 1:
        return [EffectSize(point, None) for point in points]
    rng = np.random.default_rng(seed)
    found: list[list[float]] = [[] for _ in statistics]
    for _ in range(replicates):
        times = _resampled(rng, prompt) * _resampled(rng, reviewer)
        for values, statistic in zip(found, statistics, strict=True):
            value = statistic(times)
            if value is not None:
                values.append(value)
    return [
        EffectSize(
            point, _percentiles(values) if point is not None and len(values) >= replicates / 2 else None
        )
        for point, values in zip(points, found, strict=True)
    ]


def _percentiles(values: list[float]) -> Interval | None:
    if not values:
        return None
    low, high = np.quantile(values, [0.025, 0.975])
    return Interval(float(low), float(high))


def _resampled(rng: np.random.Generator, codes: IntArray) -> FloatArray:
    """How often each rating (n,) counts when the levels of one factor are drawn with replacement."""
    levels = int(codes.max()) + 1
    drawn: FloatArray = np.bincount(rng.integers(levels, size=levels), minlength=levels).astype(np.float64)
    return drawn[codes]
