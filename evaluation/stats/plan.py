"""The analysis plan, frozen before the first rating is seen, and the planned looks at it."""

import hashlib
import json
from dataclasses import asdict, dataclass, fields

from evaluation.stats.reviewers import FLAG_CODES
from evaluation.stats.sequential import spending_boundaries

# Stored in the plan and part of its hash: the same plan under another analysis is another plan.
ANALYSIS_VERSION = 2


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

    `criteria` None analyses every criterion found, `yes_no` None every yes/no outcome; `planned_ratings` None means
    no planned end was stated; `looks` are fractions of the planned ratings, empty for one analysis at the end.
    `watch_se`, where given, makes every analysis a confidence sequence that may be watched all the time: it is the
    standard error of the win score expected at the end. `exclusion` names the flags (see `reviewers.FLAG_CODES`)
    whose reviewers the headline leaves out. `seed` drives every bootstrap and permutation. Raises ValueError for
    values that make no plan.
    """

    alpha: float = 0.05
    margin: float = 0.05
    criteria: tuple[str, ...] | None = None
    yes_no: tuple[str, ...] | None = None
    planned_ratings: int | None = None
    looks: tuple[float, ...] = ()
    watch_se: float | None = None
    exclusion: tuple[str, ...] = ()
    seed: int = 0
    candidate_name: str = "the tuned model"
    baseline_name: str = "the base model"
    analysis_version: int = ANALYSIS_VERSION

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 0.5:
            raise ValueError("alpha must lie between 0 and 0.5")
        if not 0 < self.margin < 0.5:
            raise ValueError("margin must lie between 0 and 0.5")
        if self.planned_ratings is not None and self.planned_ratings < 1:
            raise ValueError("planned_ratings must be positive")
        for names in (self.criteria or (), self.yes_no or ()):
            if len(set(names)) != len(names):
                raise ValueError("criteria and yes/no outcomes must be distinct")
        unknown = sorted(set(self.exclusion) - set(FLAG_CODES))
        if unknown:
            raise ValueError(
                f"exclusion must name flags among {', '.join(FLAG_CODES)}, not {', '.join(unknown)}"
            )
        if self.looks:
            spending_boundaries(self.looks, self.alpha)
        if self.watch_se is not None and (self.watch_se <= 0 or len(self.looks) > 1):
            raise ValueError(
                "watch_se must be positive, and a plan that is watched has no looks before the end"
            )

    def look(self, number: int) -> Look:
        """The `number`-th planned look. Raises ValueError when the plan has no such look."""
        return Look(number, self.looks)

    def hash(self) -> str:
        """SHA-256 of the plan's canonical JSON: sorted keys, no spaces, UTF-8.

        Only what differs from the defaults is written, with the version: a field that a later version adds
        leaves the hash of the plans before it as it was.
        """
        usual = {f.name: f.default for f in fields(self) if f.name != "analysis_version"}
        content = {name: value for name, value in asdict(self).items() if usual.get(name, self) != value}
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()
