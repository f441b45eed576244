"""The primary outcome: the win score θ = P(win) + ½·P(tie or both bad), prompts weighing equally."""

from dataclasses import dataclass

from evaluation.stats.estimate import Interval
from evaluation.stats.exact import constant_interval, constant_p_value
from evaluation.stats.headline import PRIMARY_MODEL_LEVELS, Headline, headline_mean
from evaluation.stats.ratings import OutcomeName, Ratings

NO_PREFERENCE = 0.5


@dataclass(frozen=True)
class WinScore:
    """θ in [0, 1] with its inference. `clusters` = min(prompts, reviewers)."""

    headline: Headline
    counts: dict[OutcomeName, int]
    n_ratings: int
    n_prompts: int
    n_reviewers: int
    balanced_weights: bool
    effective_reviewers: float
    constant_value: float | None

    @property
    def constant(self) -> bool:
        """Whether all ratings have the same score."""
        return self.constant_value is not None

    @property
    def value(self) -> float | None:
        # The weighted mean of equal values can differ from them by rounding.
        return self.headline.value if self.constant_value is None else self.constant_value

    @property
    def problem(self) -> str | None:
        return None if self.constant else self.headline.problem

    @property
    def clusters(self) -> int:
        return min(self.n_prompts, self.n_reviewers)

    def interval(self, level: float = 0.95) -> Interval | None:
        """Interval of θ, clipped to [0, 1]. If all ratings have the same score, the exact interval over clusters."""
        if self.constant_value is not None:
            return constant_interval(self.constant_value, self.clusters, level)
        found = self.headline.interval(level)
        return found.clipped(0.0, 1.0) if found else None

    def p_value(self) -> float | None:
        """Two-sided p-value of H0: θ = ½."""
        if self.constant_value is not None:
            return constant_p_value(self.constant_value, self.clusters)
        return self.headline.p_value(NO_PREFERENCE)


def win_score(ratings: Ratings) -> WinScore:
    """The win score of `ratings`, which may be empty."""
    scores = ratings.win_score
    return WinScore(
        headline=headline_mean(scores, ratings.clusters, model_levels=PRIMARY_MODEL_LEVELS),
        counts=ratings.counts(),
        n_ratings=len(ratings),
        n_prompts=ratings.n_prompts,
        n_reviewers=ratings.n_reviewers,
        balanced_weights=ratings.weights.balanced,
        effective_reviewers=ratings.weights.effective_reviewers,
        constant_value=float(scores[0]) if len(scores) and bool((scores == scores[0]).all()) else None,
    )
