"""Tests about this panel of reviewers only: prompts are the sample and the reviewers are fixed.

They are shown beside the headline because readers know them. They ignore that other reviewers could disagree.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from evaluation.stats.arrays import FloatArray

_EXACT_PROMPTS = 16
_DRAWS = 20_000
# With more prompts, the normal approximation of the permutation distribution is more accurate than the draws.
_NORMAL_PROMPTS = 2_000


@dataclass(frozen=True)
class PanelTest:
    """`p_value` is two-sided; `method` says how the null distribution was obtained."""

    name: Literal["sign_flip", "signed_rank", "majorities"]
    statistic: float
    p_value: float
    method: str


def sign_flip(differences: FloatArray, *, seed: int, draws: int = _DRAWS) -> PanelTest:
    """Sign-flip test of the mean of `differences` (P,) against 0.

    It is exact up to 16 prompts, uses random flips up to 2,000, and the normal limit beyond. Source: Fisher
    (1935), The Design of Experiments, §21.
    """
    observed, size = abs(float(differences.sum())), len(differences)
    tolerance = 1e-9 * float(np.abs(differences).sum())
    mean = observed / size if size else 0.0
    if size > _NORMAL_PROMPTS:
        spread = float(np.sqrt(differences @ differences))
        p = float(2 * stats.norm.sf(observed / spread)) if spread else 1.0
        return PanelTest("sign_flip", mean, p, "normal limit of the sign-flip distribution")
    if size <= _EXACT_PROMPTS:
        signs = 1 - 2 * ((np.arange(2**size)[:, None] >> np.arange(size)) & 1)
        p = float((np.abs(signs @ differences) >= observed - tolerance).mean())
        return PanelTest("sign_flip", mean, p, "all sign flips")
    bits = np.frombuffer(np.random.default_rng(seed).bytes(-(-draws * size // 8)), dtype=np.uint8)
    # Floating-point numbers, because matrix products of small integers do not use the fast routine.
    drawn = 1.0 - 2.0 * np.unpackbits(bits)[: draws * size].reshape(draws, size)
    hits = int((np.abs(drawn @ differences) >= observed - tolerance).sum())
    return PanelTest("sign_flip", mean, (hits + 1) / (draws + 1), f"{draws} random sign flips")


def signed_rank(differences: FloatArray) -> PanelTest:
    """Wilcoxon's signed-rank test of `differences` (P,) without zeros. The statistic is the positive rank sum."""
    moved = differences[differences != 0]
    if not len(moved):
        return PanelTest("signed_rank", 0.0, 1.0, "no prompt differs")
    ranks = stats.rankdata(np.abs(moved))
    tied = len(np.unique(ranks)) < len(ranks)
    method = "asymptotic" if tied or len(moved) > 50 else "exact"
    p = float(stats.wilcoxon(moved, method=method, correction=method == "asymptotic").pvalue)
    return PanelTest("signed_rank", float(ranks[moved > 0].sum()), p, method)


def majorities(differences: FloatArray) -> PanelTest:
    """Exact binomial test of the number of prompts in favour of the candidate, among prompts in favour of one side."""
    up, down = int((differences > 0).sum()), int((differences < 0).sum())
    p = float(stats.binomtest(up, up + down).pvalue) if up + down else 1.0
    return PanelTest("majorities", float(up), p, f"{up} of {up + down} leaning prompts")
