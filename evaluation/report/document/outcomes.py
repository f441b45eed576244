"""Sections about criteria, yes/no outcomes, slices and prompts."""

from collections.abc import Iterator, Mapping
from itertools import groupby

from evaluation.report.document import figures
from evaluation.report.document.model import (
    Block,
    Chart,
    Column,
    Figure,
    Fold,
    Mover,
    Movers,
    PairTexts,
    Paragraph,
    RowGroup,
    Section,
    Table,
)
from evaluation.stats.report import Report
from evaluation.stats.summaries import CriterionSummary, PromptScore, SliceSummary, YesNoSummary
from ftplatform.text import numbers
from ftplatform.text.values import words

MOST_SLICES = 12
_OUTCOME_COLUMNS = (
    Column("Difference", "with its interval"),
    Column("Relative change", "with its interval"),
    Column("Baseline"),
    Column("Candidate"),
    Column("Ratings"),
    Column("p", "Holm-adjusted"),
    Column("Reading", numeric=False),
)


def criteria(report: Report, groups: Mapping[str, str]) -> Section | None:
    """Criteria under the rubric's headings. `groups` maps each criterion to its heading."""
    if not report.criteria:
        return None
    # A rubric may repeat a heading. All criteria of the heading are listed at its first position.
    order = list(dict.fromkeys(groups.get(item.name, "") for item in report.criteria))
    ranked = sorted(report.criteria, key=lambda item: order.index(groups.get(item.name, "")))
    grouped = groupby(ranked, key=lambda item: groups.get(item.name, ""))
    rows = tuple(RowGroup(title, tuple(_criterion(item) for item in items)) for title, items in grouped)
    table = Table("Criteria", (Column("Criterion", numeric=False), *_OUTCOME_COLUMNS), rows)
    shown = [item for item in report.criteria if item.difference is not None and item.ci_low is not None]
    summary = "; ".join(f"{words(item.name)} {numbers.signed(item.difference)}" for item in shown)
    chart = Chart(
        "criteria",
        "Difference of each criterion with its interval",
        f"Mean difference in points, candidate minus baseline: {summary}.",
        "Right of the dashed line, the candidate was rated higher.",
    )
    note = "differences are candidate − baseline, in points of the scale"
    return Section("criteria", "Criteria", (*([chart] if shown else ()), table), note)


def _criterion(item: CriterionSummary) -> tuple[Figure, ...]:
    return (
        figures.text(figures.label(item.name)),
        figures.scale(item.difference, item.ci_low, item.ci_high),
        figures.change(item.relative_change, item.relative_ci_low, item.relative_ci_high),
        figures.number(item.baseline_mean),
        figures.number(item.candidate_mean),
        figures.count(item.n_ratings),
        _adjusted(item),
        _reading(item),
    )


def yes_no(report: Report) -> Section | None:
    """Share of "yes" for both models in each yes/no outcome."""
    if not report.yes_no:
        return None
    rows = tuple(
        (
            figures.text(figures.label(item.name)),
            figures.points(item.difference, item.ci_low, item.ci_high),
            figures.change(item.relative_change, item.relative_ci_low, item.relative_ci_high),
            figures.share(item.baseline_share, item.baseline_low, item.baseline_high),
            figures.share(item.candidate_share, item.candidate_low, item.candidate_high),
            figures.count(item.n_ratings),
            _adjusted(item),
            _reading(item),
        )
        for item in report.yes_no
    )
    table = Table("Outcomes", (Column("Outcome", numeric=False), *_OUTCOME_COLUMNS), (RowGroup("", rows),))
    shown = [row for row in rows if row[1].interval]
    summary = "; ".join(f"{row[0].text} {row[1].line}" for row in shown)
    chart = Chart(
        "outcomes",
        "Difference of each outcome with its interval",
        f"Candidate minus baseline, percentage points: {summary}.",
        "Right of the dashed line, “yes” was more frequent for the candidate.",
    )
    note = "share of “yes”; differences are candidate − baseline, in percentage points"
    return Section("outcomes", "Outcomes", (*([chart] if shown else ()), table), note)


def _adjusted(item: CriterionSummary | YesNoSummary) -> Figure:
    degrees = "" if item.df is None else f", df {numbers.decimal(item.df, 0)}"
    return figures.p(item.p_adjusted, note=f"{numbers.p_value(item.p_value)} unadjusted{degrees}")


def _reading(item: CriterionSummary | YesNoSummary) -> Figure:
    if item.difference is None:
        return figures.text("")
    if not item.significant:
        return Figure("open", mark="unsure")
    return Figure("higher", mark="up") if item.difference > 0 else Figure("lower", mark="down")


