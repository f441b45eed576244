"""A planned extension: the verdict after several stages, each with its own prompts and reviewers.

A test at the full level leaves nothing for a second one, so the number of possible extensions is part of the plan, and
all stages share the level. Each stage gives a statistic: its log odds over their standard error. With weights that
were fixed beforehand, here equal ones, the sum of independent standard normal statistics over √k is standard normal
whatever the sizes of the later stages, even if they were chosen after the earlier results. Sources: Lehmacher & Wassmer
(1999), Biometrics 55, for the combination; Pocock (1977), Biometrika 64, for the bound, which is the same after every
stage. `benchmarks.extensions` measures the level.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from scipy import special, stats

from evaluation.stats.estimate import Interval
from evaluation.stats.means import Mean
from evaluation.stats.sequential import classical_constant

MAX_EXTENSIONS = 2


@dataclass(frozen=True)
class Stage:
    """The result of one stage, as a later stage keeps it: the win score's log odds and their standard error.

    `se` is the half-width of the interval at the bound over the bound, so `log_odds` / `se` reaches the bound exactly
    where the stage alone is significant.
    """

    campaign: str
    log_odds: float
    se: float
    n_ratings: int
    n_prompts: int
    n_reviewers: int

    def __post_init__(self) -> None:
        if not (math.isfinite(self.log_odds) and math.isfinite(self.se) and self.se > 0):
            raise ValueError("a stage needs finite log odds and a positive standard error")

    @property
    def z(self) -> float:
        return self.log_odds / self.se

    @property
    def win_score(self) -> float:
        return float(special.expit(self.log_odds))


@dataclass(frozen=True)
class Combined:
    """The win score over `stages`, of a plan in which every stage is tested at `bound`."""

    stages: tuple[Stage, ...]
    bound: float

    @property
    def z(self) -> float:
        return sum(stage.z for stage in self.stages) / math.sqrt(len(self.stages))

    @property
    def p_value(self) -> float:
        """Two-sided, to be compared with the level of `bound`."""
        return float(2 * stats.norm.sf(abs(self.z)))

    @property
    def win_score(self) -> float:
        """The win score with a combined statistic of zero: stages count by the inverse of their standard errors."""
        return float(special.expit(self._at(0.0)))

    @property
    def interval(self) -> Interval:
        """The win scores that the combined test does not reject: a repeated confidence interval."""
        low, high = (float(special.expit(self._at(side * self.bound))) for side in (-1, 1))
        return Interval(low, high)

    def _at(self, z: float) -> float:
        """The log odds below the combined estimate by −`z` combined standard errors."""
        total = sum(stage.z for stage in self.stages) + z * math.sqrt(len(self.stages))
        return total / sum(1 / stage.se for stage in self.stages)


@cache
def stage_bound(extensions: int, alpha: float = 0.05) -> float:
    """The bound of |z| after every stage, with up to `extensions` stages after the first.

    Raises ValueError unless there are 0 to MAX_EXTENSIONS.
    """
    if not 0 <= extensions <= MAX_EXTENSIONS:
        raise ValueError(f"a plan can have 0 to {MAX_EXTENSIONS} extensions")
    return classical_constant(extensions + 1, "pocock", alpha)


def stage_level(extensions: int, alpha: float = 0.05) -> float:
    """The two-sided significance level of every stage."""
    return float(2 * stats.norm.sf(stage_bound(extensions, alpha)))


def more_ratings(extensions: int, alpha: float = 0.05, power: float = 0.8) -> float:
    """How many times the ratings the first stage needs for the same power as a single analysis."""
    tail = float(stats.norm.isf(1 - power))
    return ((stage_bound(extensions, alpha) + tail) / (float(stats.norm.isf(alpha / 2)) + tail)) ** 2


def stage_of(mean: Mean, bound: float, *, campaign: str, sizes: Sequence[int]) -> Stage | None:
    """The result of a stage whose win score is `mean`, with `sizes` of ratings, prompts and reviewers; None without
    a test."""
    on_odds = mean.log_odds(bound)
    return None if on_odds is None else Stage(campaign, *on_odds, *sizes)
