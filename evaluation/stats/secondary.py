"""Report sections beside the headline: yes/no outcomes, length, slices, exclusions and reviewer quality."""

from collections.abc import Mapping

import numpy as np

from evaluation.stats.arrays import BoolArray, FloatArray
from evaluation.stats.criteria import CriterionResult
from evaluation.stats.exclusions import Exclusions, Side, with_and_without
from evaluation.stats.length import length_adjusted_win_score
from evaluation.stats.levels import Levels
from evaluation.stats.multiplicity import gatekept
from evaluation.stats.plan import Plan
from evaluation.stats.primary import NO_PREFERENCE
from evaluation.stats.proportions import ProportionResult, proportion_difference
from evaluation.stats.ratings import Ratings
from evaluation.stats.reviewers import ReviewerQuality
from evaluation.stats.sections import criterion_summary, ends
from evaluation.stats.slices import slice_scores
from evaluation.stats.summaries import (
    CriterionSummary,
    ExclusionSide,
    ExclusionsSummary,
    LengthSummary,
    QualitySummary,
    SlicesSummary,
    SliceSummary,
    YesNoSummary,
)


def outcome_summaries(
    ratings: Ratings,
    criteria: Mapping[str, CriterionResult | None],
    plan: Plan,
    levels: Levels,
    primary_p: float | None,
) -> tuple[tuple[CriterionSummary, ...], tuple[YesNoSummary, ...]]:
    """Planned criteria and yes/no outcomes in order, as one Holm family behind the primary test."""
    names = tuple(ratings.yes_no) if plan.yes_no is None else plan.yes_no
    yes_no = {
        name: proportion_difference(ratings, name) if name in ratings.yes_no else None for name in names
    }
    adjusted = _adjusted(list(criteria.values()), list(yes_no.values()), primary_p)
    n, first = len(ratings), len(criteria)
    return (
        tuple(
            criterion_summary(name, result, n, levels, float(p))
            for (name, result), p in zip(criteria.items(), adjusted[:first], strict=True)
        ),
        tuple(
            _yes_no_summary(name, result, n, levels, float(p))
            for (name, result), p in zip(yes_no.items(), adjusted[first:], strict=True)
        ),
    )


def _adjusted(
    criteria: list[CriterionResult | None], yes_no: list[ProportionResult | None], primary_p: float | None
) -> FloatArray:
    raw = [None if one is None else one.difference.p_value() for one in criteria]
    raw += [None if one is None else one.difference.p_value() for one in yes_no]
    # An outcome without a test stays in the family with p = 1, so that it does not weaken the adjustment.
    gate = 1.0 if primary_p is None else primary_p
    return gatekept(gate, np.array([1.0 if p is None else p for p in raw]))


def _yes_no_summary(
    name: str, result: ProportionResult | None, n: int, levels: Levels, adjusted: float
) -> YesNoSummary:
    if result is None:
        return YesNoSummary(name, *(None,) * 5, False, *(None,) * 9, 0, n, "the data do not have it")
    p, clustered = result.difference.p_value(), result.difference.headline.clustered
    low, high = ends(result.difference.interval(levels.interval))
    before_low, before_high = ends(result.baseline.interval(levels.interval))
    after_low, after_high = ends(result.candidate.interval(levels.interval))
    relative_low, relative_high = ends(result.relative.interval(levels.interval))
    return YesNoSummary(
        name=name,
        difference=result.difference.value,
        ci_low=low,
        ci_high=high,
        p_value=p,
        p_adjusted=None if p is None else adjusted,
        significant=p is not None and adjusted <= levels.significance,
        baseline_share=result.baseline.value,
        baseline_low=before_low,
        baseline_high=before_high,
        candidate_share=result.candidate.value,
        candidate_low=after_low,
        candidate_high=after_high,
        relative_change=result.relative.value,
        relative_ci_low=relative_low,
        relative_ci_high=relative_high,
        n_ratings=clustered.n_ratings,
        n_missing=result.n_missing,
        problem=result.difference.problem,
        se=result.difference.se,
        df=clustered.df,
    )


def length_summary(ratings: Ratings, levels: Levels) -> LengthSummary | None:
    """The length check over ratings with known lengths; None if there are none."""
    if ratings.lengths is None:
        return None
    known = np.isfinite(ratings.lengths[0]) & np.isfinite(ratings.lengths[1])
    if not known.any():
        return None
    rows = ratings if known.all() else ratings.subset(known)
    before, after = ratings.lengths[0][known], ratings.lengths[1][known]
    adjusted = length_adjusted_win_score(rows, before, after)
    low, high = ends(adjusted.interval(levels.interval) if adjusted else None)
    return LengthSummary(
        baseline_mean=float(before.mean()),
        candidate_mean=float(after.mean()),
        candidate_longer_share=float(((after > before) + 0.5 * (after == before)).mean()),
        adjusted_estimate=adjusted.value if adjusted else None,
        adjusted_ci_low=low,
        adjusted_ci_high=high,
        p_value=adjusted.p_value(NO_PREFERENCE) if adjusted else None,
        n_ratings=int(known.sum()),
    )


def slices_summary(ratings: Ratings, levels: Levels) -> SlicesSummary:
    found = slice_scores(ratings)
    each = []
    for one in found.each:
        low, high = ends(one.score.interval(levels.interval))
        n_ratings, n_prompts, n_reviewers = one.score.headline.clustered.sizes
        value, inside = one.pooled or (None, None)
        pooled_low, pooled_high = ends(inside.clipped(0.0, 1.0) if inside else None)
        each.append(
            SliceSummary(
                slicing=one.slicing,
                label=one.label,
                estimate=one.score.value,
                ci_low=low,
                ci_high=high,
                p_value=one.p_value,
                p_adjusted=one.p_adjusted,
                n_ratings=n_ratings,
                n_prompts=n_prompts,
                n_reviewers=n_reviewers,
                problem=one.score.problem,
                pooled=value,
                pooled_low=pooled_low,
                pooled_high=pooled_high,
            )
        )
    return SlicesSummary("exploratory", tuple(each), found.omitted)


def exclusions_summary(
    ratings: Ratings, excluded: BoolArray | None, plan: Plan, levels: Levels
) -> ExclusionsSummary | None:
    """The headline with and without excluded ratings; None if `excluded` is None."""
    if excluded is None:
        return None
    found: Exclusions = with_and_without(
        ratings,
        excluded,
        margin=plan.margin,
        significance=levels.significance,
        equivalence=levels.equivalence,
    )
    return ExclusionsSummary(
        rule=plan.exclusion,
        applied=bool(plan.exclusion),
        n_ratings=found.n_ratings,
        n_reviewers=found.n_reviewers,
        everything=_exclusion_side(found.everything),
        kept=_exclusion_side(found.kept),
        changes_verdict=found.changes_verdict,
    )


def _exclusion_side(side: Side) -> ExclusionSide:
    score = side.score
    return ExclusionSide(
        side.verdict, score.value, *ends(side.interval), score.p_value(), score.n_ratings, score.n_reviewers
    )


def quality_summary(quality: tuple[ReviewerQuality, ...] | None) -> QualitySummary | None:
    if quality is None:
        return None
    return QualitySummary(len(quality), tuple(one for one in quality if one.flags))
