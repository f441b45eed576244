"""Sections about the planned analyses and the exclusions."""

from collections.abc import Iterator, Sequence

from evaluation.report.document import figures
from evaluation.report.document.model import (
    Block,
    Chart,
    Column,
    Fact,
    Facts,
    Figure,
    Item,
    Items,
    Paragraph,
    Section,
)
from evaluation.stats.report import Report
from evaluation.stats.summaries import ExclusionSide, ExclusionsSummary, QualitySummary, StageSummary
from ftplatform.text import numbers
from ftplatform.text.values import plain, unbroken, verdict_word, words


def planned(report: Report, history: Sequence[Report], *, has_plan: bool) -> Section:
    """When the result was analysed, and the effect on the level. `history` holds this and all earlier analyses."""
    blocks: list[Block] = [Paragraph(_rule(report, has_plan=has_plan))]
    if report.look is not None:
        levels = (
            Fact("Significance level at this analysis", figures.measured(report.look.significance_level, 3)),
            Fact("Level spent so far", figures.measured(report.look.alpha_spent, 3)),
        )
        blocks.append(Facts("", levels))
    return Section("looks", "Planned analyses", (*blocks, *_course(history)))


def _rule(report: Report, *, has_plan: bool) -> str:
    if report.watch is not None:
        return unbroken(
            "This campaign can be monitored at any time: each interval is one moment of a confidence sequence, which "
            f"holds at all moments together. {report.watch.cost}"
        )
    if report.look is not None:
        look = report.look
        return unbroken(
            f"Analysis {look.number} of {look.planned}, at {numbers.percent(look.fraction)} of the planned ratings "
            f"(O'Brien–Fleming spending). {look.cost}"
        )
    if report.stages is not None:
        return "One analysis at the end of every stage, as planned. The section Stages says what that costs."
    if not has_plan:
        return (
            "One analysis of the whole file. Its settings were chosen at the analysis, not frozen beforehand."
        )
    return "One analysis at the end, as planned, so no correction is needed."


def stages(report: Report) -> Section | None:
    """The win score of every stage and over all of them, and what the option of extensions costs."""
    found = report.stages
    if found is None:
        return None
    columns = (
        Column("Stage", numeric=False),
        Column("Win score", "with its repeated interval"),
        Column("z"),
        Column("Ratings"),
        Column("Prompts"),
        Column("Reviewers"),
    )
    rows = [_stage(number, one) for number, one in enumerate(found.each, 1)]
    if found.number > 1 and found.estimate is not None:
        sizes = [
            figures.count(sum(getattr(one, name) for one in found.each))
            for name in ("n_ratings", "n_prompts", "n_reviewers")
        ]
        whole = figures.share(found.estimate, found.ci_low, found.ci_high)
        rows.append((figures.text("Combined"), whole, figures.number(found.z), *sizes))
    blocks: list[Block] = [
        Paragraph(
            unbroken(
                f"Stage {found.number} of at most {found.planned}. A difference is claimed where |z| is at least "
                f"{numbers.figure(found.bound, 3)}; over several stages, z is the sum of theirs over the square root "
                f"of their number. {found.cost}"
            )
        )
    ]
    if rows:
        blocks.append(figures.table("Win score by stage", columns, rows))
    return Section("stages", "Stages", tuple(blocks), "each with its own prompts and reviewers")


def _stage(number: int, one: StageSummary) -> tuple[Figure, ...]:
    return (
        figures.text(f"{number}: {one.campaign or 'this campaign'}"),
        figures.share(one.estimate, one.ci_low, one.ci_high),
        figures.number(one.z),
        figures.count(one.n_ratings),
        figures.count(one.n_prompts),
        figures.count(one.n_reviewers),
    )


def _course(history: Sequence[Report]) -> Iterator[Chart]:
    """Chart of the win score at every analysis so far; no chart for a single analysis."""
    rows = []
    for earlier in history:
        primary = earlier.primary
        score = figures.share(primary.estimate, primary.ci_low, primary.ci_high)
        if primary.estimate is not None and score.interval:
            rows.append((numbers.count(primary.n_ratings), score.text, score.interval))
    if len(rows) > 1:
        yield Chart(
            "looks",
            "Win score at each analysis",
            "Win score at each analysis: " + "; ".join(f"{b} after {a} ratings" for a, b, _ in rows) + ".",
            "The intervals hold for all analyses together, so each is wider than one for a single analysis.",
            ("Ratings", "Win score", "Interval"),
            tuple(rows),
        )


def exclusions(report: Report) -> Section | None:
    """Headline with and without flagged reviewers, and the reasons for the flags."""
    if report.exclusions is None and report.quality is None:
        return None
    blocks: list[Block] = []
    if report.exclusions is not None:
        blocks += _with_and_without(report.exclusions)
    if report.quality is not None:
        blocks.append(_flagged(report.quality))
    note = "rules use reviewer behaviour only, never which model wrote a response"
    return Section("exclusions", "With and without flagged reviewers", tuple(blocks), note)


def _with_and_without(found: ExclusionsSummary) -> Iterator[Block]:
    yield Paragraph(" ".join(_scope(found)))
    columns = (
        Column("Ratings of", numeric=False),
        Column("Verdict", numeric=False),
        Column("Win score", "with its interval"),
        Column("p"),
        Column("Ratings"),
        Column("Reviewers"),
    )
    sides = (("All reviewers", found.everything), ("Without flagged reviewers", found.kept))
    yield figures.table("With and without flagged reviewers", columns, (_side(*side) for side in sides))


def _scope(found: ExclusionsSummary) -> Iterator[str]:
    if found.rule:
        rule = words(plain(list(found.rule)))
        yield f"Frozen before the first rating: the headline leaves out reviewers flagged as {rule}."
    else:
        yield "No rule was frozen, so every reviewer counts. The second line leaves out flagged reviewers."
    if found.n_ratings:
        ratings, reviewers = (
            figures.plural(found.n_ratings, "rating"),
            figures.plural(found.n_reviewers, "reviewer"),
        )
        yield f"This concerns {ratings} of {reviewers}."
    else:
        yield "This concerns no rating."
    if found.changes_verdict:
        yield "The verdict depends on it."


def _side(name: str, side: ExclusionSide) -> tuple[Figure, ...]:
    verdict = verdict_word(side.verdict) if side.n_ratings else "No ratings"
    return (
        figures.text(name),
        figures.text(verdict),
        figures.share(side.estimate, side.ci_low, side.ci_high),
        figures.p(side.p_value),
        figures.count(side.n_ratings),
        figures.count(side.n_reviewers),
    )


def _flagged(found: QualitySummary) -> Block:
    if not found.flagged:
        return Paragraph(f"Reviewers flagged: 0 of {numbers.count(found.judged)}.", small=True)
    return Items(
        "Flagged reviewers",
        tuple(
            Item(f"Reviewer {one.reviewer}", tuple(unbroken(flag.reason) for flag in one.flags))
            for one in found.flagged
        ),
    )
