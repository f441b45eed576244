"""How far the ratings can be trusted: agreement, side effect, reviewers and length, then details in folds."""

from collections.abc import Iterable, Iterator

from evaluation.report.document import figures
from evaluation.report.document.model import (
    Block,
    Cards,
    Column,
    Fact,
    Facts,
    Figure,
    Fold,
    Paragraph,
    Section,
)
from evaluation.stats.report import Report
from evaluation.stats.summaries import (
    AgreementItem,
    AgreementSummary,
    CriterionVariation,
    LengthSummary,
    PositionSummary,
    VariationSummary,
)
from ftplatform.text import numbers
from ftplatform.text.values import words

# Gwet's AC1 exceeds α by more than this where one answer dominates.
_SKEWED = 0.3
_NAME = Column("Outcome", numeric=False)


def trust(report: Report) -> Section:
    cards = [_agreement(report.agreement)]
    if report.position is not None:
        cards.append(_side(report.position))
    if report.reviewers.n:
        cards.append(_reviewers(report))
    if report.length is not None:
        cards.append(_length(report.length))
    return Section("quality", "Trust in the ratings", (Cards(tuple(cards)), *_folds(report)))


def _agreement(agreement: AgreementSummary) -> Facts:
    prompts = f"{figures.plural(agreement.n_prompts, 'prompt')} with two or more ratings"
    items = (
        Fact("Krippendorff's α", figures.number(agreement.alpha, agreement.ci_low, agreement.ci_high)),
        Fact("Gwet's AC1", figures.number(agreement.ac1, agreement.ac1_low, agreement.ac1_high)),
        Fact("Same answer", _of(figures.share(agreement.percent_agreement, digits=0), "of rating pairs")),
        Fact("Measured on", Figure(prompts, value=agreement.n_prompts)),
    )
    note = "0 is chance, 1 is perfect."
    alpha, ac1 = agreement.alpha, agreement.ac1
    if alpha is not None and ac1 is not None and ac1 - alpha > _SKEWED:
        note += " Nearly all answers are alike. Then α is low even where reviewers agree, and AC1 says more."
    return Facts("Agreement", items, note)


def _side(found: PositionSummary) -> Facts:
    share = _of(figures.share(found.candidate_left_share), "of the time")
    if found.left_score is None:
        items: tuple[Fact, ...] = (Fact("Candidate on the left", share),)
        return Facts(
            "Side effect", items, "The sides hardly vary, so a preferred side cannot be told from the model."
        )
    items = (
        Fact("Left preferred", figures.share(found.left_score, found.ci_low, found.ci_high)),
        Fact("p-value", figures.p(found.p_value)),
        Fact("Candidate on the left", share),
        Fact(
            "Win score, adjusted",
            figures.share(found.adjusted_estimate, found.adjusted_ci_low, found.adjusted_ci_high),
        ),
    )
    note = "Estimated together with the model's effect. 50\N{NO-BREAK SPACE}% left means that the side did not matter."
    return Facts("Side effect", items, note)


def _reviewers(report: Report) -> Facts:
    summary = report.reviewers
    items = (
        Fact("Reviewers", figures.count(summary.n)),
        Fact("Effective number", figures.number(summary.effective, digits=1)),
        Fact("Busiest reviewer", _of(figures.share(summary.largest_share), "of all ratings")),
    )
    note = "The effective number counts reviewers as if all rated equally often."
    return Facts("Reviewers", items, note)


def _length(length: LengthSummary) -> Facts:
    adjusted = figures.share(length.adjusted_estimate, length.adjusted_ci_low, length.adjusted_ci_high)
    items = (
        Fact("Mean length, baseline", _of(figures.number(length.baseline_mean, digits=0), "words")),
        Fact("Mean length, candidate", _of(figures.number(length.candidate_mean, digits=0), "words")),
        Fact("Candidate longer", _of(figures.share(length.candidate_longer_share, digits=0), "of the time")),
        Fact("Win score at equal length", adjusted),
    )
    note = (
        "Readers tend to prefer longer answers. This estimates the preference that would remain at equal length; it is "
        "a check beside the headline, never a replacement for it."
    )
    if length.adjusted_estimate is None:
        note = (
            "One side is nearly always longer, so the effect of length cannot be told from that of the model."
        )
    return Facts("Length", items, note)


