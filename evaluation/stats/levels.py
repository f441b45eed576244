"""Significance levels of an analysis, and the cost of planned analyses or of monitoring."""

from dataclasses import dataclass

from scipy import stats

from evaluation.stats.anytime import sequence_level
from evaluation.stats.plan import Look, Plan
from evaluation.stats.sequential import spending_boundaries
from evaluation.stats.stages import stage_level
from evaluation.stats.summaries import LookSummary, WatchSummary

# Without a standard error the progress is unknown. The sequence is then treated as near its start.
_UNKNOWN_PROGRESS = 5.0


@dataclass(frozen=True)
class Levels:
    """The levels of one analysis. A p-value up to `significance` is significant.

    `equivalence` is the confidence of the interval that decides equivalence. With planned analyses, or if results
    may be monitored at any time, this is the repeated interval itself, which is stricter. `stated` is the
    confidence that the report states; `repeated` says whether its interval is a repeated one.
    """

    significance: float
    equivalence: float
    stated: float
    repeated: bool

    @property
    def interval(self) -> float:
        return 1 - self.significance


def levels_of(plan: Plan, look: Look | None, se: float | None) -> Levels:
    """The levels of this analysis. `se` is the standard error of the win score, needed only for monitoring."""
    if plan.watch_se is not None:
        now = _UNKNOWN_PROGRESS * plan.watch_se if se is None else se
        significance = sequence_level(now, planned_se=plan.watch_se, level=1 - plan.alpha)
    elif look is not None:
        significance = spending_boundaries(look.fractions, plan.alpha).nominal_level(look.number)
    elif plan.extensions:
        significance = stage_level(plan.extensions, plan.alpha)
    else:
        return Levels(plan.alpha, 1 - 2 * plan.alpha, 1 - plan.alpha, False)
    return Levels(significance, 1 - significance, 1 - plan.alpha, True)


def look_summary(plan: Plan, look: Look | None) -> LookSummary | None:
    """What this planned analysis spends of the overall level, and the cost."""
    if look is None:
        return None
    bounds = spending_boundaries(look.fractions, plan.alpha)
    level, bound = bounds.nominal_level(look.number), bounds.z[look.number - 1]
    cost = (
        f"{_price(level, bound, plan)}, so that all {len(look.fractions)} looks together keep the chance of a false "
        f"claim at {plan.alpha:g}."
    )
    return LookSummary(
        number=look.number,
        planned=len(look.fractions),
        fraction=look.fraction,
        is_final=look.is_final,
        bound=bound,
        significance_level=level,
        alpha_spent=bounds.spent[look.number - 1],
        cost=cost,
    )


def watch_summary(plan: Plan, levels: Levels) -> WatchSummary | None:
    """The cost of monitoring at this moment; None if the plan does not allow monitoring."""
    if plan.watch_se is None:
        return None
    bound = float(stats.norm.isf(levels.significance / 2))
    cost = (
        f"{_price(levels.significance, bound, plan)}, so that the interval may be watched all the time and still "
        f"misses at any moment with a chance of at most {plan.alpha:g}."
    )
    return WatchSummary(plan.watch_se, bound, levels.significance, cost)


def _price(level: float, bound: float, plan: Plan) -> str:
    single = float(stats.norm.isf(plan.alpha / 2))
    return (
        f"A result counts here only at p ≤ {level:.2g} instead of {plan.alpha:g}, and the interval is "
        f"{bound / single:.2f} times as wide as a single analysis would give"
    )
