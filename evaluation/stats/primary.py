"""The primary outcome: the win score θ = P(win) + ½·P(tie or both bad), prompts weighing equally."""

from dataclasses import dataclass

from evaluation.stats.equivalence import Evidence, Verdict, decide
from evaluation.stats.estimate import Interval
from evaluation.stats.headline import PRIMARY_MODEL_LEVELS, Headline
from evaluation.stats.means import Mean, mean_of
from evaluation.stats.ratings import OutcomeName, Ratings

NO_PREFERENCE = 0.5
# With fewer reviewers, a noisy crowd exceeds the stated level (`benchmarks.stats_calibration`), so there is no verdict.
FEWEST_REVIEWERS = 5


@dataclass(frozen=True)
class WinScore:
    """θ in [0, 1] with its inference."""

    mean: Mean
    counts: dict[OutcomeName, int]
    n_ratings: int
    n_prompts: int
    n_reviewers: int
    balanced_weights: bool
    effective_reviewers: float

    @property
    def headline(self) -> Headline:
        """The two inferences that the interval combines."""
        return self.mean.headline

    @property
    def constant(self) -> bool:
        """Whether all ratings have the same score."""
        return self.mean.constant

    @property
    def value(self) -> float | None:
        return self.mean.value

    @property
    def problem(self) -> str | None:
        return self.mean.problem

    @property
    def se(self) -> float | None:
        return self.mean.se

    def interval(self, level: float = 0.95) -> Interval | None:
        return self.mean.interval(level)

    def p_value(self) -> float | None:
        """Two-sided p-value of H0: θ = ½."""
        return self.mean.p_value(NO_PREFERENCE)

    def verdict(self, *, margin: float, significance: float, equivalence: float) -> Verdict:
        """The verdict, with `margin` around ½. An interval of confidence `equivalence` inside it is equivalence."""
        if self.n_reviewers < FEWEST_REVIEWERS:
            return "inconclusive"
        evidence = Evidence(
            self.value, self.p_value(), self.interval(1 - significance), self.interval(equivalence)
        )
        return decide(evidence, null=NO_PREFERENCE, margin=margin, alpha=significance)


def win_score(ratings: Ratings) -> WinScore:
    """The win score of `ratings`, which may be empty."""
    scores = ratings.win_score
    return WinScore(
        mean=mean_of(scores, ratings.clusters, model_levels=PRIMARY_MODEL_LEVELS),
        counts=ratings.counts(),
        n_ratings=len(ratings),
        n_prompts=ratings.n_prompts,
        n_reviewers=ratings.n_reviewers,
        balanced_weights=ratings.weights.balanced,
        effective_reviewers=ratings.weights.effective_reviewers,
    )