def _of(figure: Figure, what: str) -> Figure:
    """The figure followed by its unit or noun; unchanged if it has no value."""
    if figure.value is None:
        return figure
    return Figure(
        f"{figure.text} {what}", figure.unit, figure.value, figure.interval, figure.low, figure.high
    )


def _folds(report: Report) -> Iterator[Fold]:
    if report.agreement.criteria:
        yield _fold(
            "Agreement on each criterion", _agreement_columns(), map(_agreed, report.agreement.criteria)
        )
    if report.variation.prompt_share is not None:
        yield _variation(report.variation)
    if report.effect_sizes:
        columns = (
            _NAME,
            Column("Size", numeric=False),
            Column("Value", "with its 95\N{NO-BREAK SPACE}% interval"),
        )
        rows = (
            (
                figures.text(figures.label(item.name)),
                figures.text(words(item.kind)),
                (figures.points if item.name == "net_win_rate" else figures.signed)(
                    item.value, item.ci_low, item.ci_high
                ),
            )
            for item in report.effect_sizes
        )
        yield _fold("Effect sizes", columns, rows)
    if report.panel_only.tests:
        yield _panel(report)


def _fold(
    title: str, columns: tuple[Column, ...], rows: Iterable[tuple[Figure, ...]], note: str = ""
) -> Fold:
    blocks: tuple[Block, ...] = (figures.table(title, columns, rows),)
    return Fold(title, (Paragraph(note, small=True), *blocks) if note else blocks)


def _agreement_columns() -> tuple[Column, ...]:
    interval = "with its 95\N{NO-BREAK SPACE}% interval"
    return (
        Column("Criterion", numeric=False),
        Column("Krippendorff's α", interval),
        Column("Gwet's AC2", interval),
    )


def _agreed(item: AgreementItem) -> tuple[Figure, ...]:
    return (
        figures.text(figures.label(item.name)),
        figures.number(item.alpha, item.ci_low, item.ci_high),
        figures.number(item.ac2, item.ac2_low, item.ac2_high),
    )


def _variation(variation: VariationSummary) -> Fold:
    note = (
        "What makes ratings differ, split by a crossed mixed model (REML). A large share between prompts: more prompts "
        "help most. A large share between reviewers: reviewers disagree in general, and more reviewers help most."
    )
    columns = (
        _NAME,
        Column("Between prompts"),
        Column("Between reviewers"),
        Column("Residual"),
        Column("Standard deviation", "of one rating"),
    )
    first = _shares("Win score", variation, _of_score(variation.sd))
    rest = (_shares(figures.label(item.name), item, _on_scale(item.sd)) for item in variation.criteria)
    return _fold("Variance components", columns, (first, *rest), note)


def _shares(
    name: str, variation: VariationSummary | CriterionVariation, spread: Figure
) -> tuple[Figure, ...]:
    shares = (variation.prompt_share, variation.reviewer_share, variation.residual_share)
    return (figures.text(name), *(figures.share(value, digits=0) for value in shares), spread)


def _of_score(sd: float | None) -> Figure:
    """Standard deviation of the win score, in percentage points without a sign."""
    return Figure(
        f"{numbers.hundred(sd)}\N{NO-BREAK SPACE}pp" if sd is not None else numbers.DASH, "points", sd
    )


def _on_scale(sd: float | None) -> Figure:
    return _of(figures.number(sd), "points")


def _panel(report: Report) -> Fold:
    note = (
        "Readers know these tests. They ignore that other reviewers could disagree, so they carry no verdict about "
        "anyone else."
    )
    columns = (
        Column("Test", numeric=False),
        Column("Statistic"),
        Column("p"),
        Column("Computed by", numeric=False),
    )
    rows = (
        (
            figures.text(figures.label(item.name)),
            figures.measured(item.statistic),
            figures.p(item.p_value),
            figures.text(item.method),
        )
        for item in report.panel_only.tests
    )
    return _fold(f"Other tests, for {report.panel_only.label}", columns, rows, note)
