"""Headline section: the win score in plain words, the answer counts, and how the score is computed."""

from collections.abc import Iterator

from evaluation.report.document import figures
from evaluation.report.document.model import (
    Block,
    Chart,
    Fact,
    Figure,
    Fold,
    Outcome,
    Outcomes,
    Paragraph,
    Section,
    Stats,
)
from evaluation.stats.report import Report
from evaluation.stats.summaries import PrimarySummary, TestSummary
from ftplatform.text import numbers

# Field of the result, name and label. Every output uses this order: best for the candidate first.
OUTCOMES = (
    ("wins", "candidate", "Candidate preferred"),
    ("ties", "tie", "Tie"),
    ("both_bad", "both-bad", "Both bad"),
    ("losses", "baseline", "Baseline preferred"),
)

_AID = "reading aid, not the test"


def preference(report: Report) -> Section:
    if not report.primary.n_ratings:
        blocks: tuple[Block, ...] = (Paragraph(_nothing(report)),)
    else:
        blocks = tuple(_blocks(report))
    return Section("preference", "Preferred response", blocks)


def _nothing(report: Report) -> str:
    left_out = report.exclusions
    if left_out is not None and left_out.applied and left_out.n_ratings:
        return (
            "No rating is left to analyse: the frozen exclusion rule leaves out all "
            f"{figures.plural(left_out.n_ratings, 'rating')}. The result with every reviewer is shown below."
        )
    return "No rating was counted, so there is no result."


def _blocks(report: Report) -> Iterator[Block]:
    primary = report.primary
    if report.stages is not None and report.stages.number > 1:
        yield Paragraph(
            f"The figures here are of stage {report.stages.number} alone. The verdict above combines all stages; see "
            "Stages."
        )
    if primary.ci_low is not None and primary.ci_high is not None:
        yield Paragraph(_meaning(primary, primary.ci_low, primary.ci_high))
        yield Paragraph(_against_chance(primary.ci_low, primary.ci_high))
    yield Stats(tuple(_stats(report)))
    yield _outcomes(primary)
    yield from _charts(primary)
    if primary.clustered.se is not None:
        yield _computed(primary)


def _meaning(primary: PrimarySummary, low: float, high: float) -> str:
    # Use one decimal if rounding would show a bound as 50 although it is not.
    digits = 1 if any(round(100 * bound) == 50 and bound != 0.5 for bound in (low, high)) else 0
    estimate, least, most = (numbers.percent(value, digits=digits) for value in (primary.estimate, low, high))
    kind = "repeated " if primary.repeated_interval else ""
    return (
        f"In these ratings the candidate's response was preferred {estimate} of the time, counting ties as half and "
        f"all prompts equally. The {kind}{numbers.percent(primary.confidence)} interval allows for chance in the "
        f"choice of prompts and reviewers: win scores from {least} to {most} are compatible with "
        f"{figures.plural(primary.n_ratings, 'rating')}."
    )


def _against_chance(low: float, high: float) -> str:
    half = "50\N{NO-BREAK SPACE}%"
    if low > 0.5 or high < 0.5:
        side = "above" if low > 0.5 else "below"
        found = f"The whole interval lies {side} {half}, the win score without any preference."
    else:
        found = f"It includes {half}, no preference at all, so these ratings cannot rule that out."
    return (
        f"{found} The interval covers other prompts and other reviewers, not only these, so it is usually wider than a "
        "simple count of the ratings would give."
    )


def _stats(report: Report) -> Iterator[Fact]:
    primary = report.primary
    yield Fact("Win score of the candidate", _win_score(report))
    threshold = numbers.figure(primary.significance_level, 2)
    where = " at this analysis" if primary.repeated_interval else ""
    yield Fact("p-value", figures.p(primary.p_value, note=f"two-sided; threshold {threshold}{where}"))
    sources = (
        f"{figures.plural(primary.n_prompts, 'prompt')}, {figures.plural(primary.n_reviewers, 'reviewer')}"
    )
    yield Fact("Ratings", _with_note(figures.count(primary.n_ratings), sources))
    if primary.net_win_rate is not None:
        rate = figures.points(primary.net_win_rate)
        yield Fact("Net win rate", _with_note(rate, "share of wins minus share of losses"))
    if primary.chance_better is not None:
        yield Fact("Chance that the candidate is better", _chance(primary.chance_better))
    if primary.chance_worse is not None:
        by_more = f"by more than {numbers.points(primary.margin).lstrip('+')}; {_AID}"
        yield Fact("Chance that it is worse", _with_note(_chance(primary.chance_worse), by_more))


