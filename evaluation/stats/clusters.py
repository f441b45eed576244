"""Ratings in crossed clusters: who rated what, and how much each rating counts.

Made once and shared by every statistic over the same ratings.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from evaluation.stats.arrays import FloatArray, IntArray, dense_codes, group_sums


@dataclass(frozen=True, eq=False)
class Factor:
    """One way to group n ratings: `codes` (n,) 0 … levels − 1, and the share of the weight in each level (levels,)."""

    codes: IntArray
    shares: FloatArray

    @property
    def levels(self) -> int:
        return len(self.shares)

    def sums(self, values: FloatArray) -> FloatArray:
        """Sum of `values` (n,) in each level."""
        return group_sums(values, self.codes)

    @cached_property
    def effective_df(self) -> float:
        """Satterthwaite df of Σ k_g (b_g − Σ W_h b_h)², k_g = (W_g/(1−W_g))², for iid cluster effects b.

        2·E²/Var of a quadratic form b'Ab is tr(A)²/tr(A²) with A = (I−W1')'K(I−1W'); both traces reduce to
        sums. Equal shares give G − 1.
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
    """n ratings: codes of `prompt` and `reviewer` (n,), of which only equality matters, and `weights` (n,) with sum 1.

    Raises ValueError when they differ in length.
    """

    prompt: IntArray
    reviewer: IntArray
    weights: FloatArray

    def __post_init__(self) -> None:
        if not self.prompt.shape == self.reviewer.shape == self.weights.shape or self.prompt.ndim != 1:
            raise ValueError("prompt, reviewer and weights must be one-dimensional and of the same length")
        object.__setattr__(self, "prompt", dense_codes(self.prompt))
        object.__setattr__(self, "reviewer", dense_codes(self.reviewer))

    @cached_property
    def sizes(self) -> tuple[int, int, int]:
        """How many ratings, prompts and reviewers."""
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
        """Prompt and reviewer together: mostly one rating each."""
        return self._factor(dense_codes(self.prompt * np.int64(self.sizes[2]) + self.reviewer))

    def _factor(self, codes: IntArray) -> Factor:
        return Factor(codes, group_sums(self.weights, codes))