def slices(report: Report) -> Section | None:
    """Win score in each slice, worst first; slices without an estimate come last."""
    summary = report.slices
    if not summary.each:
        return None
    ranked = sorted(summary.each, key=_score_of_slice)
    columns = (
        Column("Slice", numeric=False),
        Column("Pooled win score", "with its interval"),
        Column("Win score", "with its interval"),
        Column("p", "adjusted"),
        Column("Ratings"),
        Column("Prompts"),
    )
    rows = tuple(_slice(item) for item in ranked)
    blocks: list[Block] = [
        Paragraph(
            "Use slices to decide what to examine next, not as findings: with many slices, one or another stands out "
            "by chance. Pooled win scores allow for that: each is moved towards the mean of its group as far as chance "
            "explains the differences. The p-values are adjusted for their number (Benjamini–Hochberg), and none "
            "carries a verdict."
        ),
        *_slice_chart(rows),
        Fold("All slices as a table", (figures.table("Slices", columns, rows),)),
    ]
    if summary.omitted:
        more = figures.plural(summary.omitted, "further slice")
        blocks.append(Paragraph(f"{more} not shown: too few prompts, or beyond the largest.", small=True))
    return Section("slices", "Slices, worst first", tuple(blocks), summary.label)


def _score_of_slice(item: SliceSummary) -> tuple[bool, float]:
    score = item.estimate if item.pooled is None else item.pooled
    return score is None, score or 0.0


def _slice(item: SliceSummary) -> tuple[Figure, ...]:
    return (
        figures.text(f"{words(item.slicing)}: {item.label}"),
        figures.share(item.pooled, item.pooled_low, item.pooled_high),
        figures.share(item.estimate, item.ci_low, item.ci_high),
        figures.p(item.p_adjusted),
        figures.count(item.n_ratings),
        figures.count(item.n_prompts),
    )


def _slice_chart(rows: tuple[tuple[Figure, ...], ...]) -> Iterator[Chart]:
    """The worst slices by the pooled score, or by the raw one where there are too few slices to pool."""
    scored = [(row[0].text, row[1] if row[1].interval else row[2]) for row in rows]
    shown = [(label, score) for label, score in scored if score.interval][:MOST_SLICES]
    if shown:
        yield Chart(
            "slices",
            "Slices where the candidate did worst",
            "Win score of the candidate: "
            + "; ".join(f"{label} {score.line}" for label, score in shown)
            + ".",
            "Right of the dashed line, the candidate was preferred. Exploratory.",
        )


def prompts(report: Report, texts: Mapping[str, PairTexts]) -> Section | None:
    """Distribution of the prompts, and the prompts with the strongest preference for each side."""
    summary = report.prompts
    if not (summary.above or summary.level or summary.below):
        return None
    blocks: list[Block] = [
        Paragraph(
            f"The candidate was preferred on {figures.plural(summary.above, 'prompt')}, the baseline on "
            f"{figures.plural(summary.below, 'prompt')}, neither on {figures.plural(summary.level, 'prompt')}."
        )
    ]
    if summary.histogram:
        blocks.append(_histogram(report))
    for side, items in (("baseline", summary.fallen), ("candidate", summary.risen)):
        title, empty = f"Where the {side} was preferred most", f"The {side} was preferred on no prompt."
        blocks.append(Movers(title, tuple(_mover(item, texts) for item in items), empty))
    blocks.append(
        Paragraph(
            "These prompts were selected for their extreme scores, so part of what stands out is luck. Read them to "
            "see what goes wrong, not how often.",
            small=True,
        )
    )
    return Section("prompts", "Prompt by prompt", tuple(blocks), "regressions first")


def _histogram(report: Report) -> Chart:
    summary = report.prompts
    above, level, below = (numbers.count(value) for value in (summary.above, summary.level, summary.below))
    return Chart(
        "prompts",
        "Win scores of the prompts",
        f"On {above} prompts the candidate was preferred, on {below} the baseline, on {level} neither.",
        "Each prompt counts once, with the mean of its ratings. With few ratings per prompt, more prompts lie at the "
        "ends than would with many.",
        ("Mean win score", "Prompts"),
        tuple(
            (numbers.span(one.low, one.high, numbers.percent), numbers.count(one.count))
            for one in summary.histogram
        ),
    )


def _mover(item: PromptScore, texts: Mapping[str, PairTexts]) -> Mover:
    key = str(item.prompt)
    return Mover(key, figures.share(item.win_score, digits=0), figures.count(item.n_ratings), texts.get(key))
