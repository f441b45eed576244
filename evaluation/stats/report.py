"""The complete analysis: ratings and a frozen plan in, one frozen report out.

Every number on a page or in an export is read from the report and never computed again.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace

import numpy as np

from evaluation.stats.arrays import BoolArray
from evaluation.stats.cautions import (
    check_cautions,
    criterion_cautions,
    data_cautions,
    inference_cautions,
    quality_cautions,
    weighting_caution,
)
from evaluation.stats.equivalence import Verdict
from evaluation.stats.estimate import Json
from evaluation.stats.levels import levels_of, look_summary, watch_summary
from evaluation.stats.methods import Done, methods_paragraph
from evaluation.stats.plan import Look, Plan
from evaluation.stats.premises import Premise, premises
from evaluation.stats.primary import WinScore, win_score
from evaluation.stats.prompt_scores import prompts_summary
from evaluation.stats.ratings import Ratings
from evaluation.stats.reviewers import ReviewerQuality
from evaluation.stats.secondary import (
    exclusions_summary,
    length_summary,
    outcome_summaries,
    quality_summary,
    slices_summary,
)
from evaluation.stats.sections import (
    agreement_summary,
    criteria_results,
    effect_summaries,
    panel_summary,
    position_summary,
    primary_summary,
    reviewers_summary,
    variation_summary,
)
from evaluation.stats.staged import over_stages, stages_summary, verdict_of
from evaluation.stats.structure import structure_cautions, workload_p_value
from evaluation.stats.summaries import (
    AgreementSummary,
    Caution,
    CriterionSummary,
    EffectSummary,
    ExclusionsSummary,
    LengthSummary,
    LookSummary,
    PanelSummary,
    PositionSummary,
    PrimarySummary,
    PromptScore,
    PromptsSummary,
    QualitySummary,
    ReviewersSummary,
    SlicesSummary,
    StagesSummary,
    VariationSummary,
    WatchSummary,
    YesNoSummary,
)
from evaluation.stats.wording import verdict_sentence

SCHEMA_VERSION = 3


@dataclass(frozen=True)
class Report:
    """The frozen analysis. `to_json` holds the same fields under the same names."""

    schema_version: int
    plan_hash: str | None
    simulated: bool
    verdict: Verdict
    sentence: str
    primary: PrimarySummary
    criteria: tuple[CriterionSummary, ...]
    yes_no: tuple[YesNoSummary, ...]
    agreement: AgreementSummary
    position: PositionSummary | None
    length: LengthSummary | None
    slices: SlicesSummary
    exclusions: ExclusionsSummary | None
    quality: QualitySummary | None
    variation: VariationSummary
    look: LookSummary | None
    watch: WatchSummary | None
    reviewers: ReviewersSummary
    prompts: PromptsSummary
    panel_only: PanelSummary
    effect_sizes: tuple[EffectSummary, ...]
    cautions: tuple[Caution, ...] = ()
    methods: str = ""
    stages: StagesSummary | None = None
    confirms: tuple[str, ...] = ()
    premises: tuple[Premise, ...] = ()

    def to_json(self) -> dict[str, Json]:
        """The report as plain JSON values. A number that does not exist is null."""
        return {f.name: _plain(getattr(self, f.name)) for f in fields(self)}

    def labelled(self, prompts: Sequence[str], reviewers: Sequence[str]) -> "Report":
        """The same report with the caller's labels for prompts and reviewers in place of the codes of `Ratings`."""

        def named(items: tuple[PromptScore, ...]) -> tuple[PromptScore, ...]:
            return tuple(replace(item, prompt=prompts[int(item.prompt)]) for item in items)

        moved = replace(self.prompts, risen=named(self.prompts.risen), fallen=named(self.prompts.fallen))
        each = tuple(replace(item, reviewer=reviewers[int(item.reviewer)]) for item in self.reviewers.each)
        return replace(self, prompts=moved, reviewers=replace(self.reviewers, each=each))


