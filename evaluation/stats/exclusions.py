"""The headline with and without the ratings that the exclusion rule matches.

The rule is frozen with the plan. It uses reviewer behaviour only, never which response was preferred. Both
results are always shown, so readers can judge the effect of the rule.
"""

from dataclasses import dataclass

from evaluation.stats.arrays import BoolArray
from evaluation.stats.equivalence import Verdict
from evaluation.stats.estimate import Interval
from evaluation.stats.primary import WinScore, win_score
from evaluation.stats.ratings import Ratings


@dataclass(frozen=True)
class Side:
    """The headline for one selection of ratings."""

    score: WinScore
    verdict: Verdict
    interval: Interval | None


@dataclass(frozen=True)
class Exclusions:
    """`everything` uses all ratings; `kept` uses those that the rule does not match."""

    n_ratings: int
    n_reviewers: int
    everything: Side
    kept: Side

    @property
    def changes_verdict(self) -> bool:
        """Whether the verdicts differ; False if no ratings are left to compare."""
        return self.kept.score.n_ratings > 0 and self.everything.verdict != self.kept.verdict


def with_and_without(
    ratings: Ratings,
    excluded: BoolArray,
    *,
    margin: float,
    significance: float = 0.05,
    equivalence: float = 0.90,
) -> Exclusions:
    """Headline of all ratings, and of those not `excluded` (n,).

    `margin` is a difference of win scores. A p-value up to `significance` is significant. `equivalence` is
    the confidence of the interval that must lie inside ½ ± `margin`. Raises ValueError if `excluded` differs
    in length from the ratings.
    """
    if excluded.shape != ratings.outcome.shape:
        raise ValueError("excluded must say for every rating whether the rule hits it")
    kept = ratings.subset(~excluded)

    def side(rows: Ratings) -> Side:
        return _side(win_score(rows), margin, significance, equivalence)

    hit = ratings.subset(excluded)
    return Exclusions(len(hit), hit.n_reviewers, side(ratings), side(kept))


def _side(score: WinScore, margin: float, significance: float, equivalence: float) -> Side:
    verdict = score.verdict(margin=margin, significance=significance, equivalence=equivalence)
    return Side(score, verdict, score.interval(1 - significance))
