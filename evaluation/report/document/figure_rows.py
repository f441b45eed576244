"""The figures of a report document as rows of a table, for spreadsheets and programs."""

from collections.abc import Iterator

from evaluation.report.document.model import (
    Cards,
    Fact,
    Facts,
    Figure,
    Fold,
    Movers,
    Outcomes,
    ReportDocument,
    Section,
    Stats,
    Table,
)

HEADER = ("section", "group", "name", "column", "text", "value", "low", "high", "unit")
Row = tuple[str | float | None, ...]


def figure_rows(document: ReportDocument) -> Iterator[Row]:
    """Every figure once, in reading order, under the names of `HEADER`. Shares are 0 to 1."""
    yield _row("", "", "Verdict", "", Figure(document.verdict.word))
    yield _row("", "", "Result", "", Figure(document.sentence))
    for caution in document.cautions:
        yield _row("", "Cautions", caution.code, "", Figure(caution.text))
    for section in (*document.sections, *document.appendix):
        yield from _section(section)


def _section(section: Section) -> Iterator[Row]:
    blocks = list(section.blocks)
    while blocks:
        block = blocks.pop(0)
        if isinstance(block, Fold):
            blocks[:0] = block.blocks
        elif isinstance(block, Cards):
            blocks[:0] = block.items
        elif isinstance(block, Stats):
            yield from _facts(section.title, "", block.items)
        elif isinstance(block, Facts):
            yield from _facts(section.title, block.title, block.items)
        elif isinstance(block, Table):
            yield from _table(section.title, block)
        elif isinstance(block, Outcomes):
            for one in block.items:
                yield _row(section.title, "Answers", one.label, "Ratings", one.count)
                yield _row(section.title, "Answers", one.label, "Share", one.share)
        elif isinstance(block, Movers):
            for mover in block.items:
                yield _row(section.title, block.title, mover.prompt, "Win score", mover.score)


def _facts(section: str, group: str, items: tuple[Fact, ...]) -> Iterator[Row]:
    for item in items:
        yield _row(section, group, item.label, "", item.figure)


def _table(section: str, table: Table) -> Iterator[Row]:
    for group in table.groups:
        title = f"{table.title}: {group.title}" if group.title else table.title
        for name, *cells in group.rows:
            for column, cell in zip(table.columns[1:], cells, strict=True):
                yield _row(section, title, name.text, column.title, cell)


def _row(section: str, group: str, name: str, column: str, found: Figure) -> Row:
    return (section, group, name, column, found.line, found.value, found.low, found.high, found.unit)
