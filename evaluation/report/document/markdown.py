"""Render the report document as Markdown. Every text is data and is escaped."""

from collections.abc import Callable, Iterator
from typing import Any

from evaluation.report.document.model import (
    Block,
    Cards,
    Chart,
    Fact,
    Facts,
    Figure,
    Fold,
    Items,
    Movers,
    Node,
    Outcomes,
    Paragraph,
    ReportDocument,
    Section,
    Stats,
    Table,
    Tree,
)
from ftplatform.text.markdown import bullets, escape, table


def markdown(document: ReportDocument) -> str:
    """Render the report for an e-mail or a repository. Charts are shown as tables."""
    parts = [f"# {escape(document.title)}: {escape(document.verdict.word.lower())}"]
    if document.subtitle:
        parts.append(escape(document.subtitle))
    parts.append(f"**{escape(document.sentence)}**")
    parts += [f"> {escape(caution.text)}" for caution in document.cautions]
    for section in (*document.sections, *document.appendix):
        parts += _section(section)
    return "\n\n".join(parts) + "\n"


def _section(section: Section) -> Iterator[str]:
    yield f"## {escape(section.title)}"
    if section.note:
        yield f"*{escape(section.note)}*"
    for block in section.blocks:
        yield from _block(block)


def _block(block: Block) -> Iterator[str]:
    return _BLOCKS[type(block)](block)


def _heading(title: str) -> Iterator[str]:
    if title:
        yield f"### {escape(title)}"


def _paragraph(block: Paragraph) -> Iterator[str]:
    yield escape(block.text)


def _facts(items: tuple[Fact, ...]) -> str:
    return bullets((escape(item.label), item.figure.line) for item in items)


def _stats(block: Stats) -> Iterator[str]:
    yield _facts(block.items)


def _outcomes(block: Outcomes) -> Iterator[str]:
    rows = [(item.label, item.count.line, item.share.line) for item in block.items]
    yield table(("Answer", "Ratings", "Share"), rows, numbers_right=True)


def _titled_facts(block: Facts) -> Iterator[str]:
    yield from _heading(block.title)
    yield _facts(block.items)
    if block.note:
        yield escape(block.note)


def _cards(block: Cards) -> Iterator[str]:
    for item in block.items:
        yield from _titled_facts(item)


def _table(block: Table) -> Iterator[str]:
    header = [f"{one.title}, {one.note}" if one.note else one.title for one in block.columns]
    rows = [_cells(group.title, row) for group in block.groups for row in group.rows]
    yield table(header, rows, numbers_right=True)


def _cells(group: str, row: tuple[Figure, ...]) -> list[str]:
    first, *rest = (cell.line for cell in row)
    return [f"{group}: {first}" if group else first, *rest]


def _chart(block: Chart) -> Iterator[str]:
    if block.rows:
        yield from _heading(block.title)
        yield table(block.columns, block.rows, numbers_right=True)
        yield escape(block.caption)


def _movers(block: Movers) -> Iterator[str]:
    yield from _heading(block.title)
    if not block.items:
        yield escape(block.empty)
        return
    rows = [(item.prompt, item.score.line, item.ratings.line) for item in block.items]
    yield table(("Prompt", "Win score", "Ratings"), rows, numbers_right=True)


def _items(block: Items) -> Iterator[str]:
    yield from _heading(block.title)
    yield bullets((escape(item.title), "; ".join(item.lines)) for item in block.items)


def _tree(block: Tree) -> Iterator[str]:
    yield "\n".join(_nodes(block.nodes, 0))


def _nodes(nodes: tuple[Node, ...], depth: int) -> Iterator[str]:
    for node in nodes:
        yield f"{'  ' * depth}- {escape(node.label)}: {escape(node.text)}".rstrip()
        yield from _nodes(node.children, depth + 1)


def _fold(block: Fold) -> Iterator[str]:
    yield from _heading(block.title)
    for inner in block.blocks:
        yield from _block(inner)


_BLOCKS: dict[type, Callable[[Any], Iterator[str]]] = {
    Paragraph: _paragraph,
    Stats: _stats,
    Outcomes: _outcomes,
    Facts: _titled_facts,
    Cards: _cards,
    Table: _table,
    Chart: _chart,
    Movers: _movers,
    Items: _items,
    Tree: _tree,
    Fold: _fold,
}
