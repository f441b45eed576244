"""Would the verdict stand with and without the ratings that the exclusion rule hits?

The rule freezes with the plan and looks at how somebody worked, never at who won; both results are always shown, so
that nobody has to trust the choice.
"""

from dataclasses import dataclass

from evaluation.stats.arrays import BoolArray
from evaluation.stats.equivalence import Evidence, Verdict, decide
from evaluation.stats.estimate import Interval
from evaluation.stats.primary import NO_PREFERENCE, WinScore, win_score
from evaluation.stats.ratings import Ratings


@dataclass(frozen=True)
class Side:
    """The headline for one choice of ratings."""

    score: WinScore
    verdict: Verdict
    interval: Interval | None


@dataclass(frozen=True)
class Exclusions:
    """`everything` uses all ratings; `kept` those that the rule leaves."""

    n_ratings: int
    n_reviewers: int
    everything: Side
    kept: Side

    @property
    def changes_verdict(self) -> bool:
        return self.everything.verdict != self.kept.verdict


def with_and_without(
    ratings: Ratings,
    excluded: BoolArray,
    *,
    margin: float,
    significance: float = 0.05,
    equivalence: float = 0.90,
) -> Exclusions:
    """Headline of all ratings and of those not `excluded` (n,).

    `significance` is what a p-value must not exceed, `equivalence` the confidence of the interval that must lie
    inside ½ ± `margin`. Raises ValueError when `excluded` does not fit the ratings.
    """
    if excluded.shape != ratings.outcome.shape:
        raise ValueError("excluded must say for every rating whether the rule hits it")
    kept = ratings.subset(~excluded)

    def side(rows: Ratings) -> Side:
        return _side(win_score(rows), margin, significance, equivalence)

    hit = ratings.subset(excluded)
    return Exclusions(len(hit), hit.n_reviewers, side(ratings), side(kept))


def _side(score: WinScore, margin: float, significance: float, equivalence: float) -> Side:
    interval = score.interval(1 - significance)
    evidence = Evidence(score.value, score.p_value(), interval, score.interval(equivalence))
    return Side(score, decide(evidence, null=NO_PREFERENCE, margin=margin, alpha=significance), interval)
