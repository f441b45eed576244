"""The verdict in words: one sentence, and what a new campaign needs if the result is inconclusive."""

import math

from evaluation.stats.equivalence import Verdict
from evaluation.stats.plan import Look, Plan
from evaluation.stats.primary import FEWEST_REVIEWERS
from evaluation.stats.staged import over_stages
from evaluation.stats.summaries import PrimarySummary, StagesSummary

# z(.975) + z(.8): a difference of 2.8 standard errors is detected with 80 % power.
_DETECTABLE = 2.8
ENOUGH_REVIEWERS = 10
ENOUGH_PROMPTS = 30


def verdict_sentence(
    verdict: Verdict,
    primary: PrimarySummary,
    plan: Plan,
    look: Look | None,
    who: str,
    stages: StagesSummary | None = None,
) -> str:
    """One plain sentence for `verdict`. `who` names the raters. An interim analysis is marked as such, and so is a
    verdict over several stages."""
    shown = over_stages(primary, stages)
    text = {
        "better": _better,
        "worse": _worse,
        "equivalent": _equivalent,
        "not_worse": _not_worse,
        "inconclusive": _inconclusive,
    }[verdict](who, shown, plan)
    if verdict == "inconclusive":
        text = f"{text} {what_to_collect(primary, stages)}"
    if shown is not primary:
        text = f"Over stages {_listed(len(plan.earlier) + 1)} combined, {text}"
    if look is not None and not look.is_final:
        text = f"At planned analysis {look.number} of {len(look.fractions)}: {text}"
    return text[0].upper() + text[1:]


def _score(primary: PrimarySummary) -> str:
    """The win score with the interval of the report."""
    kind = "repeated " if primary.repeated_interval else ""
    return _with_interval(
        primary, f"{kind}{percent(primary.confidence)} interval", primary.ci_low, primary.ci_high
    )


def _with_interval(primary: PrimarySummary, name: str, low: float | None, high: float | None) -> str:
    if primary.estimate is None or low is None or high is None:
        return "no win score"
    digits = _digits((low, high))
    inside = f"{name} {percent(low, digits)} to {percent(high, digits)}; ties count half"
    return f"a win score of {percent(primary.estimate, digits)} ({inside})"


def _digits(bounds: tuple[float, float]) -> int:
    """Use one decimal if rounding would show a bound as 50 although it is not."""
    return 1 if any(round(100 * b) == 50 and abs(b - 0.5) > 1e-9 for b in bounds) else 0


def _better(who: str, primary: PrimarySummary, plan: Plan) -> str:
    return f"{who} preferred {plan.candidate_name}, with {_score(primary)}."


def _worse(who: str, primary: PrimarySummary, plan: Plan) -> str:
    return f"{who} preferred {plan.baseline_name}: {plan.candidate_name} has {_score(primary)}."


def _equivalent(who: str, primary: PrimarySummary, plan: Plan) -> str:
    # Equivalence is decided by this interval, which is narrower than the 95 % interval.
    level = primary.confidence if primary.repeated_interval else 1 - 2 * plan.alpha
    kind = "repeated " if primary.repeated_interval else ""
    score = _with_interval(
        primary, f"{kind}{percent(level)} interval", primary.equivalence_low, primary.equivalence_high
    )
    low, high = (percent(0.5 + side * plan.margin) for side in (-1, 1))
    chosen = "the plan counts" if plan.frozen else "this analysis counts"
    return (
        f"{who} saw no difference that matters: {plan.candidate_name} has {score}, inside the {low} to {high} that "
        f"{chosen} as equivalent."
    )


def _not_worse(who: str, primary: PrimarySummary, plan: Plan) -> str:
    return (
        f"{who} found {plan.candidate_name} not worse than {plan.baseline_name} by {margin_text(plan.margin)} or "
        f"more: it has {_score(primary)}. Whether it is better is still open."
    )


def _inconclusive(who: str, primary: PrimarySummary, plan: Plan) -> str:
    start = f"the result from {who} is inconclusive"
    name = plan.candidate_name[:1].upper() + plan.candidate_name[1:]
    if primary.estimate is None:
        return f"{start}, because {primary.problem}."
    if primary.problem is not None:
        score = f"a win score of {percent(primary.estimate)} (ties count half)"
        return f"{start}, because {primary.problem}. {name} has {score}."
    if primary.n_reviewers < FEWEST_REVIEWERS:
        few = f"fewer than {FEWEST_REVIEWERS} reviewers cannot show how others would judge"
        return f"{start}, because {few}. {name} has {_score(primary)}."
    return (
        f"{start}: {plan.candidate_name} has {_score(primary)}, so it may be better or worse than "
        f"{plan.baseline_name}."
    )


def what_to_collect(primary: PrimarySummary, stages: StagesSummary | None = None) -> str:
    """Advice for an inconclusive result. SE² falls as prompts, reviewers and ratings grow in proportion."""
    if stages is not None and stages.extensible:
        left = stages.planned - stages.number
        return (
            f"The plan allows {'one more stage' if left == 1 else f'up to {left} more stages'}, with other prompts and "
            "other reviewers, which should be at least as large as this one. Do not add ratings to this one: the test "
            "combines whole stages."
        )
    primary = over_stages(primary, stages)
    se = max((s.se or 0.0) for s in (primary.clustered, primary.mixed_model) if s is not None)
    if (
        primary.problem is not None
        or primary.n_reviewers < FEWEST_REVIEWERS
        or primary.estimate is None
        or se == 0
    ):
        return f"Collect ratings from at least {ENOUGH_REVIEWERS} reviewers on at least {ENOUGH_PROMPTS} prompts."
    difference = max(abs(primary.estimate - 0.5), primary.margin)
    factor = max((se * _DETECTABLE / difference) ** 2, 1.0)
    size = "as large as this one" if factor < 1.05 else f"about {_times(factor)} times as large"
    return (
        f"A new campaign {size}, in prompts, reviewers and ratings, would have about 80 % power to show a difference "
        f"of {margin_text(difference)}. Do not add ratings to this one and test again: that makes false claims more "
        "likely than stated."
    )


def _listed(number: int) -> str:
    """The numbers from 1 to `number`, at least 2."""
    return f"{', '.join(str(one) for one in range(1, number))} and {number}"


def _times(factor: float) -> str:
    return f"{math.ceil(factor * 10) / 10:g}" if factor < 10 else f"{math.ceil(factor):,}"


def percent(share: float, digits: int = 0) -> str:
    """A share (0 … 1) as a percentage. It shows 0 % or 100 % only for exactly these values."""
    value = 100 * share
    text = f"{value:.{digits}f}"
    if float(text) in (0.0, 100.0) and share not in (0.0, 1.0):
        text = f"{value:.1f}" if 0.05 <= value < 99.95 else ("< 0.1" if value < 50 else "> 99.9")
    return f"{text} %"


def margin_text(difference: float) -> str:
    """A difference of shares in percentage points."""
    number = f"{100 * difference:.1f}".removesuffix(".0")
    return f"{number} percentage point{'' if number == '1' else 's'}"


def counted(number: int, noun: str) -> str:
    """`number` and `noun`, with a plural s unless the number is 1."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
