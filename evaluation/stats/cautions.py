"""Cautions: what a reader must know before repeating the verdict."""

from collections.abc import Iterator

from evaluation.stats.equivalence import Verdict
from evaluation.stats.plan import ANALYSIS_VERSION, Look, Plan
from evaluation.stats.ratings import Ratings
from evaluation.stats.summaries import (
    AgreementSummary,
    Caution,
    CriterionSummary,
    ExclusionsSummary,
    LengthSummary,
    PositionSummary,
    PrimarySummary,
    ReviewersSummary,
    YesNoSummary,
)
from evaluation.stats.wording import ENOUGH_PROMPTS, ENOUGH_REVIEWERS, counted

DOMINANT_SHARE = 0.15
LOW_ALPHA = 0.2
_SIDE_BALANCE = (0.4, 0.6)
_MISSING_SHARE = 0.1


def data_cautions(
    ratings: Ratings, reviewers: ReviewersSummary, primary: PrimarySummary
) -> Iterator[Caution]:
    """Cautions about the sample: simulated ratings, few reviewers or prompts, uneven workloads."""
    if ratings.simulated:
        count = len(ratings) if ratings.n_simulated is None else ratings.n_simulated
        yield Caution(
            "simulated",
            f"{count:,} of {len(ratings):,} ratings were simulated; no person made those. They show how the report "
            "works and say nothing about how people would judge.",
        )
    if primary.n_reviewers < ENOUGH_REVIEWERS:
        yield Caution(
            "few_reviewers",
            f"Only {counted(primary.n_reviewers, 'reviewer')}: the result may be their taste. {ENOUGH_REVIEWERS} "
            "or more are needed to speak for others.",
        )
    if primary.n_prompts < ENOUGH_PROMPTS:
        yield Caution(
            "few_prompts",
            f"Only {counted(primary.n_prompts, 'prompt')}: other prompts may give another result. "
            f"{ENOUGH_PROMPTS} or more are advised.",
        )
    if reviewers.largest_share is not None and reviewers.largest_share > DOMINANT_SHARE:
        yield Caution(
            "dominant_reviewer",
            f"One reviewer gave {100 * reviewers.largest_share:.0f} % of the ratings.",
        )
    if primary.reviewer_balanced:
        yield Caution(
            "uneven_workloads",
            f"Workloads are uneven: {reviewers.n} reviewers count like {reviewers.effective:.1f} equal "
            "ones. Reviewers with many ratings were given less weight within each prompt.",
        )


def inference_cautions(
    primary: PrimarySummary, verdict: Verdict, plan: Plan, look: Look | None, *, constant: bool
) -> Iterator[Caution]:
    """Cautions about the inference: its assumptions, its timing, and the size of the difference."""
    if constant:
        yield Caution(
            "no_variance",
            "All ratings agree, so the interval is the exact binomial one over the smaller number of "
            "prompts or reviewers instead of one from their variation.",
        )
    if primary.problem is not None:
        yield Caution("no_inference", f"No interval or test could be computed: {primary.problem}.")
    if look is not None and not look.is_final:
        yield Caution(
            "interim_look",
            f"This is look {look.number} of {len(look.fractions)}, before the planned end. The level "
            f"for this look is {primary.significance_level:.2g} instead of {plan.alpha:g}, and "
            "intervals are wider accordingly.",
        )
    planned = plan.planned_ratings
    unplanned_peek = look is None and plan.watch_se is None
    if unplanned_peek and planned is not None and primary.n_ratings < planned:
        yield Caution(
            "before_planned_end",
            f"{primary.n_ratings} of {planned} planned ratings are in and no look was planned here. "
            "Stopping when the result pleases makes false positives far likelier than the stated "
            "level; five such peeks nearly triple them.",
        )
    mixed = primary.mixed_model
    if mixed is not None and mixed.p_value is not None and primary.clustered.p_value is not None:
        level = primary.significance_level
        if (mixed.p_value <= level) != (primary.clustered.p_value <= level):
            yield Caution(
                "methods_disagree",
                "The clustered test and the mixed model disagree on significance; the reported interval lies "
                "between the two and is never narrower than the model's.",
            )
    if verdict in ("better", "worse") and abs((primary.estimate or 0.0) - 0.5) < plan.margin:
        yield Caution(
            "small_difference",
            f"The difference is real but smaller than the {100 * plan.margin:g} in 100 that was agreed "
            "to matter.",
        )


