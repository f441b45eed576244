"""The report in words: one sentence to repeat, and the paragraph a statistician checks."""

import math

from evaluation.stats.equivalence import Verdict
from evaluation.stats.plan import Look, Plan
from evaluation.stats.summaries import PrimarySummary

# z(.975) + z(.8): a difference of 2.8 standard errors is found four times in five.
_DETECTABLE = 2.8
ENOUGH_REVIEWERS = 10
ENOUGH_PROMPTS = 30


def verdict_sentence(
    verdict: Verdict, primary: PrimarySummary, plan: Plan, look: Look | None, who: str
) -> str:
    """One plain sentence for `verdict`; `who` rated; says so when the look is interim."""
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
    """The win score with its interval, in comparisons of 100."""
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
    """One decimal where rounding would put a bound on 50 that is not there."""
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
    """Advice when inconclusive: SE² falls as prompts, reviewers and ratings grow in proportion."""
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


def methods_paragraph(
    primary: PrimarySummary, plan: Plan, look: Look | None, *, constant: bool, with_criteria: bool
) -> str:
    """What was done, in our own words, for exactly this report."""
    parts = [
        _outcome_method(primary),
        _inference_method(primary, constant),
        _look_method(primary, plan, look),
    ]
    parts.append(
        f"The verdict is 'better' or 'worse' by the two-sided test at {primary.significance_level:.3g}; "
        f"otherwise 'equivalent' when the {_equivalence_words(plan, look)} lies inside ½ ± "
        f"{plan.margin:g}, 'not worse' when the interval's lower end lies above ½ − {plan.margin:g}, "
        "and 'inconclusive' when none holds. The margin belongs to the plan whose hash is given."
    )
    if with_criteria:
        parts.append(
            "Criteria are mean differences candidate − baseline within reviewers, tested the same way; "
            "their adjusted p-values are Holm's and never below the primary p-value (gatekeeping), so each "
            "can be held against the whole level. Relative changes are ratios of means with a linearised "
            "clustered interval."
        )
    parts.append(
        "Agreement is Krippendorff's α (nominal for the preference, interval for criteria) with intervals "
        "from resampling prompts, and Gwet's AC1. The side effect is the clustered t test of the share "
        "preferring the left side. Effect-size intervals resample prompts and reviewers independently "
        "(pigeonhole bootstrap). Tests labelled 'this panel only' treat the reviewers as fixed and carry "
        "no claim about others."
    )
    return " ".join(part for part in parts if part)


def _outcome_method(primary: PrimarySummary) -> str:
    text = (
        f"The analysis used {counted(primary.n_ratings, 'rating')} of "
        f"{counted(primary.n_prompts, 'prompt')} by {counted(primary.n_reviewers, 'reviewer')}. The primary "
        "outcome is the win score: a win counts 1, a tie or 'both bad' ½, a loss 0; no rating was dropped and "
        "every prompt weighs equally."
    )
    if primary.reviewer_balanced:
        text += (
            " Because workloads were uneven, within a prompt a reviewer with n ratings was weighted in "
            "proportion to 1/(3 + n), a rule that looks only at who rated what."
        )
    return text


def _inference_method(primary: PrimarySummary, constant: bool) -> str:
    if constant:
        return (
            "All ratings agreed, so no variance could be estimated; interval and test are the exact "
            "binomial (Clopper–Pearson, sign test) over the smaller number of clusters, prompts or "
            "reviewers."
        )
    if primary.clustered.se is None:
        return f"No standard error could be estimated: {primary.problem}."
    text = (
        "Ratings were not treated as independent: the standard error is two-way cluster-robust over "
        "prompts and reviewers (Cameron, Gelbach & Miller 2011) in its delete-one-cluster form, with a "
        f"t distribution on {primary.clustered.df:.1f} effective degrees of freedom."
    )
    if primary.mixed_model is None:
        return text + " The crossed mixed model was not fitted."
    return text + (
        " The same mean was also tested with the variances of a crossed mixed model (random prompts "
        "and reviewers, REML, Satterthwaite degrees of freedom); the wider interval and the larger "
        "p-value of the two are reported."
    )


def _look_method(primary: PrimarySummary, plan: Plan, look: Look | None) -> str:
    if look is None:
        return f"One analysis was made, at level {plan.alpha:g}."
    at = "the last" if look.is_final else f"at {100 * look.fraction:.3g} % of the planned ratings"
    return (
        f"This is look {look.number} of {len(look.fractions)}, {at}; Lan–DeMets spending of O'Brien–Fleming "
        f"type keeps the overall level {plan.alpha:g}, which leaves {primary.significance_level:.3g} for this "
        "look, and the intervals are repeated confidence intervals."
    )


def counted(number: int, noun: str) -> str:
    """`number` with `noun` in the right number."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _equivalence_words(plan: Plan, look: Look | None) -> str:
    if look is not None:
        return "repeated confidence interval"
    return f"{100 * (1 - 2 * plan.alpha):g} % interval (two one-sided tests)"
