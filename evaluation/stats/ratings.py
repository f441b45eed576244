"""Ratings as arrays: one row per submitted rating, from the candidate's point of view."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from evaluation.stats.arrays import BoolArray, FloatArray, IntArray, dense_codes
from evaluation.stats.clusters import Clusters
from evaluation.stats.weights import Weights, choose_weights

OutcomeName = Literal["win", "tie", "both_bad", "loss"]
OUTCOMES: tuple[OutcomeName, ...] = get_args(OutcomeName)
WIN, TIE, BOTH_BAD, LOSS = range(4)
# A tie and "both bad" each count as half a win, because neither response was preferred.
SCORE_OF_OUTCOME: FloatArray = np.array([1.0, 0.5, 0.5, 0.0])


@dataclass(frozen=True, eq=False)
class Slicing:
    """Parts of the prompts. `code` (n,) indexes `labels`; −1 means that a rating belongs to no part."""

    code: IntArray
    labels: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Ratings:
    """n ratings of pairs.

    `prompt` and `reviewer` (n,) are integer codes; only their equality matters. `outcome` (n,) indexes
    OUTCOMES from the candidate's side. `candidate_left` (n,) is true if the candidate was shown on the left; it
    has no meaning unless `sides_known`.
    `criteria` maps a name to (baseline, candidate) scores (n,), NaN where not given. `yes_no` maps an outcome
    to (baseline, candidate) answers (n,): 1, 0, or NaN where not given. `simulated` means that some ratings
    were not made by people: `n_simulated` of them, or all if it is None; every sentence about the ratings
    then says so. `slices` maps a name to its parts, for exploration. `lengths` are the (baseline, candidate)
    numbers of words (n,) of the responses, NaN where unknown. `from_zero` names the criteria whose scale starts at
    zero, so that a ratio of their means has a meaning. `group` (n,) are codes of what the prompts have in common, such
    as topics or customers; None if prompts are independent. Raises ValueError if the arrays differ in
    length or a column holds invalid values.
    """

    prompt: IntArray
    reviewer: IntArray
    outcome: IntArray
    candidate_left: BoolArray
    criteria: Mapping[str, tuple[FloatArray, FloatArray]] = field(default_factory=dict)
    simulated: bool = False
    n_simulated: int | None = None
    yes_no: Mapping[str, tuple[FloatArray, FloatArray]] = field(default_factory=dict)
    slices: Mapping[str, Slicing] = field(default_factory=dict)
    lengths: tuple[FloatArray, FloatArray] | None = None
    from_zero: frozenset[str] = frozenset()
    sides_known: bool = True
    group: IntArray | None = None

    def __post_init__(self) -> None:
        n = len(self.outcome)
        columns: list[npt.NDArray[np.generic]] = [self.prompt, self.reviewer, self.candidate_left]
        columns += [side for pair in (*self.criteria.values(), *self.yes_no.values()) for side in pair]
        columns += [slicing.code for slicing in self.slices.values()]
        columns += [] if self.group is None else [self.group]
        columns += self.lengths or ()
        if any(column.shape != (n,) for column in columns):
            raise ValueError("every column of the ratings must be one-dimensional and of the same length")
        if n and not (self.outcome.min() >= 0 and self.outcome.max() < len(OUTCOMES)):
            raise ValueError(f"outcome codes must index {OUTCOMES}")
        if any(not _is_yes_no(side) for pair in self.yes_no.values() for side in pair):
            raise ValueError("a yes/no outcome holds 1, 0 or NaN")
        object.__setattr__(self, "prompt", dense_codes(self.prompt))
        object.__setattr__(self, "reviewer", dense_codes(self.reviewer))

    def __len__(self) -> int:
        return len(self.outcome)

    @property
    def n_prompts(self) -> int:
        return int(self.prompt.max()) + 1 if len(self) else 0

    @property
    def n_reviewers(self) -> int:
        return int(self.reviewer.max()) + 1 if len(self) else 0

    @property
    def win_score(self) -> FloatArray:
        """Score of each rating (n,): 1 for a win, ½ for a tie or both bad, 0 for a loss."""
        return SCORE_OF_OUTCOME[self.outcome]

    @cached_property
    def weights(self) -> Weights:
        """Weight of each rating."""
        return choose_weights(self.prompt, self.reviewer)

    @cached_property
    def clusters(self) -> Clusters:
        """The ratings as weighted clusters, shared by every mean over all ratings.

        Prompts have equal weights in any case. With groups, these take the place of the prompts as clusters.
        """
        return Clusters(self._sampled, self.reviewer, self.weights.values, nested=self.group is not None)

    def clusters_where(self, keep: BoolArray) -> Clusters:
        """The clusters of the ratings where `keep` (n,) is true, with their own weights."""
        if keep.all():
            return self.clusters
        weights = choose_weights(self.prompt[keep], self.reviewer[keep]).values
        return Clusters(self._sampled[keep], self.reviewer[keep], weights, nested=self.group is not None)

    @property
    def _sampled(self) -> IntArray:
        return self.prompt if self.group is None else self.group

    def grouped_by(self, name: str) -> "Ratings":
        """The ratings with the parts of the slicing `name` as groups. A prompt without a part is a group of its own.

        Raises KeyError if there is no such slicing.
        """
        code = self.slices[name].code
        own = len(self.slices[name].labels) + self.prompt
        return replace(self, group=np.where(code >= 0, code, own).astype(np.int64))

    def counts(self) -> dict[OutcomeName, int]:
        """Number of ratings with each outcome."""
        numbers = np.bincount(self.outcome, minlength=len(OUTCOMES))
        return {name: int(number) for name, number in zip(OUTCOMES, numbers, strict=True)}

    @property
    def made_by(self) -> str:
        """Who made the ratings, as a phrase for a sentence."""
        if not self.simulated:
            return "reviewers"
        mixed = self.n_simulated is not None and self.n_simulated < len(self)
        return "people and simulated reviewers together" if mixed else "simulated reviewers"

    def subset(self, keep: BoolArray) -> "Ratings":
        """The ratings where `keep` (n,) is true."""
        return Ratings(
            self.prompt[keep],
            self.reviewer[keep],
            self.outcome[keep],
            self.candidate_left[keep],
            {name: (b[keep], c[keep]) for name, (b, c) in self.criteria.items()},
            self.simulated,
            self.n_simulated,
            {name: (b[keep], c[keep]) for name, (b, c) in self.yes_no.items()},
            {name: Slicing(one.code[keep], one.labels) for name, one in self.slices.items()},
            None if self.lengths is None else (self.lengths[0][keep], self.lengths[1][keep]),
            self.from_zero,
            self.sides_known,
            None if self.group is None else self.group[keep],
        )


def slicing(labels: Sequence[str | None]) -> Slicing:
    """Slicing by label (n,), one per rating. A rating with None or an empty label belongs to no part."""
    names = sorted({label for label in labels if label})
    index = {name: code for code, name in enumerate(names)}
    return Slicing(
        np.array([index[label] if label else -1 for label in labels], dtype=np.int64), tuple(names)
    )


def _is_yes_no(answers: FloatArray) -> bool:
    return bool(((answers == 0) | (answers == 1) | np.isnan(answers)).all())


def outcome_codes(names: Sequence[OutcomeName]) -> IntArray:
    """Outcome codes (n,) for outcome names. Raises ValueError for a name outside OUTCOMES."""
    index: dict[str, int] = {name: code for code, name in enumerate(OUTCOMES)}
    unknown = sorted({name for name in names if name not in index})
    if unknown:
        raise ValueError(f"unknown outcomes: {', '.join(unknown)}")
    return np.array([index[name] for name in names], dtype=np.int64)