def analyse(
    ratings: Ratings,
    plan: Plan,
    look: Look | None = None,
    *,
    excluded: BoolArray | None = None,
    quality: tuple[ReviewerQuality, ...] | None = None,
) -> Report:
    """Analyse `ratings` under `plan`, at the planned analysis `look`, or once if it is None.

    `excluded` (n,) marks the ratings that the plan's exclusion rule matches. The headline excludes them if
    the plan has a rule; the report shows the result with and without them in any case. `quality` is the
    output of `reviewers.reviewer_quality`, with the caller's labels, for the record. Every set of ratings has
    a report: if the data cannot support a verdict, it is "inconclusive" with the reason. Raises ValueError
    only if `look` does not fit the plan's level (see `Look`) or `excluded` has another length.
    """
    if plan.cluster in ratings.slices:
        ratings = ratings.grouped_by(plan.cluster)
    everything, applied = ratings, excluded is not None and bool(plan.exclusion)
    ratings = _kept(ratings, excluded, plan)
    score = win_score(ratings)
    levels = levels_of(plan, look, score.se)
    primary = primary_summary(ratings, score, plan, levels, len(everything))
    stages = stages_summary(plan, score)
    verdict = verdict_of(score, stages, plan, levels)
    scored = criteria_results(ratings, plan)
    criteria, yes_no = outcome_summaries(ratings, scored, plan, levels, over_stages(primary, stages).p_value)
    present = tuple(item.name for item in criteria if item.name in ratings.criteria)
    report = Report(
        schema_version=SCHEMA_VERSION,
        plan_hash=plan.hash() if plan.frozen else None,
        simulated=ratings.simulated,
        verdict=verdict,
        sentence=verdict_sentence(verdict, primary, plan, look, ratings.made_by, stages),
        primary=primary,
        criteria=criteria,
        yes_no=yes_no,
        agreement=agreement_summary(ratings, present, plan.seed),
        position=position_summary(ratings, levels),
        length=length_summary(ratings, levels),
        slices=slices_summary(ratings, levels),
        exclusions=exclusions_summary(everything, excluded, plan, levels),
        quality=quality_summary(quality),
        variation=variation_summary(score, scored),
        look=look_summary(plan, look),
        watch=watch_summary(plan, levels),
        reviewers=reviewers_summary(ratings, score.effective_reviewers),
        prompts=prompts_summary(ratings),
        panel_only=panel_summary(ratings, plan.seed),
        effect_sizes=effect_summaries(ratings, primary, present, plan.seed),
        stages=stages,
        confirms=plan.confirms,
    )
    if excluded is not None and applied:
        # Excluding ratings renumbers the rest, but the caller's labels are for the codes of all ratings.
        report = report.labelled(*_codes_left(everything, ~excluded))
    cautions = tuple(_cautions(ratings, report, plan, look, score, len(everything)))
    methods = methods_paragraph(primary, plan, look, _done(ratings, report, plan, score))
    report = replace(report, cautions=cautions, methods=methods)
    return replace(report, premises=tuple(_premises(report, plan, ratings, len(everything))))


def _premises(report: Report, plan: Plan, ratings: Ratings, submitted: int) -> Iterator[Premise]:
    clusters = 0 if ratings.group is None else len(np.unique(ratings.group))
    beside = {"plan": plan, "submitted": submitted, "clusters": clusters}
    codes = (caution.code for caution in report.cautions)
    return premises(codes, vars(report) | beside | {"workload_p_value": workload_p_value(report.reviewers)})


def _done(ratings: Ratings, report: Report, plan: Plan, score: WinScore) -> Done:
    """The parts of this report that its methods describe."""
    exclusions = report.exclusions
    return Done(
        assumed=score.mean.is_assumed,
        cluster=plan.cluster if ratings.group is not None else "",
        criteria=bool(report.criteria),
        yes_no=bool(report.yes_no),
        length=report.length is not None,
        slices=bool(report.slices.each),
        excluded=exclusions.n_ratings if exclusions and exclusions.applied else None,
    )


def _kept(ratings: Ratings, excluded: BoolArray | None, plan: Plan) -> Ratings:
    if excluded is not None and excluded.shape != ratings.outcome.shape:
        raise ValueError("excluded must say for every rating whether the rule hits it")
    return ratings if excluded is None or not plan.exclusion else ratings.subset(~excluded)


def _codes_left(everything: Ratings, kept: BoolArray) -> tuple[list[str], list[str]]:
    """The codes of prompts and reviewers that still have ratings, as labels."""
    prompts, reviewers = (np.unique(codes[kept]) for codes in (everything.prompt, everything.reviewer))
    return [str(code) for code in prompts], [str(code) for code in reviewers]


def _cautions(
    ratings: Ratings, report: Report, plan: Plan, look: Look | None, score: WinScore, submitted: int
) -> Iterator[Caution]:
    outcomes: tuple[CriterionSummary | YesNoSummary, ...] = (*report.criteria, *report.yes_no)
    unplanned = _unplanned(ratings, report.criteria, report.yes_no)
    yield from data_cautions(ratings, report.reviewers, report.primary)
    yield from structure_cautions(ratings, report.reviewers, plan)
    yield from weighting_caution(report.primary)
    yield from inference_cautions(
        over_stages(report.primary, report.stages),
        report.verdict,
        plan,
        look,
        assumed=score.mean.is_assumed,
        submitted=submitted,
    )
    if len(ratings):
        yield from quality_cautions(report.agreement, report.position, plan.alpha)
    yield from criterion_cautions(outcomes, unplanned)
    yield from check_cautions(plan, report.verdict, report.length, report.exclusions)


def _unplanned(
    ratings: Ratings, criteria: tuple[CriterionSummary, ...], yes_no: tuple[YesNoSummary, ...]
) -> tuple[str, ...]:
    planned = {item.name for item in criteria} | {item.name for item in yes_no}
    return tuple(name for name in (*ratings.criteria, *ratings.yes_no) if name not in planned)


def _plain(value: object) -> Json:
    if is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, bool | str) or value is None:
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    raise TypeError(f"a report cannot hold {type(value).__name__}")
