"""Exact and closed-form intervals for proportions, and the fallback for data without variation."""

import math

from scipy import stats

from evaluation.stats.estimate import Interval


def wilson(successes: int, n: int, level: float = 0.95) -> Interval:
    """Wilson's (1927) score interval of a proportion. Raises ValueError unless 0 ≤ successes ≤ n, n > 0."""
    _check(successes, n)
    z = float(stats.norm.isf((1 - level) / 2))
    share = successes / n
    center = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return Interval(max(center - half, 0.0), min(center + half, 1.0))


def clopper_pearson(successes: int, n: int, level: float = 0.95) -> Interval:
    """Clopper & Pearson's (1934) exact interval of a proportion. Raises ValueError as `wilson` does."""
    _check(successes, n)
    tail = (1 - level) / 2
    low = float(stats.beta.ppf(tail, successes, n - successes + 1)) if successes else 0.0
    high = float(stats.beta.isf(tail, successes + 1, n - successes)) if successes < n else 1.0
    return Interval(low, high)


def constant_interval(value: float, clusters: int, level: float = 0.95) -> Interval:
    """Interval of a mean in [0, 1] when every observation equals `value`.

    The data only bound how often another value occurs: with `clusters` independent clusters that all agree,
    at most q = 1 − (α/2)^(1/clusters) (Clopper–Pearson at the edge). The other values could lie anywhere in
    [0, 1]. For `value` 1 this is Clopper–Pearson over clusters. Raises ValueError if there is no cluster.
    """
    other = clopper_pearson(0, clusters, level).high
    return Interval(value * (1 - other), value + (1 - value) * other)


def constant_p_value(value: float, clusters: int) -> float:
    """Two-sided sign test of a mean of ½ over `clusters` clusters that all equal `value`; 1 if `value` is ½."""
    if value == 0.5:
        return 1.0
    return min(1.0, 2 * 0.5**clusters)


def _check(successes: int, n: int) -> None:
    if not 0 <= successes <= n or n == 0:
        raise ValueError("successes must lie between 0 and n, and n must be positive")
