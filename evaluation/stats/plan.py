"""The analysis plan, frozen before the first rating is seen, and the planned looks at it."""

import hashlib
import json
from dataclasses import asdict, dataclass

from evaluation.stats.sequential import spending_boundaries

# Part of the hash: the same plan under another analysis is another plan.
ANALYSIS_VERSION = 1


@dataclass(frozen=True)
class Look:
    """The `number`-th analysis (1-based) of a plan whose looks happen at `fractions` of the planned ratings.

    Raises ValueError when `number` is not one of them or the fractions do not increase in (0, 1].
    """

    number: int
    fractions: tuple[float, ...]

    def __post_init__(self) -> None:
        if not 1 <= self.number <= len(self.fractions):
            raise ValueError("a look must be one of the planned looks")
        spending_boundaries(self.fractions)

    @property
    def fraction(self) -> float:
        return self.fractions[self.number - 1]

    @property
    def is_final(self) -> bool:
        return self.fraction >= 1


@dataclass(frozen=True)
class Plan:
    """What will be tested and how. `margin` is the smallest win-score difference from ½ that matters.

    `criteria` None analyses every criterion found; `planned_ratings` None means no planned end was stated;
    `looks` are fractions of the planned ratings, empty for one analysis at the end. `seed` drives every
    bootstrap and permutation. Raises ValueError for values that make no plan.
    """

    alpha: float = 0.05
    margin: float = 0.05
    criteria: tuple[str, ...] | None = None
    planned_ratings: int | None = None
    looks: tuple[float, ...] = ()
    seed: int = 0
    candidate_name: str = "the tuned model"
    baseline_name: str = "the base model"

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 0.5:
            raise ValueError("alpha must lie between 0 and 0.5")
        if not 0 < self.margin < 0.5:
            raise ValueError("margin must lie between 0 and 0.5")
        if self.planned_ratings is not None and self.planned_ratings < 1:
            raise ValueError("planned_ratings must be positive")
        if self.criteria is not None and len(set(self.criteria)) != len(self.criteria):
            raise ValueError("criteria must be distinct")
        if self.looks:
            spending_boundaries(self.looks, self.alpha)

    def look(self, number: int) -> Look:
        """The `number`-th planned look. Raises ValueError when the plan has no such look."""
        return Look(number, self.looks)

    def hash(self) -> str:
        """SHA-256 of the plan's canonical JSON: sorted keys, no spaces, UTF-8."""
        content = {**asdict(self), "analysis_version": ANALYSIS_VERSION}
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()