def quality_cautions(
    agreement: AgreementSummary, position: PositionSummary, level: float
) -> Iterator[Caution]:
    """Cautions about agreement and side effects."""
    if agreement.n_prompts == 0:
        yield Caution(
            "no_overlap", "No prompt was rated twice, so agreement between reviewers cannot be measured."
        )
    elif agreement.alpha is not None and agreement.alpha < LOW_ALPHA:
        yield Caution(
            "low_agreement",
            f"Reviewers hardly agree beyond chance (Krippendorff's α {agreement.alpha:.2f}): check the "
            "rubric and the instructions before acting on this.",
        )
    if position.p_value is not None and position.left_score is not None and position.p_value <= level:
        side = "left" if position.left_score > 0.5 else "right"
        yield Caution(
            "position_effect",
            f"Reviewers favoured the {side} side whatever stood there ({100 * position.left_score:.0f} "
            "of 100 for the left).",
        )
    share = position.candidate_left_share
    if share is not None and not _SIDE_BALANCE[0] <= share <= _SIDE_BALANCE[1]:
        yield Caution(
            "unbalanced_sides",
            f"The candidate stood on the left in {100 * share:.0f} % of the ratings, not in half.",
        )


def criterion_cautions(
    outcomes: tuple[CriterionSummary | YesNoSummary, ...], unplanned: tuple[str, ...]
) -> Iterator[Caution]:
    """Cautions about criteria and yes/no outcomes with missing data or without a place in the plan."""
    for item in outcomes:
        total = item.n_ratings + item.n_missing
        if item.n_ratings == 0:
            yield Caution(
                "missing_criterion", f"Criterion '{item.name}' has no ratings that answer for both sides."
            )
        elif item.n_missing > _MISSING_SHARE * total:
            yield Caution(
                "missing_criterion",
                f"Criterion '{item.name}' is missing in {item.n_missing} of {total} ratings; if it was "
                "left out for a reason, its result is biased.",
            )
        if item.n_ratings and item.problem is not None:
            yield Caution(
                "criterion_no_inference", f"Criterion '{item.name}' has no interval: {item.problem}."
            )
    if unplanned:
        yield Caution(
            "unplanned_criteria", f"Not in the plan and therefore not analysed: {', '.join(unplanned)}."
        )


def check_cautions(
    plan: Plan, verdict: Verdict, length: LengthSummary | None, exclusions: ExclusionsSummary | None
) -> Iterator[Caution]:
    """Cautions about the analysis version, and about checks that could change the verdict."""
    if plan.analysis_version != ANALYSIS_VERSION:
        yield Caution(
            "analysis_updated",
            f"The plan froze under analysis version {plan.analysis_version}; this report was made by version "
            f"{ANALYSIS_VERSION}, whose rules the changelog compares.",
        )
    if exclusions is not None and exclusions.changes_verdict:
        yield Caution(
            "exclusions_decide",
            f"The verdict depends on whose ratings count: with all of them it is "
            f"'{exclusions.everything.verdict.replace('_', ' ')}', without the "
            f"{counted(exclusions.n_reviewers, 'reviewer')} hit by the rule "
            f"'{exclusions.kept.verdict.replace('_', ' ')}'.",
        )
    if verdict in ("better", "worse") and length is not None and _may_be_length(length, verdict):
        yield Caution(
            "length_decides",
            "If both responses had been equally long, the interval would include no difference: the result may be a "
            "preference for length.",
        )


def _may_be_length(length: LengthSummary, verdict: Verdict) -> bool:
    low, high = length.adjusted_ci_low, length.adjusted_ci_high
    if low is None or high is None:
        return False
    return low <= 0.5 if verdict == "better" else high >= 0.5
