"""Ratings in crossed clusters: prompt, reviewer and weight of each rating.

Computed once and shared by all statistics of the same ratings.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from evaluation.stats.arrays import FloatArray, IntArray, dense_codes, group_sums


@dataclass(frozen=True, eq=False)
class Factor:
    """A grouping of n ratings: `codes` (n,) from 0 to levels − 1, and each level's share of the weight, (levels,)."""

    codes: IntArray
    shares: FloatArray

    @property
    def levels(self) -> int:
        return len(self.shares)

    def sums(self, values: FloatArray) -> FloatArray:
        """Sum of `values` (n,) in each level, (levels,)."""
        return group_sums(values, self.codes)

    @cached_property
    def effective_df(self) -> float:
        """Satterthwaite df of Σ k_g (b_g − Σ W_h b_h)², with k_g = (W_g/(1−W_g))² and iid cluster effects b.

        For a quadratic form b'Ab, 2·E²/Var is tr(A)²/tr(A²), here with A = (I−W1')'K(I−1W'). Both traces
        reduce to sums. Equal shares give G − 1.
        """
        shares = self.shares
        k = (shares / (1 - shares)) ** 2
        q = float(shares @ shares)
        trace = float(k @ (1 + q - 2 * shares))
        total, first, second = float(k.sum()), float(k @ shares), float(k @ (shares * shares))
        square = q * q * total**2 + 2 * second * total - 4 * q * first * total + 2 * first**2
        square += float((k * k) @ (1 + 2 * (q - 2 * shares)))
        return trace * trace / square


@dataclass(frozen=True, eq=False)
class Clusters:
    """n ratings: codes of `prompt` and `reviewer` (n,), and `weights` (n,) with sum 1.

    Codes are any integers; only their equality matters. `nested` means that `prompt` holds codes of groups of prompts,
    so ratings of a group can be correlated in more than one way. Raises ValueError if the arrays differ in length.
    """

    prompt: IntArray
    reviewer: IntArray
    weights: FloatArray
    nested: bool = False

    def __post_init__(self) -> None:
        if not self.prompt.shape == self.reviewer.shape == self.weights.shape or self.prompt.ndim != 1:
            raise ValueError("prompt, reviewer and weights must be one-dimensional and of the same length")
        object.__setattr__(self, "prompt", dense_codes(self.prompt))
        object.__setattr__(self, "reviewer", dense_codes(self.reviewer))

    @cached_property
    def sizes(self) -> tuple[int, int, int]:
        """Numbers of ratings, prompts and reviewers."""
        if not len(self.prompt):
            return 0, 0, 0
        return len(self.prompt), int(self.prompt.max()) + 1, int(self.reviewer.max()) + 1

    @cached_property
    def by_prompt(self) -> Factor:
        return self._factor(self.prompt)

    @cached_property
    def by_reviewer(self) -> Factor:
        return self._factor(self.reviewer)

    @cached_property
    def by_cell(self) -> Factor:
        """Combinations of prompt and reviewer, mostly with one rating each."""
        return self._factor(dense_codes(self.prompt * np.int64(self.sizes[2]) + self.reviewer))

    def _factor(self, codes: IntArray) -> Factor:
        return Factor(codes, group_sums(self.weights, codes))
