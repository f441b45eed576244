"""Parts of a report document. All texts are final; renderers only escape them and lay them out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from ftplatform.text.turns import ShownTurn

# share: 0 to 1, shown as a percentage. points: a difference of shares, in percentage points. scale: points of
# a rating scale. change: relative to the baseline, as a percentage. p: a p-value. text: no number behind it.
Unit = Literal["share", "points", "scale", "change", "p", "count", "number", "hash", "text"]
Mark = Literal["", "up", "down", "unsure"]


@dataclass(frozen=True)
class Figure:
    """A number with its interval, as every output prints it; in a table, one cell.

    `value`, `low` and `high` are the numbers of the frozen result, or None where it has none.
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
        """Text, interval and note on one line."""
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
    """Key figures at the start of a section."""

    items: tuple[Fact, ...]
    kind: str = field(default="stats", init=False)


@dataclass(frozen=True)
class Chart:
    """A chart, identified by `name`.

    `alt` states its result in one sentence. `columns` and `rows` hold its data unless a table beside it does.
    """

    name: str
    title: str
    alt: str
    caption: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    kind: str = field(default="chart", init=False)


@dataclass(frozen=True)
class Outcome:
    """Count and share of one answer.

    In a stacked bar, the segment starts at rating `start` and is `size` ratings long. `name` is the side that
    the answer favours: candidate, tie, both-bad or baseline.
    """

    name: str
    label: str
    count: Figure
    share: Figure
    start: int
    size: int


@dataclass(frozen=True)
class Outcomes:
    """Counts and shares of all answers, out of `total` ratings. `chart` draws them as one bar."""

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
    """Groups of facts, shown side by side where there is room."""

    items: tuple[Facts, ...]
    kind: str = field(default="cards", init=False)


@dataclass(frozen=True)
class Column:
    title: str
    note: str = ""
    numeric: bool = True


@dataclass(frozen=True)
class RowGroup:
    """Rows under a heading, which may be empty. The first cell of a row is its heading."""

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
    """One prompt with both responses. `pair` identifies their page. A conversation has `turns` and no input."""

    pair: int
    input: Any
    turns: tuple[ShownTurn, ...]
    baseline: str
    candidate: str


@dataclass(frozen=True)
class Mover:
    """A prompt with one of the strongest preferences for one side."""

    prompt: str
    score: Figure
    ratings: Figure
    texts: PairTexts | None


@dataclass(frozen=True)
class Movers:
    """Prompts with the strongest preferences. `empty` is the text shown if there are none."""

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
    """A named stored value. A mapping has children instead of a text."""

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
    """A complete report. `sections` hold the results, `appendix` the methods and the provenance."""

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
        """Every block in reading order, each fold before its contents."""
        for section in (*self.sections, *self.appendix):
            yield from _within(section.blocks)

    def charts(self) -> tuple[Chart, ...]:
        candidates = (block.chart if isinstance(block, Outcomes) else block for block in self.blocks())
        return tuple(block for block in candidates if isinstance(block, Chart))


def _within(blocks: tuple[Block, ...]) -> Iterator[Block]:
    for block in blocks:
        yield block
        if isinstance(block, Fold):
            yield from _within(block.blocks)


@dataclass(frozen=True)
class Origin:
    """Data of a campaign that the frozen result does not hold. `texts` maps prompt keys to texts."""

    title: str
    candidate: str
    baseline: str
    look: int
    is_final: bool
    computed_at: datetime
    computed_by: str
    texts: Mapping[str, PairTexts] = field(default_factory=dict)
