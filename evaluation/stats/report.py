"""The whole analysis: ratings and a frozen plan in, one frozen report out.

Every number on a page or in an export is read from the report, never computed again.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass

from evaluation.stats.cautions import (
    criterion_cautions,
    data_cautions,
    inference_cautions,
    quality_cautions,
)
from evaluation.stats.equivalence import Evidence, Verdict, decide
from evaluation.stats.estimate import Json
from evaluation.stats.plan import Look, Plan
from evaluation.stats.primary import NO_PREFERENCE, WinScore, win_score
from evaluation.stats.ratings import Ratings
from evaluation.stats.sections import (
    Levels,
    agreement_summary,
    criteria_summaries,
    effect_summaries,
    levels_of,
    look_summary,
    panel_summary,
    position_summary,
    primary_summary,
    reviewers_summary,
    variation_summary,
)
from evaluation.stats.summaries import (
    AgreementSummary,
    Caution,
    CriterionSummary,
    EffectSummary,
    LookSummary,
    PanelSummary,
    PositionSummary,
    PrimarySummary,
    ReviewersSummary,
    VariationSummary,
)
from evaluation.stats.wording import methods_paragraph, verdict_sentence

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Report:
    """The frozen analysis. `to_json` holds the same fields under the same names."""

    schema_version: int
    plan_hash: str
    simulated: bool
    verdict: Verdict
    sentence: str
    primary: PrimarySummary
    criteria: tuple[CriterionSummary, ...]
    agreement: AgreementSummary
    position: PositionSummary
    variation: VariationSummary
    look: LookSummary | None
    reviewers: ReviewersSummary
    panel_only: PanelSummary
    effect_sizes: tuple[EffectSummary, ...]
    cautions: tuple[Caution, ...]
    methods: str

    def to_json(self) -> dict[str, Json]:
        """The report as plain JSON values; a number that does not exist is null."""
        return {f.name: _plain(getattr(self, f.name)) for f in fields(self)}


def analyse(ratings: Ratings, plan: Plan, look: Look | None = None) -> Report:
    """Analyse `ratings` under `plan`, at the planned `look` or, without one, once.

    Any ratings have a report: where the data cannot carry a verdict it is "inconclusive" with the reason.
    Raises ValueError only for a look that does not fit its plan's level (see `Look`).
    """
    levels = levels_of(plan, look)
    score = win_score(ratings)
    primary = primary_summary(ratings, score, plan, levels)
    verdict = _verdict(score, plan, levels)
    criteria = tuple(criteria_summaries(ratings, plan, levels, primary.p_value))
    present = tuple(item.name for item in criteria if item.name in ratings.criteria)
    agreement = agreement_summary(ratings, present, plan.seed)
    position = position_summary(ratings, levels)
    reviewers = reviewers_summary(ratings, score.effective_reviewers)

    def cautions() -> Iterator[Caution]:
        yield from data_cautions(ratings, reviewers, primary)
        yield from inference_cautions(primary, verdict, plan, look, constant=score.constant)
        yield from quality_cautions(agreement, position, plan.alpha)
        yield from criterion_cautions(
            criteria, tuple(name for name in ratings.criteria if name not in present)
        )

    return Report(
        schema_version=SCHEMA_VERSION,
        plan_hash=plan.hash(),
        simulated=ratings.simulated,
        verdict=verdict,
        sentence=verdict_sentence(verdict, primary, plan, look, ratings.made_by),
        primary=primary,
        criteria=criteria,
        agreement=agreement,
        position=position,
        variation=variation_summary(score),
        look=look_summary(plan, look),
        reviewers=reviewers,
        panel_only=panel_summary(ratings, plan.seed),
        effect_sizes=effect_summaries(ratings, primary, present, plan.seed),
        cautions=tuple(cautions()),
        methods=methods_paragraph(primary, plan, look, constant=score.constant, with_criteria=bool(criteria)),
    )


def _verdict(score: WinScore, plan: Plan, levels: Levels) -> Verdict:
    evidence = Evidence(
        score.value, score.p_value(), score.interval(levels.interval), score.interval(levels.equivalence)
    )
    return decide(evidence, null=NO_PREFERENCE, margin=plan.margin, alpha=levels.significance)


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
