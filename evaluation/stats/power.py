"""Planning: the precision of a campaign, the effect it can detect, and the sample size it needs.

SE² = σ²[ρp/P + ρr·Σn_j²/N² + (1 − ρp − ρr)/N] for the mean of N ratings of P prompts by reviewers with n_j
ratings each, if a share ρp of the variance lies between prompts and ρr between reviewers. Derived from the
crossed random-intercept model. Power of the t test after Cohen (1988), ch. 2.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from evaluation.stats.quadrature import gauss_legendre


@dataclass(frozen=True)
class Variation:
    """`sd` of one rating, and the shares of its variance between prompts and between reviewers.

    Raises ValueError unless `sd` is positive, shares are not negative, and their sum is at most 1.
    """

    sd: float
    prompt_share: float
    reviewer_share: float

    def __post_init__(self) -> None:
        if self.sd <= 0 or min(self.prompt_share, self.reviewer_share) < 0:
            raise ValueError("sd must be positive and shares not negative")
        if self.prompt_share + self.reviewer_share > 1:
            raise ValueError("the shares of prompts and reviewers cannot exceed 1 together")


# The win score of an even contest with one fifth ties has a standard deviation near .45.
EXPERTS = Variation(sd=0.45, prompt_share=0.36, reviewer_share=0.04)
CROWD = Variation(sd=0.45, prompt_share=0.30, reviewer_share=0.185)


@dataclass(frozen=True)
class Design:
    """P prompts, each rated by `overlap` of R reviewers with equal workloads.

    Raises ValueError for fewer than two prompts or reviewers, or an `overlap` below one or above `reviewers`.
    """

    prompts: int
    overlap: int
    reviewers: int

    def __post_init__(self) -> None:
        if self.prompts < 2 or self.reviewers < 2 or self.overlap < 1:
            raise ValueError("a design needs two prompts, two reviewers and an overlap of one")
        if self.overlap > self.reviewers:
            raise ValueError("a prompt cannot have more ratings than there are reviewers")

    @property
    def ratings(self) -> int:
        return self.prompts * self.overlap


def standard_error(design: Design, variation: Variation) -> float:
    """Standard error of the mean, in the unit of `variation.sd`."""
    rest = 1 - variation.prompt_share - variation.reviewer_share
    per_variance = (
        variation.prompt_share / design.prompts
        + variation.reviewer_share / design.reviewers
        + rest / design.ratings
    )
    return variation.sd * math.sqrt(per_variance)


def power(effect: float, design: Design, variation: Variation, alpha: float = 0.05) -> float:
    """Power of the two-sided test with df = min(prompts, reviewers) − 1 for a difference of `effect`."""
    return t_power(
        effect / standard_error(design, variation), min(design.prompts, design.reviewers) - 1, alpha
    )


def minimum_detectable_effect(
    design: Design, variation: Variation, *, wanted: float = 0.8, alpha: float = 0.05
) -> float:
    """Smallest difference that is detected with power `wanted`, in the unit of `variation.sd`.

    Raises ValueError unless 0 < alpha < wanted < 1.
    """
    _check_power(wanted, alpha)
    df = min(design.prompts, design.reviewers) - 1
    shift = optimize.brentq(lambda d: t_power(d, df, alpha) - wanted, 0.0, 1e6)
    return float(shift) * standard_error(design, variation)


def prompts_needed(
    effect: float,
    variation: Variation,
    *,
    overlap: int,
    reviewers: int,
    wanted: float = 0.8,
    alpha: float = 0.05,
    at_most: int = 1_000_000,
) -> int | None:
    """Fewest prompts that reach power `wanted`; None if no number up to `at_most` does and more reviewers are needed.

    Raises ValueError unless 0 < alpha < wanted < 1.
    """
    _check_power(wanted, alpha)

    def enough(prompts: int) -> bool:
        return power(effect, Design(prompts, overlap, reviewers), variation, alpha) >= wanted

    if not enough(at_most):
        return None
    return _smallest(enough, 1, at_most)


def reviewer_floor(effect: float, variation: Variation) -> int:
    """Number of reviewers below which no number of prompts gives 80 % power: R ≥ ρr·(2.8/dz)², and at least 2.

    Raises ValueError unless `effect` is positive.
    """
    if effect <= 0:
        raise ValueError("the effect must be positive")
    return max(2, math.ceil(variation.reviewer_share * (2.8 * variation.sd / effect) ** 2))


def pairs_needed(dz: float, *, wanted: float = 0.8, alpha: float = 0.05) -> int:
    """Fewest independent pairs for a paired t test of standardised effect `dz` with power `wanted`.

    Raises ValueError unless `dz` is positive and 0 < alpha < wanted < 1.
    """
    if dz <= 0:
        raise ValueError("the effect must be positive")
    _check_power(wanted, alpha)
    n = 2
    while t_power(dz * math.sqrt(n), n - 1, alpha) < wanted:
        n *= 2
    return _smallest(lambda n: t_power(dz * math.sqrt(n), n - 1, alpha) >= wanted, n // 2, n)


def t_power(noncentrality: float, df: int, alpha: float) -> float:
    """Probability that a two-sided t test of level `alpha` rejects at this noncentrality.

    It is the mean of Φ(δ ∓ c·s) over the quantiles of s = √(χ²/df). Unlike the noncentral t series, it never
    fails.
    """
    critical = float(stats.t.isf(alpha / 2, df))
    x, w = gauss_legendre(200)
    s = np.sqrt(stats.chi2.ppf((x + 1) / 2, df) / df)
    rejects = stats.norm.cdf(noncentrality - critical * s) + stats.norm.cdf(-noncentrality - critical * s)
    return float(rejects @ w / 2)


def _smallest(enough: Callable[[int], bool], low: int, high: int) -> int:
    """Smallest n in (low, high] with `enough(n)`, given that `enough(high)` holds and `enough(low)` does not."""
    low = max(low, 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _check_power(wanted: float, alpha: float) -> None:
    if not 0 < alpha < wanted < 1:
        raise ValueError("alpha and power must satisfy 0 < alpha < power < 1")
