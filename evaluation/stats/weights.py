"""Weights of the ratings in a mean over prompts.

Every prompt has the same weight. Inside a prompt, ratings have equal weights too, unless reviewer workloads
are so uneven that a few reviewers would dominate. In that case a reviewer with n_r ratings has a weight ∝
1/(3 + n_r) inside each of their prompts. The rule uses only who rated what, never the outcome, so the tests
stay valid.
"""

from dataclasses import dataclass

import numpy as np

from evaluation.stats.arrays import FloatArray, IntArray, dense_codes, group_sums

# Workloads are uneven below this ratio of effective to actual reviewers. Random assignment of 3 of 20
# reviewers to each of 100 prompts gives about .95, a 1/rank workload about .5.
UNEVEN_BELOW = 0.7
# The optimal weight inside a prompt is near 1/(σ²e/σ²r + n_r). The ratio of residual to reviewer variance is
# about 15 for experts and 3 for noisy crowds, where balancing matters most. The optimum is flat.
_RESIDUAL_OVER_REVIEWER = 3.0


@dataclass(frozen=True, eq=False)
class Weights:
    """`values` (n,) sum to 1. `effective_reviewers` is 1/Σ(share of reviewer)² under plain prompt weights."""

    values: FloatArray
    balanced: bool
    effective_reviewers: float


def rating_weights(n: int) -> FloatArray:
    """Equal weights (n,), which give the plain mean over ratings."""
    return np.full(n, 1 / n) if n else np.zeros(0)


def prompt_weights(prompt: IntArray) -> FloatArray:
    """Weights (n,) equal for all prompts, and equal inside each prompt: the mean of prompt means."""
    return _spread(prompt, np.ones(len(prompt)))


def reviewer_balanced_weights(prompt: IntArray, reviewer: IntArray) -> FloatArray:
    """Weights (n,) equal for all prompts; inside a prompt, ∝ 1/(3 + number of the reviewer's ratings)."""
    codes = dense_codes(reviewer)
    return _spread(prompt, 1 / (_RESIDUAL_OVER_REVIEWER + np.bincount(codes)[codes]))


def choose_weights(prompt: IntArray, reviewer: IntArray) -> Weights:
    """Prompt weights, balanced by reviewer if workloads are uneven (see the module docstring)."""
    plain = prompt_weights(prompt)
    if not len(prompt):
        return Weights(plain, False, 0.0)
    shares = group_sums(plain, dense_codes(reviewer))
    effective = float(1 / (shares @ shares))
    if effective < UNEVEN_BELOW * len(shares):
        return Weights(reviewer_balanced_weights(prompt, reviewer), True, effective)
    return Weights(plain, False, effective)


def _spread(prompt: IntArray, relative: FloatArray) -> FloatArray:
    if not len(prompt):
        return np.zeros(0)
    codes = dense_codes(prompt)
    totals = group_sums(relative, codes)
    return relative / (len(totals) * totals[codes])
