"""Two-way cluster-robust inference for means over crossed prompts and reviewers.

Sources: Cameron, Gelbach & Miller (2011), Robust inference with multiway clustering, JBES 29(2), for the
sum-and-subtract variance; MacKinnon, Nielsen & Webb (2023), Fast and reliable jackknife and bootstrap
methods for cluster-robust inference, J. Appl. Econometrics 38(5), for the delete-one-cluster variance
(CV3); Bell & McCaffrey (2002), Survey Methodology 28(2), for the effective degrees of freedom under
unequal cluster sizes.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from evaluation.stats.arrays import FloatArray
from evaluation.stats.clusters import Clusters, Factor
from evaluation.stats.estimate import Estimate

Method = Literal["plain", "jackknife"]
# Below this share of the weighted second moment, the variance is rounding error of identical values.
_ROUNDING = 1e-24


@dataclass(frozen=True)
class TwoWayVariance:
    """Variance of one statistic, and the degrees of freedom of its t reference distribution."""

    variance: float
    df: float


def clustered_mean(values: FloatArray, clusters: Clusters, *, method: Method = "jackknife") -> Estimate:
    """Weighted mean of `values` (n,) over crossed samples of prompts and reviewers.

    `method="plain"` is Cameron, Gelbach & Miller with their small-sample factors and df = min(prompts,
    reviewers) − 1. `method="jackknife"` replaces each clustered sum by its delete-one-cluster form and uses
    effective degrees of freedom; it keeps its level with few reviewers and uneven workloads. Raises
    ValueError if the arrays differ in length or a value is not finite.
    """
    _check(values, clusters)
    weights = clusters.weights
    value = float(weights @ values) if len(values) else None
    influence = weights * (values - value) if value is not None else values
    scale = float(weights @ (values * values)) if value is not None else 0.0
    return _estimate(value, influence, clusters, method, scale)


def two_way_variance(influence: FloatArray, clusters: Clusters, method: Method) -> TwoWayVariance:
    """Variance of a statistic whose influence values (n,) sum to zero, over at least 2 prompts and 2 reviewers."""
    factors = clusters.by_prompt, clusters.by_reviewer, clusters.by_cell
    variance_of = _plain if method == "plain" else _jackknife
    by_prompt, by_reviewer, by_cell = (variance_of(factor, influence) for factor in factors)
    df = [factor.levels - 1.0 if method == "plain" else factor.effective_df for factor in factors[:2]]
    variance = by_prompt + by_reviewer - by_cell
    least_df = min(df)
    if variance <= 0:
        # In small samples the difference can be zero or negative. MacKinnon, Nielsen & Webb then use the
        # largest term, which is conservative.
        return TwoWayVariance(max(by_prompt, by_reviewer, by_cell), least_df)
    if method == "plain":
        return TwoWayVariance(variance, least_df)
    # Satterthwaite: each one-way variance has its own uncertainty. If the subtraction leaves little, this
    # understates the df, so the df of the scarcer factor is the lower bound.
    spread = by_prompt**2 / df[0] + by_reviewer**2 / df[1]
    return TwoWayVariance(variance, max(variance**2 / spread, least_df))


def _plain(factor: Factor, influence: FloatArray) -> float:
    """CR1 for a mean: G/(G−1)·(n−1)/(n−1) times the sum of squared cluster totals (G,)."""
    sums = factor.sums(influence)
    return factor.levels / (factor.levels - 1) * float(sums @ sums)


def _jackknife(factor: Factor, influence: FloatArray) -> float:
    """CV3 for a mean: removing cluster g, with total s_g and weight W_g, changes the mean by −s_g/(1−W_g)."""
    moves = factor.sums(influence) / (1 - factor.shares)
    return (factor.levels - 1) / factor.levels * float(moves @ moves)


def _estimate(
    value: float | None, influence: FloatArray, clusters: Clusters, method: Method, scale: float
) -> Estimate:
    problem = _problem(*clusters.sizes, "group of prompts" if clusters.nested else "prompt")
    if problem is None and float(influence @ influence) * len(influence) <= _ROUNDING * max(scale, 1e-300):
        problem = "all values are the same"
    if problem is not None:
        return Estimate(value, None, None, *clusters.sizes, problem)
    found = two_way_variance(influence, clusters, method)
    return Estimate(value, float(np.sqrt(found.variance)), found.df, *clusters.sizes)


def _problem(n: int, prompts: int, reviewers: int, prompt: str) -> str | None:
    if n == 0:
        return "there are no ratings"
    if prompts < 2:
        return f"there is only one {prompt}"
    if reviewers < 2:
        return "there is only one reviewer"
    return None


def _check(values: FloatArray, clusters: Clusters) -> None:
    if values.shape != clusters.weights.shape:
        raise ValueError("values and clusters must be one-dimensional and of the same length")
    if not np.isfinite(values).all():
        raise ValueError("values must be finite")
