"""The stages of a report: their summary, the verdict over all of them, and what extensions cost."""

from dataclasses import replace

from scipy import special

from evaluation.stats.equivalence import Evidence, Verdict, decide
from evaluation.stats.estimate import Interval
from evaluation.stats.levels import Levels
from evaluation.stats.plan import Plan
from evaluation.stats.primary import FEWEST_REVIEWERS, NO_PREFERENCE, WinScore
from evaluation.stats.stages import Combined, Stage, more_ratings, stage_bound, stage_level, stage_of
from evaluation.stats.summaries import PrimarySummary, StagesSummary, StageSummary

# Verdicts that leave open whether the candidate is better, so that another stage or campaign may follow.
OPEN_VERDICTS = ("inconclusive", "not_worse")


def stages_summary(plan: Plan, score: WinScore) -> StagesSummary | None:
    """All stages up to this one, whose win score is `score`; None if the plan has no extensions."""
    if not plan.extensions:
        return None
    bound, sizes = (
        stage_bound(plan.extensions, plan.alpha),
        (score.n_ratings, score.n_prompts, score.n_reviewers),
    )
    this = stage_of(score.mean, bound, campaign="", sizes=sizes)
    stages = (*plan.earlier, this) if this else plan.earlier
    whole = Combined(stages, bound) if this else None
    return StagesSummary(
        number=len(plan.earlier) + 1,
        planned=plan.extensions + 1,
        bound=bound,
        significance_level=stage_level(plan.extensions, plan.alpha),
        estimate=whole.win_score if whole else None,
        ci_low=whole.interval.low if whole else None,
        ci_high=whole.interval.high if whole else None,
        z=whole.z if whole else None,
        p_value=whole.p_value if whole else None,
        each=tuple(_summary(stage, bound) for stage in stages),
        extensible=bool(this) and len(stages) <= plan.extensions and score.n_reviewers >= FEWEST_REVIEWERS,
        cost=extensions_cost(plan.extensions, plan.alpha),
    )


def _summary(stage: Stage, bound: float) -> StageSummary:
    low, high = (float(special.expit(stage.log_odds + side * bound * stage.se)) for side in (-1, 1))
    return StageSummary(
        campaign=stage.campaign,
        estimate=stage.win_score,
        ci_low=low,
        ci_high=high,
        log_odds=stage.log_odds,
        se=stage.se,
        z=stage.z,
        n_ratings=stage.n_ratings,
        n_prompts=stage.n_prompts,
        n_reviewers=stage.n_reviewers,
    )


def verdict_of(score: WinScore, stages: StagesSummary | None, plan: Plan, levels: Levels) -> Verdict:
    """The verdict by `score`, or over all `stages` if there were earlier ones. It needs enough reviewers in each."""
    if stages is None or not plan.earlier:
        return score.verdict(
            margin=plan.margin, significance=levels.significance, equivalence=levels.equivalence
        )
    if stages.ci_low is None or stages.ci_high is None or score.n_reviewers < FEWEST_REVIEWERS:
        return "inconclusive"
    interval = Interval(stages.ci_low, stages.ci_high)
    evidence = Evidence(stages.estimate, stages.p_value, interval, interval)
    return decide(evidence, null=NO_PREFERENCE, margin=plan.margin, alpha=levels.significance)


def over_stages(primary: PrimarySummary, stages: StagesSummary | None) -> PrimarySummary:
    """The primary outcome with the estimate, interval and p-value that decide: those over all stages."""
    if stages is None or stages.number == 1 or stages.estimate is None:
        return primary
    return replace(
        primary,
        estimate=stages.estimate,
        ci_low=stages.ci_low,
        ci_high=stages.ci_high,
        equivalence_low=stages.ci_low,
        equivalence_high=stages.ci_high,
        p_value=stages.p_value,
    )


def extensions_cost(extensions: int, alpha: float = 0.05) -> str:
    """What the option of extensions costs, in words."""
    stages = "both stages" if extensions == 1 else f"all {extensions + 1} stages"
    more = 100 * (more_ratings(extensions, alpha) - 1)
    return (
        f"Every stage is tested at {100 * stage_level(extensions, alpha):.1f} % instead of {100 * alpha:g} %, so that "
        f"{stages} together keep {100 * alpha:g} %. For the same power as without the option, the first stage needs "
        f"about {more:.0f} % more ratings."
    )


def confirmation_cost(before: int, alpha: float = 0.05) -> str:
    """What a new test at the full level costs after `before` tests that left the question open."""
    either = 100 * (1 - (1 - alpha) ** (before + 1))
    either_of = "either result" if before == 1 else f"any of the {before + 1} results"
    return (
        f"It is tested at {100 * alpha:g} % on its own, with other prompts and other reviewers, and only its result "
        f"counts. If {either_of} could count, a difference would be claimed wrongly in up to "
        f"{either:.1f} % of cases."
    )
