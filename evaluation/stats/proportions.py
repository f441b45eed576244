"""Yes/no outcomes: shares of "yes" with clustered intervals, their difference, and the relative change.

The interval of one share is Wilson's score interval at the effective sample size p(1 − p)/SE², with the t
quantile of the clustered standard error. Source: Dean & Pagano (2015), Evaluating confidence interval methods
for binomial proportions in clustered surveys, J. Survey Statistics and Methodology 3.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from evaluation.stats.clustered import clustered_mean, clustered_ratio
from evaluation.stats.estimate import Estimate, Interval
from evaluation.stats.exact import constant_interval
from evaluation.stats.headline import Headline, headline_mean
from evaluation.stats.ratings import Ratings


@dataclass(frozen=True)
class ProportionResult:
    """Share of "yes", candidate − baseline (−1 … 1). `ratio` is candidate share / baseline share.

    Only ratings with answers for both sides count; `n_missing` is the number of the others. `constant` means
    that all ratings have the same difference, so the interval is the exact one over the smaller number of
    prompts and reviewers.
    """

    name: str
    difference: Headline
    ratio: Estimate
    baseline: Estimate
    candidate: Estimate
    constant: bool
    n_missing: int

    @property
    def problem(self) -> str | None:
        return None if self.constant else self.difference.problem

    @property
    def relative_change(self) -> float | None:
        return None if self.ratio.value is None else self.ratio.value - 1

    def interval(self, level: float = 0.95) -> Interval | None:
        """Interval of the difference, clipped to [−1, 1]."""
        whole, value = self.difference.clustered, self.difference.value
        if self.constant and value is not None:
            found = constant_interval((value + 1) / 2, min(whole.n_prompts, whole.n_reviewers), level)
            return Interval(2 * found.low - 1, 2 * found.high - 1)
        between = self.difference.interval(level)
        return between.clipped(-1.0, 1.0) if between else None

    def p_value(self) -> float | None:
        """Two-sided p-value of H0: no difference; 1 if all ratings show no difference.

        None without a standard error, also if all ratings show the same nonzero difference.
        """
        if self.constant:
            return 1.0 if self.difference.value == 0 else None
        return self.difference.p_value()

    def relative_interval(self, level: float = 0.95) -> Interval | None:
        found = self.ratio.interval(level)
        return found.shifted(-1).clipped(-1.0, math.inf) if found else None


def proportion_difference(ratings: Ratings, name: str) -> ProportionResult:
    """Inference for the yes/no outcome `name`. Raises KeyError when the ratings do not have it."""
    baseline, candidate = ratings.yes_no[name]
    answered = np.isfinite(baseline) & np.isfinite(candidate)
    clusters = ratings.clusters_where(answered)
    before, after = baseline[answered], candidate[answered]
    difference = after - before
    constant = bool(len(difference)) and bool((difference == difference[0]).all())
    found = headline_mean(difference, clusters)
    return ProportionResult(
        name=name,
        difference=found,
        ratio=clustered_ratio(after, before, clusters),
        baseline=clustered_mean(before, clusters),
        candidate=clustered_mean(after, clusters),
        constant=constant,
        n_missing=int(len(ratings) - answered.sum()),
    )


def share_interval(share: Estimate, level: float = 0.95) -> Interval | None:
    """Interval of one share in [0, 1]; None without answers.

    If all answers agree, the exact interval over the smaller number of prompts and reviewers.
    """
    if share.value is None:
        return None
    clusters = min(share.n_prompts, share.n_reviewers)
    if share.se is None or share.df is None:
        same = share.value < 1e-9 or share.value > 1 - 1e-9
        return constant_interval(float(round(share.value)), clusters, level) if same else None
    return _wilson_clustered(share.value, share.se, share.df, level)


def _wilson_clustered(p: float, se: float, df: float, level: float) -> Interval:
    t = float(stats.t.isf((1 - level) / 2, df))
    n = p * (1 - p) / se**2
    center = (p + t * t / (2 * n)) / (1 + t * t / n)
    half = t / (1 + t * t / n) * math.sqrt(p * (1 - p) / n + t * t / (4 * n * n))
    return Interval(max(center - half, 0.0), min(center + half, 1.0))
