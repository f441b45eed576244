"""Cautions: what a reader must know before repeating the verdict."""

from collections.abc import Iterator

from evaluation.stats.equivalence import Verdict
from evaluation.stats.plan import ANALYSIS_VERSION, Look, Plan
from evaluation.stats.ratings import Ratings
from evaluation.stats.staged import confirmation_cost
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
from evaluation.stats.wording import ENOUGH_PROMPTS, ENOUGH_REVIEWERS, counted, margin_text, percent

DOMINANT_SHARE = 0.15
DOMINANT_FACTOR = 1.5
# Below both values, reviewers hardly agree beyond chance. Where nearly all answers are alike, α alone is low too.
LOW_ALPHA = LOW_AC1 = 0.2
# Sides are unbalanced beyond these shares if chance does not explain it at this level.
_SIDE_BALANCE = (0.45, 0.55)
_BALANCE_LEVEL = 0.01
_MISSING_SHARE = 0.1


def data_cautions(
    ratings: Ratings, reviewers: ReviewersSummary, primary: PrimarySummary
) -> Iterator[Caution]:
    """Cautions about the sample: simulated ratings, few reviewers or prompts, uneven workloads."""
    if ratings.simulated:
        count = len(ratings) if ratings.n_simulated is None else ratings.n_simulated
        yield Caution(
            "simulated",
            f"{count:,} of {counted(len(ratings), 'rating')} are simulated, not made by people. They show how the "
            "report works and say nothing about how people would judge.",
        )
    if not len(ratings):
        return
    if primary.n_reviewers < ENOUGH_REVIEWERS:
        yield Caution(
            "few_reviewers",
            f"Only {counted(primary.n_reviewers, 'reviewer')}: other reviewers may judge differently. "
            f"{ENOUGH_REVIEWERS} or more are advised.",
        )
    if primary.n_prompts < ENOUGH_PROMPTS:
        yield Caution(
            "few_prompts",
            f"Only {counted(primary.n_prompts, 'prompt')}: other prompts may give another result. "
            f"{ENOUGH_PROMPTS} or more are advised.",
        )
    if primary.n_reviewers > 1 and (reviewers.largest_share or 0.0) > _dominant(primary.n_reviewers):
        yield Caution(
            "dominant_reviewer",
            f"One reviewer gave {percent(reviewers.largest_share or 0.0)} of the ratings.",
        )
    if primary.reviewer_balanced:
        yield Caution(
            "uneven_workloads",
            f"Workloads are uneven: {reviewers.n} reviewers give as much information as {reviewers.effective:.1f} with "
            "equal workloads. Reviewers with many ratings have less weight within each prompt.",
        )


def _dominant(n_reviewers: int) -> float:
    """The share of the ratings above which one reviewer dominates: well above an even share."""
    return max(DOMINANT_SHARE, DOMINANT_FACTOR / n_reviewers)


def weighting_caution(primary: PrimarySummary) -> Iterator[Caution]:
    """A caution if the mean over ratings contradicts the win score, in which prompts weigh equally."""
    estimate, plain = primary.estimate, primary.mean_over_ratings
    if estimate is None or plain is None:
        return
    opposite = (estimate - 0.5) * (plain - 0.5) < 0
    if not opposite and abs(estimate - plain) <= primary.margin:
        return
    yield Caution(
        "weighting_matters",
        f"The win score of {percent(estimate, 1)} weighs all prompts equally. Over single ratings it would be "
        f"{percent(plain, 1)} ({primary.wins:,} wins, {primary.losses:,} losses), because some prompts or reviewers "
        "have many more ratings than others.",
    )


def inference_cautions(
    primary: PrimarySummary, verdict: Verdict, plan: Plan, look: Look | None, *, assumed: bool, submitted: int
) -> Iterator[Caution]:
    """Cautions about the inference: its assumptions, its timing, and the size of the difference.

    `assumed` says that added ratings determine the interval, and `submitted` counts the ratings before exclusions.
    """
    if primary.problem is not None:
        yield Caution("no_inference", f"There is no test, because {primary.problem}.")
    elif assumed:
        yield Caution(
            "no_variance",
            "All or nearly all ratings agree, so they hardly show how much ratings vary. The interval adds one rating "
            "for each side.",
        )
    if look is not None and not look.is_final:
        yield Caution(
            "interim_look",
            f"This is planned analysis {look.number} of {len(look.fractions)}, before the planned end. It uses the "
            f"significance level {primary.significance_level:.2g} instead of {plan.alpha:g}, and wider intervals.",
        )
    planned = plan.planned_ratings
    if look is None and plan.watch_se is None and planned is not None and submitted < planned:
        yield Caution(
            "before_planned_end",
            f"{submitted:,} of {planned:,} planned ratings were submitted, and no analysis was planned at this point. "
            "If a campaign is stopped because the result pleases, false claims are more likely than stated.",
        )
    mixed = primary.mixed_model
    if mixed is not None and mixed.p_value is not None and primary.clustered.p_value is not None:
        level = primary.significance_level
        if (mixed.p_value <= level) != (primary.clustered.p_value <= level):
            yield Caution(
                "methods_disagree",
                "The clustered test and the mixed model disagree on significance. The reported interval lies "
                "between the two and is never narrower than the model's.",
            )
    if verdict in ("better", "worse") and abs((primary.estimate or 0.0) - 0.5) < plan.margin:
        chosen = "the plan" if plan.frozen else "this analysis"
        yield Caution(
            "small_difference",
            f"The estimated difference is smaller than the {margin_text(plan.margin)} that {chosen} counts as a "
            "difference that matters.",
        )