def _chance(value: float) -> Figure:
    """A chance, never shown as certain."""
    shown = min(max(value, 0.001), 0.999)
    bound = "" if shown == value else "under " if value < shown else "over "
    return Figure(f"{bound}{numbers.percent(shown, digits=1 if bound else 0)}", "share", value, note=_AID)


def _has_several_analyses(report: Report) -> bool:
    return report.stages is not None or (report.look is not None and report.look.planned > 1)


def _win_score(report: Report) -> Figure:
    primary = report.primary
    share = figures.share(primary.estimate, primary.ci_low, primary.ci_high)
    repeated = "repeated " if primary.repeated_interval and _has_several_analyses(report) else ""
    kind = f"{repeated}{numbers.percent(primary.confidence)} interval" if share.interval else "no interval"
    return _with_note(share, f"{kind}; 50\N{NO-BREAK SPACE}% means no preference; ties count half")


def _with_note(figure: Figure, note: str) -> Figure:
    return Figure(figure.text, figure.unit, figure.value, figure.interval, figure.low, figure.high, note)


def _outcomes(primary: PrimarySummary) -> Outcomes:
    items, start = [], 0
    for member, name, label in OUTCOMES:
        size: int = getattr(primary, member)
        part = figures.share(size / primary.n_ratings, digits=0)
        items.append(Outcome(name, label, figures.count(size), part, start, size))
        start += size
    counts = "; ".join(f"{item.label.lower()} {item.count.text} ({item.share.text})" for item in items)
    chart = Chart(
        "answers",
        "Answers of the reviewers",
        f"Of {figures.plural(start, 'rating')}: {counts}.",
        "Every rating, including ties and “both bad”.",
    )
    return Outcomes(tuple(items), start, chart)


def _charts(primary: PrimarySummary) -> Iterator[Chart]:
    share = figures.share(primary.estimate, primary.ci_low, primary.ci_high)
    if primary.estimate is None or not share.interval:
        return
    yield Chart(
        "preference",
        "Win score with its interval",
        f"The win score is {share.text}, interval {share.interval}; 50\N{NO-BREAK SPACE}% means no preference.",
        "The dashed line marks no preference. Differences inside the grey band do not matter.",
    )


def _computed(primary: PrimarySummary) -> Fold:
    note = (
        "The same mean, tested in two ways that both treat prompts and reviewers as samples. The headline combines "
        "their intervals as described under Methods."
    )
    if primary.chance_better is not None:
        note += " The chances belong to the same inference, if all win scores were equally likely before the ratings."
    inner = figures.share(None, primary.equivalence_low, primary.equivalence_high)
    if inner.interval:
        low, high = (numbers.percent(0.5 + sign * primary.margin) for sign in (-1, 1))
        note += f" The interval that decides “equivalent” is {inner.interval}; it must lie between {low} and {high}."
    tests = [("Two-way clustered, jackknife", primary.clustered)]
    if primary.mixed_model is not None:
        tests.append(("Crossed mixed model, REML", primary.mixed_model))
    columns = ("Test of 50\N{NO-BREAK SPACE}%", "Win score", "Standard error", "df", "p")
    rows = (_test(name, test) for name, test in tests)
    return Fold(
        "How the win score is computed",
        (Paragraph(note, small=True), figures.table("How the win score is computed", columns, rows)),
    )


def _test(name: str, test: TestSummary) -> tuple[Figure, ...]:
    return (
        figures.text(name),
        figures.share(test.estimate),
        figures.share(test.se, digits=2),
        figures.number(test.df, digits=1),
        figures.p(test.p_value),
    )
