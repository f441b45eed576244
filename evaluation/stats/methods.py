"""The methods paragraph of one report, for a statistician to check."""

from dataclasses import dataclass

from evaluation.stats.plan import Look, Plan
from evaluation.stats.primary import FEWEST_REVIEWERS
from evaluation.stats.summaries import PrimarySummary
from evaluation.stats.wording import counted


@dataclass(frozen=True)
class Done:
    """The parts that the report has.

    `assumed` says that added ratings determine the interval, and `cluster` by which tag prompts were clustered.
    `excluded` counts ratings excluded by the plan's rule; None without a rule.
    """

    assumed: bool
    cluster: str
    criteria: bool
    yes_no: bool
    length: bool
    slices: bool
    excluded: int | None


def methods_paragraph(primary: PrimarySummary, plan: Plan, look: Look | None, done: Done) -> str:
    """Describe the methods of exactly this report in plain words."""
    parts = [
        _outcome_method(primary),
        _exclusion_method(plan, done),
        _inference_method(primary, done.assumed, done.cluster),
        _look_method(primary, plan, look),
        f"The verdict is 'better' or 'worse' by the two-sided test at {primary.significance_level:.3g}; "
        f"otherwise 'equivalent' when the {_equivalence_words(primary, plan)} lies inside ½ ± "
        f"{plan.margin:g}, 'not worse' when the interval's lower end lies above ½ − {plan.margin:g}, "
        f"and 'inconclusive' when none holds or fewer than {FEWEST_REVIEWERS} reviewers rated. {_margin_words(plan)}",
        _secondary_method(done),
        "Agreement is Krippendorff's α (nominal for the preference, interval for criteria) and Gwet's AC1 "
        "(AC2 with quadratic weights for criteria), with intervals from resampling prompts. The side shown and the "
        "model are fitted together: one gives the share that would prefer the left side of equal models, the other the "
        "adjusted win score. Effect-size intervals resample prompts and reviewers independently "
        "(pigeonhole bootstrap). Tests labelled 'this panel only' treat the reviewers as fixed and carry "
        "no claim about others.",
    ]
    if done.length:
        parts.append(
            "The length check is a regression of the win score on tanh of the standardised difference of lengths, read "
            "where both are equal; it is shown beside the headline and never replaces it."
        )
    if done.slices:
        parts.append(
            "Slices are exploratory: each has an interval like the headline's, and p-values are adjusted by Benjamini "
            "and Hochberg over all slices."
        )
    return " ".join(part for part in parts if part)


def _secondary_method(done: Done) -> str:
    if not done.criteria and not done.yes_no:
        return ""
    kinds = []
    if done.criteria:
        kinds.append(
            "Criteria are mean differences candidate − baseline within reviewers, tested the same way"
        )
    if done.yes_no:
        kinds.append("yes/no outcomes are differences of the shares of 'yes', tested the same way")
    text = "; ".join(kinds)
    return (
        f"{text[0].upper()}{text[1:]}. Their adjusted p-values are Holm's over all of them and never below the primary "
        "p-value (gatekeeping), so each can be compared with the whole level. Relative changes are ratios of means, on "
        "scales that start at zero only, with an interval of the log ratio."
    )


def _exclusion_method(plan: Plan, done: Done) -> str:
    if done.excluded is None:
        return ""
    rule = ", ".join(code.replace("_", " ") for code in plan.exclusion)
    return (
        f"By the rule frozen in the plan, {counted(done.excluded, 'rating')} by reviewers flagged for {rule} were left "
        "out; the flags look at how somebody worked and never at which response was whose, and the result with "
        "everybody is shown beside."
    )


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


def _inference_method(primary: PrimarySummary, assumed: bool, cluster: str) -> str:
    if primary.problem is not None:
        return f"There is no test, because {primary.problem}; the interval rests on the clustering assumed in planning."
    text = (
        "Ratings were not treated as independent: the standard error is two-way cluster-robust over "
        "prompts and reviewers (Cameron, Gelbach & Miller 2011) in its delete-one-cluster form"
    )
    if primary.clustered.df is not None:
        text += f", with a t distribution on {primary.clustered.df:.1f} effective degrees of freedom"
    text += "."
    if cluster:
        text += f" Prompts with the same '{cluster}' were treated as one cluster."
    if primary.mixed_model is None:
        text += " The crossed mixed model was not fitted."
    else:
        text += (
            " The same mean was also tested with the variances of a crossed mixed model (random prompts "
            "and reviewers, REML, Satterthwaite degrees of freedom). The reported interval is never narrower than the "
            "model's; where the clustered one is wider, a third of the difference of the squared half-widths is added, "
            "a rule chosen by simulation, and the p-value belongs to that interval."
        )
    text += (
        " The interval is computed on the scale of log odds, so it stays between 0 and 1, and one rating for each side "
        "is added, which counts less the more the ratings vary."
    )
    if assumed:
        text += " Here the ratings hardly vary, and the added ratings determine the interval."
    return text


def _look_method(primary: PrimarySummary, plan: Plan, look: Look | None) -> str:
    if plan.watch_se is not None:
        return (
            "The result may be watched all the time: the interval is an asymptotic confidence sequence "
            "(Waudby-Smith and others 2024) on the clustered standard error, narrowest at a planned standard error of "
            f"{plan.watch_se:.3g}, which leaves {primary.significance_level:.3g} of the level {plan.alpha:g} for this "
            "moment."
        )
    if plan.extensions:
        return _stage_method(primary, plan)
    if look is None:
        return f"One analysis was made, at level {plan.alpha:g}."
    at = "the last" if look.is_final else f"at {100 * look.fraction:.3g} % of the planned ratings"
    return (
        f"This is look {look.number} of {len(look.fractions)}, {at}; Lan–DeMets spending of O'Brien–Fleming "
        f"type keeps the overall level {plan.alpha:g}, which leaves {primary.significance_level:.3g} for this "
        "look, and the intervals are repeated confidence intervals."
    )


def _stage_method(primary: PrimarySummary, plan: Plan) -> str:
    planned = plan.extensions + 1
    return (
        f"This is stage {len(plan.earlier) + 1} of at most {planned}. Every stage has its own prompts and reviewers. "
        "Its statistic is the log odds of the win score over their standard error (the half-width at the bound over "
        "the bound). The sum over the stages, divided by the square root of their number, is compared with Pocock's "
        f"bound for {planned} analyses, which leaves {primary.significance_level:.3g} of the level {plan.alpha:g} for "
        "every stage. The weights are equal and were fixed with the plan, so the test holds whatever the sizes of the "
        "stages (Lehmacher & Wassmer 1999). The interval holds the win scores that this test does not reject. "
        "Everything else uses the ratings of this stage alone."
    )


def _margin_words(plan: Plan) -> str:
    if plan.frozen:
        return "The margin belongs to the frozen plan whose hash is given."
    return "The margin was chosen at the analysis."


def _equivalence_words(primary: PrimarySummary, plan: Plan) -> str:
    if primary.repeated_interval:
        return "repeated confidence interval"
    return f"{100 * (1 - 2 * plan.alpha):g} % interval (two one-sided tests)"
