"""What to do now: release, stop or collect more, and what to read first. All from the frozen result."""

from collections.abc import Iterator

from evaluation.report.document.model import Item, Items, Section
from evaluation.stats.report import Report
from evaluation.stats.staged import OPEN_VERDICTS, confirmation_cost
from evaluation.stats.summaries import CriterionSummary, SliceSummary, YesNoSummary
from evaluation.stats.wording import what_to_collect
from ftplatform.text import numbers
from ftplatform.text.values import unbroken, words

_DECISIONS = {
    "better": (
        "Release the candidate",
        "On prompts and with reviewers like these, it is preferred to the baseline.",
    ),
    "worse": (
        "Do not release the candidate",
        "On prompts and with reviewers like these, the baseline is preferred.",
    ),
    "equivalent": (
        "Decide by other reasons",
        "Reviewers see no difference that matters. Cost, speed and the single criteria can decide.",
    ),
    "not_worse": (
        "Release only if the candidate has other advantages",
        "It is not worse by more than the margin, but it is not shown to be better.",
    ),
}
_EXTEND = "“Extend this campaign” on the campaign's page drafts the next stage. The verdict then combines the stages."
_CONFIRM = (
    "“Draft a confirmatory campaign” on the campaign's page copies these settings. To be able to add stages to that "
    "one, plan extensions in its draft."
)
_COLLECT = (
    "Collect the new ratings in a file of their own and analyse that file alone. To combine stages in one test, plan "
    "extensions in a campaign before the first rating."
)
_SETTLED = "This planned interim analysis has settled the question, so no more ratings are needed."
_MOST_SLICES = 3


def next_steps(report: Report) -> Section | None:
    """The decision that the verdict supports, then what to look at before acting on it; None without ratings."""
    items = steps(report)
    return Section("next", "What to do now", (Items("", items),)) if items else None


def steps(report: Report) -> tuple[Item, ...]:
    """The items of `next_steps`."""
    if not report.primary.n_ratings:
        return ()
    return (*_decision(report), *_lower(report), *_weak_slices(report))


def _decision(report: Report) -> Iterator[Item]:
    if report.simulated:
        yield Item(
            "Repeat this with people",
            ("Some or all ratings are simulated, so this report supports no decision about a release.",),
        )
        return
    is_open, interim = report.verdict in OPEN_VERDICTS, report.look is not None and not report.look.is_final
    if is_open and interim:
        yield Item("Go on", ("This is a planned interim analysis, and it leaves the question open.",))
        return
    if report.verdict != "inconclusive":
        title, reason = _DECISIONS[report.verdict]
        yield Item(title, (reason, *([_SETTLED] if interim else ())))
    if is_open:
        extensible = report.stages is not None and report.stages.extensible
        what = "Extend this campaign" if extensible else "Plan a new campaign"
        advice = unbroken(what_to_collect(report.primary, report.stages))
        yield Item(f"{what}, or stop here", (advice, *_how(report, extensible=extensible)))


def _how(report: Report, *, extensible: bool) -> tuple[str, ...]:
    """How to collect more without false claims, and what that costs."""
    if extensible:
        return (_EXTEND,)
    price = confirmation_cost(len(report.confirms) + 1, 1 - report.primary.confidence)
    return (_COLLECT if report.plan_hash is None else _CONFIRM, unbroken(price))


def _lower(report: Report) -> Iterator[Item]:
    """Criteria and outcomes on which the candidate is significantly lower."""
    outcomes: tuple[CriterionSummary | YesNoSummary, ...] = (*report.criteria, *report.yes_no)
    lower = [words(one.name) for one in outcomes if one.significant and (one.difference or 0.0) < 0]
    if lower:
        yield Item("Look at what went down", (f"The candidate is lower on: {', '.join(lower)}.",))


def _weak_slices(report: Report) -> Iterator[Item]:
    """The slices whose whole interval is below one half, worst first."""
    weak = [one for one in report.slices.each if (_ends(one)[1] or 1.0) < 0.5]
    weak.sort(key=lambda one: _ends(one)[1] or 1.0)
    if weak:
        names = [f"{words(one.slicing)}: {one.label}" for one in weak[:_MOST_SLICES]]
        more = f" and {numbers.count(len(weak) - _MOST_SLICES)} more" if len(weak) > _MOST_SLICES else ""
        text = f"The baseline was preferred there: {'; '.join(names)}{more}. Slices are exploratory."
        yield Item("Inspect these slices", (text,))


def _ends(one: SliceSummary) -> tuple[float | None, float | None]:
    return (one.ci_low, one.ci_high) if one.pooled is None else (one.pooled_low, one.pooled_high)
