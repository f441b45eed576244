"""The parts of a report document. Every text is finished: renderers lay it out and escape it, nothing more."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

# share: 0 … 1 as a percentage · points: a difference of shares in percentage points · scale: points of a rating scale
# change: relative to the baseline, as a percentage · p: a p-value · count · number · hash · text: no number behind it
Unit = Literal["share", "points", "scale", "change", "p", "count", "number", "hash", "text"]
Mark = Literal["", "up", "down", "unsure"]


@dataclass(frozen=True)
class Figure:
    """A number with its interval as every output prints them; in a table it is one cell.

    `value`, `low` and `high` are the frozen result's own numbers, None where it has none.
    """

    text: str
    unit: Unit = "text"
    value: float | None = None
    interval: str = ""
    low: float | None = None
    high: float | None = None
    note: str = ""
    mark: Mark = ""

    @property
    def line(self) -> str:
        """All of it on one line."""
        interval = f" ({self.interval})" if self.interval else ""
        note = f"; {self.note}" if self.note else ""
        return f"{self.text}{interval}{note}"


@dataclass(frozen=True)
class Fact:
    label: str
    figure: Figure


@dataclass(frozen=True)
class Paragraph:
    text: str
    small: bool = False
    kind: str = field(default="paragraph", init=False)


@dataclass(frozen=True)
class Stats:
    """The few numbers that lead a section."""

    items: tuple[Fact, ...]
    kind: str = field(default="stats", init=False)


@dataclass(frozen=True)
class Chart:
    """A chart by its name; `alt` is its result in one sentence, `columns` and `rows` its data where no table beside it
    has them."""

    name: str
    title: str
    alt: str
    caption: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    kind: str = field(default="chart", init=False)


@dataclass(frozen=True)
class Outcome:
    """How often one answer was given; as a part of a bar it begins at rating `start` and is `size` ratings long.

    `name` is candidate, tie, both-bad or baseline: whom the answer favours.
    """

    name: str
    label: str
    count: Figure
    share: Figure
    start: int
    size: int


@dataclass(frozen=True)
class Outcomes:
    """Every answer with its share of `total` ratings; `chart` draws them as one bar."""

    items: tuple[Outcome, ...]
    total: int
    chart: Chart
    kind: str = field(default="outcomes", init=False)


@dataclass(frozen=True)
class Facts:
    title: str
    items: tuple[Fact, ...]
    note: str = ""
    kind: str = field(default="facts", init=False)


@dataclass(frozen=True)
class Cards:
    """Groups of facts that stand beside each other where there is room."""

    items: tuple[Facts, ...]
    kind: str = field(default="cards", init=False)


@dataclass(frozen=True)
class Column:
    title: str
    note: str = ""
    numeric: bool = True


@dataclass(frozen=True)
class RowGroup:
    """Rows under a heading, which may be empty; the first cell of a row heads it."""

    title: str
    rows: tuple[tuple[Figure, ...], ...]


@dataclass(frozen=True)
class Table:
    title: str
    columns: tuple[Column, ...]
    groups: tuple[RowGroup, ...]
    kind: str = field(default="table", init=False)


@dataclass(frozen=True)
class PairTexts:
    """One prompt with both responses; `pair` names their page."""

    pair: int
    input: Any
    baseline: str
    candidate: str


@dataclass(frozen=True)
class Mover:
    """A prompt on which one side was preferred most."""

    prompt: str
    score: Figure
    ratings: Figure
    texts: PairTexts | None


@dataclass(frozen=True)
class Movers:
    """`empty` is said where there are no items."""

    title: str
    items: tuple[Mover, ...]
    empty: str
    kind: str = field(default="movers", init=False)


@dataclass(frozen=True)
class Item:
    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Items:
    title: str
    items: tuple[Item, ...]
    kind: str = field(default="items", init=False)


@dataclass(frozen=True)
class Node:
    """A stored value under its name; a mapping has children instead of a text."""

    label: str
    text: str
    children: tuple["Node", ...] = ()


@dataclass(frozen=True)
class Tree:
    nodes: tuple[Node, ...]
    kind: str = field(default="tree", init=False)


@dataclass(frozen=True)
class Fold:
    """Blocks that a page shows on request."""

    title: str
    blocks: tuple["Block", ...]
    kind: str = field(default="fold", init=False)


Block = Paragraph | Stats | Outcomes | Facts | Cards | Table | Chart | Movers | Items | Tree | Fold


@dataclass(frozen=True)
class Section:
    name: str
    title: str
    blocks: tuple[Block, ...]
    note: str = ""


@dataclass(frozen=True)
class Caution:
    code: str
    text: str


@dataclass(frozen=True)
class Verdict:
    code: str
    word: str


@dataclass(frozen=True)
class ReportDocument:
    """`sections` hold what was found, `appendix` how it was computed and from what."""

    title: str
    subtitle: str
    verdict: Verdict
    sentence: str
    simulated: bool
    toy: bool
    cautions: tuple[Caution, ...]
    sections: tuple[Section, ...]
    appendix: tuple[Section, ...]

    def blocks(self) -> Iterator[Block]:
        """Every block in reading order, a fold before what it holds."""
        for section in (*self.sections, *self.appendix):
            yield from _within(section.blocks)

    def charts(self) -> tuple[Chart, ...]:
        found = (block.chart if isinstance(block, Outcomes) else block for block in self.blocks())
        return tuple(block for block in found if isinstance(block, Chart))


def _within(blocks: tuple[Block, ...]) -> Iterator[Block]:
    for block in blocks:
        yield block
        if isinstance(block, Fold):
            yield from _within(block.blocks)


@dataclass(frozen=True)
class Origin:
    """What a campaign knows of a report beside its frozen result; `texts` are by the prompts' keys."""

    title: str
    candidate: str
    baseline: str
    look: int
    is_final: bool
    computed_at: datetime
    computed_by: str
    texts: Mapping[str, PairTexts] = field(default_factory=dict)
