"""Two-way cluster-robust inference for means and ratios of means over crossed prompts and reviewers.

Sources: Cameron, Gelbach & Miller (2011), Robust inference with multiway clustering, JBES 29(2), for the
sum-and-subtract variance; MacKinnon, Nielsen & Webb (2023), Fast and reliable jackknife and bootstrap
methods for cluster-robust inference, J. Appl. Econometrics 38(5), for the delete-one-cluster variance
(CV3); Bell & McCaffrey (2002), Survey Methodology 28(2), for the effective degrees of freedom under
unequal cluster sizes.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from evaluation.stats.estimate import Estimate
from evaluation.stats.ratings import FloatArray, IntArray, dense_codes, group_sums
from evaluation.stats.weights import prompt_weights

Method = Literal["plain", "jackknife"]
# Below this share of the weighted second moment the variance is rounding error of identical values.
_ROUNDING = 1e-24


@dataclass(frozen=True)
class TwoWayVariance:
    """Variance of one statistic with the degrees of freedom of its t reference distribution."""

    variance: float
    df: float


def clustered_mean(
    values: FloatArray,
    prompt: IntArray,
    reviewer: IntArray,
    *,
    weights: FloatArray | None = None,
    method: Method = "jackknife",
) -> Estimate:
    """Weighted mean of `values` (n,) over crossed samples of prompts and reviewers.

    `weights` (n,) sum to 1; by default every prompt weighs equally. `method="plain"` is Cameron, Gelbach
    & Miller with their small-sample factors and df = min(prompts, reviewers) − 1; `method="jackknife"`
    replaces each clustered sum by its delete-one-cluster form and uses effective degrees of freedom,
    which holds its level with few reviewers and uneven workloads.

    Raises ValueError when the arrays differ in length or a value is not finite.
    """
    _check(values, prompt, reviewer)
    weights = prompt_weights(prompt) if weights is None else weights
    value = float(weights @ values) if len(values) else None
    influence = weights * (values - value) if value is not None else values
    scale = float(weights @ (values * values)) if value is not None else 0.0
    return _estimate(value, influence, weights, prompt, reviewer, method, scale)


def clustered_ratio(
    numerator: FloatArray,
    denominator: FloatArray,
    prompt: IntArray,
    reviewer: IntArray,
    *,
    weights: FloatArray | None = None,
    method: Method = "jackknife",
) -> Estimate:
    """Ratio of the two weighted means, by linearisation (delta method): influence (y − ρx)/x̄.

    Arguments as in `clustered_mean`. A denominator whose mean is not positive has no ratio: the result then
    carries a problem instead. Raises ValueError as `clustered_mean` does.
    """
    _check(numerator, prompt, reviewer)
    _check(denominator, prompt, reviewer)
    weights = prompt_weights(prompt) if weights is None else weights
    base = float(weights @ denominator) if len(denominator) else 0.0
    if base <= 0:
        return Estimate(None, None, None, *_sizes(prompt, reviewer), "the baseline's mean is not positive")
    ratio = float(weights @ numerator) / base
    influence = weights * (numerator - ratio * denominator) / base
    scale = float(weights @ (numerator * numerator)) / base**2
    return _estimate(ratio, influence, weights, prompt, reviewer, method, scale)


def clustered_intercept(
    values: FloatArray, covariate: FloatArray, prompt: IntArray, reviewer: IntArray, *, weights: FloatArray
) -> Estimate:
    """Weighted least-squares mean of `values` (n,) where `covariate` (n,) is zero.

    A constant covariate cannot be adjusted for; the result is then the weighted mean itself. Raises
    ValueError as `clustered_mean` does.
    """
    _check(values, prompt, reviewer)
    _check(covariate, prompt, reviewer)
    center = float(weights @ covariate) if len(values) else 0.0
    deviation = covariate - center
    spread = float(weights @ (deviation * deviation)) if len(values) else 0.0
    if spread <= _ROUNDING:
        return clustered_mean(values, prompt, reviewer, weights=weights)
    slope = float(weights @ (deviation * values)) / spread
    intercept = float(weights @ values) - slope * center
    residual = values - intercept - slope * covariate
    influence = weights * residual * (1 - center * deviation / spread)
    scale = float(weights @ (values * values))
    return _estimate(intercept, influence, weights, prompt, reviewer, "jackknife", scale)


def two_way_variance(
    influence: FloatArray, weights: FloatArray, prompt: IntArray, reviewer: IntArray, method: Method
) -> TwoWayVariance:
    """Variance of a statistic whose influence values (n,) sum to zero, over ≥ 2 prompts and reviewers."""
    prompt, reviewer = dense_codes(prompt), dense_codes(reviewer)
    cell = dense_codes(prompt * (int(reviewer.max()) + 1) + reviewer)
    by_prompt, by_reviewer, by_cell = (
        _plain(group_sums(influence, g))
        if method == "plain"
        else _jackknife(group_sums(influence, g), group_sums(weights, g))
        for g in (prompt, reviewer, cell)
    )
    variance = by_prompt.variance + by_reviewer.variance - by_cell.variance
    least_df = min(by_prompt.df, by_reviewer.df)
    if variance <= 0:
        # The subtraction can overshoot in small samples; the largest term is the conservative replacement of
        # MacKinnon, Nielsen & Webb.
        return TwoWayVariance(max(by_prompt.variance, by_reviewer.variance, by_cell.variance), least_df)
    if method == "plain":
        return TwoWayVariance(variance, least_df)
    # Satterthwaite: each one-way variance brings its own uncertainty. Where little is left after the
    # subtraction this understates the df, which is never below the scarcer factor's own.
    spread = by_prompt.variance**2 / by_prompt.df + by_reviewer.variance**2 / by_reviewer.df
    return TwoWayVariance(variance, max(variance**2 / spread, least_df))


def _plain(sums: FloatArray) -> TwoWayVariance:
    """CR1 for a mean: G/(G−1)·(n−1)/(n−1) times the sum of squared cluster totals (G,)."""
    count = len(sums)
    return TwoWayVariance(count / (count - 1) * float(sums @ sums), count - 1)


def _jackknife(sums: FloatArray, shares: FloatArray) -> TwoWayVariance:
    """CV3 for a mean: leaving out cluster g, with total s_g and weight W_g, moves it by −s_g/(1−W_g)."""
    count = len(sums)
    moves = sums / (1 - shares)
    return TwoWayVariance((count - 1) / count * float(moves @ moves), _effective_df(shares))


def _effective_df(shares: FloatArray) -> float:
    """Satterthwaite df of Σ k_g (b_g − Σ W_h b_h)², k_g = (W_g/(1−W_g))², for iid cluster effects b.

    2·E²/Var of a quadratic form b'Ab is tr(A)²/tr(A²) with A = (I−W1')'K(I−1W'); both traces reduce to
    sums. Equal shares give G − 1.
    """
    k = (shares / (1 - shares)) ** 2
    q = float(shares @ shares)
    trace = float(k @ (1 + q - 2 * shares))
    total, first, second = float(k.sum()), float(k @ shares), float(k @ (shares * shares))
    square = q * q * total**2 + 2 * second * total - 4 * q * first * total + 2 * first**2
    square += float((k * k) @ (1 + 2 * (q - 2 * shares)))
    return trace * trace / square


def _estimate(
    value: float | None,
    influence: FloatArray,
    weights: FloatArray,
    prompt: IntArray,
    reviewer: IntArray,
    method: Method,
    scale: float,
) -> Estimate:
    n, prompts, reviewers = sizes = _sizes(prompt, reviewer)
    problem = _problem(n, prompts, reviewers)
    if problem is None and float(influence @ influence) * n <= _ROUNDING * max(scale, 1e-300):
        problem = "all values are the same"
    if problem is not None:
        return Estimate(value, None, None, *sizes, problem)
    found = two_way_variance(influence, weights, prompt, reviewer, method)
    return Estimate(value, float(np.sqrt(found.variance)), found.df, *sizes)


def _problem(n: int, prompts: int, reviewers: int) -> str | None:
    if n == 0:
        return "there are no ratings"
    if prompts < 2:
        return "there is only one prompt"
    if reviewers < 2:
        return "there is only one reviewer"
    return None


def _sizes(prompt: IntArray, reviewer: IntArray) -> tuple[int, int, int]:
    return len(prompt), len(np.unique(prompt)), len(np.unique(reviewer))


def _check(values: FloatArray, prompt: IntArray, reviewer: IntArray) -> None:
    if not values.shape == prompt.shape == reviewer.shape or values.ndim != 1:
        raise ValueError("values, prompt and reviewer must be one-dimensional and of the same length")
    if not np.isfinite(values).all():
        raise ValueError("values must be finite")
