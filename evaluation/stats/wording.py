"""The verdict in words: one sentence, and what to collect if the result is inconclusive."""

import math

from evaluation.stats.equivalence import Verdict
from evaluation.stats.plan import Look, Plan
from evaluation.stats.summaries import PrimarySummary

# z(.975) + z(.8): a difference of 2.8 standard errors is detected with 80 % power.
_DETECTABLE = 2.8
ENOUGH_REVIEWERS = 10
ENOUGH_PROMPTS = 30


def verdict_sentence(
    verdict: Verdict, primary: PrimarySummary, plan: Plan, look: Look | None, who: str
) -> str:
    """One plain sentence for `verdict`. `who` names the raters. An interim analysis is marked as such."""
    text = {
        "better": _better,
        "worse": _worse,
        "equivalent": _equivalent,
        "not_worse": _not_worse,
        "inconclusive": _inconclusive,
    }[verdict](who, primary, plan)
    if look is not None and not look.is_final:
        text = f"At planned look {look.number} of {len(look.fractions)}: {text}"
    return text[0].upper() + text[1:]


def score_text(primary: PrimarySummary) -> str:
    """The win score with its interval, per 100 comparisons."""
    if primary.estimate is None:
        return "has no comparisons yet"
    if primary.ci_low is None or primary.ci_high is None:
        return f"wins {100 * primary.estimate:.0f} of 100 comparisons, counting ties as half"
    digits = _digits(primary)
    estimate, low, high = (
        f"{100 * v:.{digits}f}" for v in (primary.estimate, primary.ci_low, primary.ci_high)
    )
    kind = "repeated " if primary.repeated_interval else ""
    interval = f"{kind}{100 * primary.confidence:g} % interval"
    return f"wins {estimate} of 100 comparisons ({interval} {low} to {high}), counting ties as half"


def _digits(primary: PrimarySummary) -> int:
    """Use one decimal if rounding would show a bound as 50 although it is not."""
    bounds = [100 * v for v in (primary.ci_low, primary.ci_high) if v is not None]
    return 1 if any(round(b) == 50 and abs(b - 50) > 1e-9 for b in bounds) else 0


def _better(who: str, primary: PrimarySummary, plan: Plan) -> str:
    return f"{who} preferred {plan.candidate_name}: it {score_text(primary)}."


def _worse(who: str, primary: PrimarySummary, plan: Plan) -> str:
    return f"{who} preferred {plan.baseline_name}: {plan.candidate_name} {score_text(primary)}."


def _equivalent(who: str, primary: PrimarySummary, plan: Plan) -> str:
    return (
        f"{who} saw no difference that matters: {plan.candidate_name} {score_text(primary)}, and less "
        f"than {100 * plan.margin:g} in 100 either way was agreed beforehand not to matter."
    )


def _not_worse(who: str, primary: PrimarySummary, plan: Plan) -> str:
    return (
        f"{who} found {plan.candidate_name} not worse than {plan.baseline_name} by "
        f"{100 * plan.margin:g} in 100 or more: it {score_text(primary)}; whether it is better stays "
        "open."
    )


def _inconclusive(who: str, primary: PrimarySummary, plan: Plan) -> str:
    collect = what_to_collect(primary)
    if primary.problem is not None:
        found = "" if primary.estimate is None else f" ({plan.candidate_name} {score_text(primary)})"
        return f"the result from {who} is inconclusive because {primary.problem}{found}; {collect}."
    return (
        f"the result from {who} is inconclusive: {plan.candidate_name} {score_text(primary)}, so it may "
        f"be better or worse; {collect}."
    )


def what_to_collect(primary: PrimarySummary) -> str:
    """Advice for an inconclusive result. SE² falls as prompts, reviewers and ratings grow in proportion."""
    need = f"at least {ENOUGH_REVIEWERS} reviewers and {ENOUGH_PROMPTS} prompts"
    se = max((s.se or 0.0) for s in (primary.clustered, primary.mixed_model) if s is not None)
    if primary.estimate is None or se == 0:
        return f"collect ratings from {need}"
    wanted = max(abs(primary.estimate - 0.5), primary.margin) / _DETECTABLE
    factor = (se / wanted) ** 2
    few = [
        text
        for text, lacks in (
            (f"at least {ENOUGH_REVIEWERS} reviewers", primary.n_reviewers < ENOUGH_REVIEWERS),
            (f"at least {ENOUGH_PROMPTS} prompts", primary.n_prompts < ENOUGH_PROMPTS),
        )
        if lacks
    ]
    suffix = f", with {' and '.join(few)}" if few else ""
    if factor <= 1.05:
        return f"collect more ratings from new prompts and reviewers{suffix}"
    grown = f"{math.ceil(factor * 10) / 10:g}" if factor < 10 else f"{math.ceil(factor)}"
    return f"to settle it, collect about {grown} times as many prompts, reviewers and ratings{suffix}"


def counted(number: int, noun: str) -> str:
    """`number` and `noun`, with a plural s unless the number is 1."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
