"""Cautions about dependence: clusters of prompts, and workloads that are related to the answers."""

from collections.abc import Iterator

import numpy as np
from scipy import stats

from evaluation.stats.plan import Plan
from evaluation.stats.ratings import Ratings
from evaluation.stats.summaries import Caution, ReviewersSummary
from evaluation.stats.wording import counted

ENOUGH_CLUSTERS = 10
_WORKLOAD_LEVEL = 0.01
_ENOUGH_FOR_RANKS = 8


def structure_cautions(ratings: Ratings, reviewers: ReviewersSummary, plan: Plan) -> Iterator[Caution]:
    """Cautions about dependence: few clusters, clusters that the data lack, and workloads related to the answers."""
    if plan.cluster and ratings.group is None and len(ratings):
        yield Caution(
            "no_clusters",
            f"The plan clusters prompts by '{plan.cluster}', but no prompt has this tag. Prompts count as independent.",
        )
    if ratings.group is not None and len(ratings):
        groups = len(np.unique(ratings.group))
        if groups < ENOUGH_CLUSTERS:
            yield Caution(
                "few_clusters",
                f"The prompts come from only {counted(groups, 'cluster')} by '{plan.cluster}': others may give another "
                f"result. {ENOUGH_CLUSTERS} or more are advised.",
            )
    p_value = workload_p_value(reviewers)
    if p_value is not None and p_value <= _WORKLOAD_LEVEL:
        yield Caution(
            "informative_workload",
            "Reviewers with many ratings answered differently from those with few (rank correlation, p = "
            f"{p_value:.2g}). If people stopped or went on because of what they saw, the result is biased.",
        )


def workload_p_value(reviewers: ReviewersSummary) -> float | None:
    """p-value of Spearman's correlation of number of ratings and mean win score; None for few or equal workloads."""
    numbers = np.array([one.n_ratings for one in reviewers.each])
    scores = np.array([one.win_score for one in reviewers.each])
    if len(numbers) < _ENOUGH_FOR_RANKS or np.ptp(numbers) == 0 or np.ptp(scores) == 0:
        return None
    return float(stats.spearmanr(numbers, scores).pvalue)
