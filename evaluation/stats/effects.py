"""Effect sizes with pigeonhole-bootstrap intervals, which treat both prompts and reviewers as samples.

Source of the bootstrap: Owen (2007), The pigeonhole bootstrap, Annals of Applied Statistics 1(2). Prompts and
reviewers are resampled independently, and a rating counts as often as the product of its two counts. The
measures use single ratings: resampling would add noise to a mean over a prompt's ratings and bias the
interval.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from evaluation.stats.arrays import FloatArray, IntArray, dense_codes, group_sums
from evaluation.stats.estimate import Interval

# A statistic as a function of how often each of its values counts, (k,); None if it does not exist.
Statistic = Callable[[FloatArray], float | None]
# Number of resamples computed together, and the most numbers in a table of them.
_TOGETHER = 25
_NUMBERS = 4_000_000


@dataclass(frozen=True, eq=False)
class Alike:
    """Ratings grouped so that the statistics cannot distinguish the ratings of a group.

    `code` (n,) is the group of each rating, 0 … `size` − 1, or −1 for a rating that does not count. Each of
    `statistics` is built from one value per group, (size,).
    """

    code: IntArray
    size: int
    statistics: tuple[Statistic, ...]


@dataclass(frozen=True)
class EffectSize:
    """`value` is None if it does not exist (no variation). `interval` is None if resampling is not possible."""

    value: float | None
    interval: Interval | None


def prompt_means(values: FloatArray, prompt: IntArray) -> FloatArray:
    """Mean of `values` (n,) for each prompt that occurs."""
    codes = dense_codes(prompt)
    if not len(codes):
        return np.zeros(0)
    means: FloatArray = group_sums(values, codes) / np.bincount(codes)
    return means


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
    """(favourable − unfavourable) / all ranks of |difference|, without zeros, with mid-ranks for ties.

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
    alike: Sequence[Alike], prompt: IntArray, reviewer: IntArray, *, seed: int, replicates: int = 400
) -> list[EffectSize]:
    """Every statistic of `alike` with its 95 % pigeonhole percentile interval, all from the same resamples.

    `prompt` and `reviewer` (n,) are codes. An interval needs at least two prompts, two reviewers, and a
    statistic that exists in at least half of the resamples.
    """
    n = len(prompt)
    made = [(place, statistic) for place, one in enumerate(alike) for statistic in one.statistics]
    once = [np.bincount(one.code[one.code >= 0], minlength=one.size).astype(np.float64) for one in alike]
    points = [statistic(once[place]) if n else None for place, statistic in made]
    prompt, reviewer = dense_codes(prompt), dense_codes(reviewer)
    if not n or min(prompt.max(), reviewer.max()) < 1:
        return [EffectSize(point, None) for point in points]
    found: list[list[float]] = [[] for _ in made]
    for counts in _resamples(alike, prompt, reviewer, np.random.default_rng(seed), replicates):
        for values, (place, statistic) in zip(found, made, strict=True):
            value = statistic(counts[place])
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


def _resamples(
    alike: Sequence[Alike], prompt: IntArray, reviewer: IntArray, rng: np.random.Generator, replicates: int
) -> Iterator[list[FloatArray]]:
    """For each resample, how often each group of each of `alike` counts."""
    levels = int(prompt.max()) + 1, int(reviewer.max()) + 1
    together = int(np.clip(_NUMBERS // max(*levels, *(one.size for one in alike)), 1, _TOGETHER))
    for first in range(0, replicates, together):
        drawn = [[_drawn(rng, size) for size in levels] for _ in range(min(together, replicates - first))]
        of_prompt, of_reviewer = (np.column_stack(side) for side in zip(*drawn, strict=True))
        tables = [np.zeros((one.size + 1, len(drawn))) for one in alike]
        step = _NUMBERS // together
        for start in range(0, len(prompt), step):
            rows = slice(start, start + step)
            times = of_prompt[prompt[rows]] * of_reviewer[reviewer[rows]]
            for one, table in zip(alike, tables, strict=True):
                table += _membership(one.code[rows], one.size) @ times
        yield from map(list, zip(*(np.ascontiguousarray(table[:-1].T) for table in tables), strict=True))


def _membership(code: IntArray, size: int) -> sparse.csc_array:
    """1 if a rating (column) belongs to a group (row). The last row is for ratings that do not count."""
    rows = np.where(code < 0, size, code)
    return sparse.csc_array((np.ones(len(code)), rows, np.arange(len(code) + 1)), shape=(size + 1, len(code)))


def _drawn(rng: np.random.Generator, levels: int) -> FloatArray:
    """How often each level occurs in a sample of `levels` draws with replacement, (levels,)."""
    return np.bincount(rng.integers(levels, size=levels), minlength=levels).astype(np.float64)
