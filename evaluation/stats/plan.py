"""The analysis plan, frozen before the first rating is seen, and its planned analyses."""

import hashlib
import json
from dataclasses import asdict, dataclass, fields

from evaluation.stats.reviewers import FLAG_CODES
from evaluation.stats.sequential import spending_boundaries
from evaluation.stats.stages import Stage, stage_bound

# Part of the plan and its hash, so the same settings under another analysis version are another plan.
ANALYSIS_VERSION = 3
# The defaults when the first plans were hashed.
_FORMER_NAMES = {"candidate_name": "the tuned model", "baseline_name": "the base model"}


@dataclass(frozen=True)
class Look:
    """The `number`-th planned analysis (1-based), of analyses at `fractions` of the planned ratings.

    Raises ValueError if `number` is not one of them or the fractions are not increasing in (0, 1].
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
    """What will be tested and how. `margin` is the smallest difference of the win score from ½ that matters.

    `alpha` is the two-sided significance level. `criteria` None means every criterion in the data, and `yes_no`
    None every yes/no outcome. `planned_ratings` None means that no end was planned. `looks` are the planned
    analyses as fractions of the planned ratings; empty means one analysis at the end. `watch_se`, if given, makes
    every analysis part of a confidence sequence that may be monitored at any time; it is the standard error of the
    win score expected at the end. `exclusion` names the flags (see `reviewers.FLAG_CODES`) whose reviewers the
    headline leaves out. `seed` determines every bootstrap and permutation. `cluster` names the slicing (a tag of
    the prompts, such as topic, customer or document) whose parts are sampled together; empty means that prompts are
    independent. `frozen` False means that the settings were chosen at the analysis, with the data at hand.
    `extensions` is the number of stages that may follow the first one, and `earlier` are the results of the stages
    before this one; all stages share alpha. `confirms` names the campaigns that tested the same question before and
    left it open, and that do not count. Raises ValueError for an invalid value or combination.
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
    candidate_name: str = "the candidate"
    baseline_name: str = "the baseline"
    analysis_version: int = ANALYSIS_VERSION
    frozen: bool = True
    cluster: str = ""
    extensions: int = 0
    earlier: tuple[Stage, ...] = ()
    confirms: tuple[str, ...] = ()

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

        stage_bound(self.extensions, self.alpha)
        if self.extensions and (self.watch_se is not None or len(self.looks) > 1):
            raise ValueError("a plan with extensions has one analysis, at the end of each stage")
        if len(self.earlier) > self.extensions:
            raise ValueError("a plan has at most as many earlier stages as extensions")

    def look(self, number: int) -> Look:
        """The `number`-th planned analysis. Raises ValueError if the plan has no such analysis."""
        return Look(number, self.looks)

    def hash(self) -> str:
        """SHA-256 of the plan's canonical JSON: sorted keys, no spaces, UTF-8.

        Only values that differ from the defaults are included, and the version. A field added in a later
        version therefore does not change the hash of earlier plans.
        """
        usual = {f.name: f.default for f in fields(self) if f.name != "analysis_version"} | _FORMER_NAMES
        content = {name: value for name, value in asdict(self).items() if usual.get(name, self) != value}
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()