def quality_cautions(
    agreement: AgreementSummary, position: PositionSummary | None, level: float
) -> Iterator[Caution]:
    """Cautions about agreement and side effects."""
    alpha, ac1 = agreement.alpha, agreement.ac1
    if agreement.n_prompts == 0:
        yield Caution(
            "no_overlap", "No prompt was rated twice, so agreement between reviewers cannot be measured."
        )
    elif alpha is not None and ac1 is not None and alpha < LOW_ALPHA and ac1 < LOW_AC1:
        yield Caution(
            "low_agreement",
            f"Reviewers hardly agree beyond chance (Krippendorff's α {_signed(alpha)}, Gwet's AC1 {_signed(ac1)}). "
            "Check the rubric and the instructions before you act on this.",
        )
    if position is not None:
        yield from _side_cautions(position, level)


def _signed(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def _side_cautions(position: PositionSummary, level: float) -> Iterator[Caution]:
    if position.p_value is not None and position.left_score is not None and position.p_value <= level:
        side = "left" if position.left_score > 0.5 else "right"
        share = max(position.left_score, 1 - position.left_score)
        yield Caution(
            "position_effect",
            f"Reviewers favoured the {side} side: with equal models, it would have a win score of {percent(share)}.",
        )
    share_left, balance = position.candidate_left_share, position.balance_p_value
    if share_left is None or balance is None:
        return
    if not _SIDE_BALANCE[0] <= share_left <= _SIDE_BALANCE[1] and balance <= _BALANCE_LEVEL:
        yield Caution(
            "unbalanced_sides",
            f"The candidate was on the left in {percent(share_left)} of the ratings instead of half.",
        )


def criterion_cautions(
    outcomes: tuple[CriterionSummary | YesNoSummary, ...], unplanned: tuple[str, ...]
) -> Iterator[Caution]:
    """Cautions about criteria and yes/no outcomes with missing data or without a place in the plan."""
    for item in outcomes:
        total = item.n_ratings + item.n_missing
        if item.n_ratings == 0:
            yield Caution("missing_criterion", f"No rating answers '{item.name}' for both sides.")
        elif item.n_missing > _MISSING_SHARE * total:
            yield Caution(
                "missing_criterion",
                f"'{item.name}' is missing in {item.n_missing:,} of {total:,} ratings. If it was left out for a reason "
                "that depends on the answer, its result is biased.",
            )
        if item.n_ratings and item.problem is not None:
            yield Caution("criterion_no_inference", f"'{item.name}' has no test, because {item.problem}.")
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
            f"The plan was frozen under analysis version {plan.analysis_version}, but this report was made by version "
            f"{ANALYSIS_VERSION}. The changelog lists the differences.",
        )
    if plan.confirms:
        yield Caution(
            "confirmatory",
            f"This campaign repeats a question that “{plan.confirms[-1]}” left open. "
            f"{confirmation_cost(len(plan.confirms), plan.alpha)}",
        )
    if exclusions is not None and exclusions.changes_verdict:
        verdict_of = "For this stage alone, the verdict" if plan.earlier else "The verdict"
        yield Caution(
            "exclusions_decide",
            f"{verdict_of} depends on whose ratings count: '{exclusions.everything.verdict.replace('_', ' ')}' with "
            f"all reviewers, '{exclusions.kept.verdict.replace('_', ' ')}' without the "
            f"{counted(exclusions.n_reviewers, 'flagged reviewer')}.",
        )
    if verdict in ("better", "worse") and length is not None and _may_be_length(length, verdict):
        yield Caution(
            "length_decides",
            "At equal length, the interval of the win score includes 50 %: the result may be a preference for length.",
        )


def _may_be_length(length: LengthSummary, verdict: Verdict) -> bool:
    low, high = length.adjusted_ci_low, length.adjusted_ci_high
    if low is None or high is None:
        return False
    return low <= 0.5 if verdict == "better" else high >= 0.5
