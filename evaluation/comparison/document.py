"""The document of a comparison and of one of its prompts: built once, then only rendered.

All numbers are already text (`ftplatform.text`), so the page, the Markdown, the HTML file and the API show the same
cells. `stored` and the other mappings keep the underlying values for programs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ftplatform.text.turns import ShownTurn

Tone = Literal["", "good", "danger", "caution", "info", "neutral"]
Side = Literal["baseline", "candidate"]
SIDES: tuple[Side, Side] = ("baseline", "candidate")


@dataclass(frozen=True)
class Cell:
    """A rendered table cell.

    `word` states the meaning of `tone` without colour. `note` is a second, smaller line. `label` is the column
    heading.
    """

    text: str
    note: str = ""
    word: str = ""
    tone: Tone = ""
    label: str = ""


@dataclass(frozen=True)
class Target:
    """Link target of a row's title on the site. Files have no links."""

    kind: Literal["slice", "comparison", "pair"]
    value: str


@dataclass(frozen=True)
class Row:
    """A table row: its title with notes below, and its cells. `code`: the title is a name from the data."""

    title: str
    cells: tuple[Cell, ...]
    notes: tuple[str, ...] = ()
    code: bool = False
    target: Target | None = None


@dataclass(frozen=True)
class Table:
    """Rendered cells. The first column holds the row titles; all others hold numbers."""

    id: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    note: str = ""

    def __post_init__(self) -> None:
        """Set each cell's label to its column heading, for narrow screens that do not show columns."""
        labelled = (
            replace(row, cells=tuple(map(_labelled, row.cells, self.columns[1:]))) for row in self.rows
        )
        object.__setattr__(self, "rows", tuple(labelled))


def _labelled(cell: Cell, label: str) -> Cell:
    return replace(cell, label=label)


@dataclass(frozen=True)
class Section:
    """`text` is shown above the tables, `footnote` below them."""

    id: str
    title: str
    note: str = ""
    text: str = ""
    tables: tuple[Table, ...] = ()
    footnote: str = ""


@dataclass(frozen=True)
class Caution:
    """A caution to read before using the figures."""

    code: str
    tone: Tone
    title: str
    text: str


@dataclass(frozen=True)
class Fact:
    term: str
    text: str


@dataclass(frozen=True)
class FigureText:
    """The text of a figure. `test` is the name of the test behind `p`."""

    baseline: str
    candidate: str
    difference: str
    relative: str
    interval: str
    p: str
    test: str
    changed: str
    unchanged: str


@dataclass(frozen=True)
class Figure:
    """One measure on both sides over `n` prompts, in `unit`.

    The interval is that of candidate − baseline; None if the data cannot give an error estimate. `stored` is the
    figure as the database stores it.
    """

    name: str
    label: str
    note: str
    unit: str
    n: int
    baseline: float
    candidate: float
    difference: float
    interval: tuple[float, float] | None
    tone: Tone
    text: FigureText
    stored: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Model:
    id: str
    name: str
    kind: str
    toy: bool
    path: str


@dataclass(frozen=True)
class ComparisonName:
    id: str
    name: str
    imported: bool


@dataclass(frozen=True)
class PromptSetFacts:
    id: str
    name: str
    size: int
    source: str
    check: str


@dataclass(frozen=True)
class Leakage:
    """Prompts that are in a training split, exactly or nearly, and the reason for using them anyway."""

    dataset: str
    exact: int
    near: int
    reason: str
    examples: Any


@dataclass(frozen=True)
class Curve:
    """Loss and token accuracy (0 to 1, None if not measured) at the start and at the end of one split."""

    split: str
    loss: tuple[float | None, float | None]
    token_accuracy: tuple[float | None, float | None]


@dataclass(frozen=True)
class Training:
    dataset: str
    train_rows: int
    validation_rows: int
    minutes: float | None
    curves: tuple[Curve, ...]


@dataclass(frozen=True)
class Unmeasured:
    """Single-stream latencies that an endpoint's answers left unmeasured: `missing` of `planned`, with each reason and
    its number, and how many of the others have no time per token because the tokens were not counted."""

    planned: int
    missing: int
    uncounted: int
    reasons: Sequence[tuple[str, int]]


@dataclass(frozen=True)
class Latency:
    """The kind of the most reliable times, and the meaning of the times stored with the responses."""

    kind: Literal["imported", "single_stream", "batched"]
    note: str
    unmeasured: Unmeasured | None = None


@dataclass(frozen=True)
class Provenance:
    """The models, prompts and settings of a comparison, and its known limitations.

    `made_at` is in UTC, as ISO 8601. `left_out` is None if every model answered every prompt.
    """

    comparison: ComparisonName
    baseline_model: Model
    candidate_model: Model
    prompt_set: PromptSetFacts
    decoding: Mapping[str, Any]
    engine: str
    facts: Mapping[str, Any]
    leakage: tuple[Leakage, ...]
    left_out: Mapping[str, Any] | None
    training: Training | None
    made_at: str
    latency: Latency


@dataclass(frozen=True)
class ComparisonDocument:
    """The comparison of a baseline and one candidate."""

    title: str
    lead: str
    headline: str
    latency_trap: str
    cautions: tuple[Caution, ...]
    sections: tuple[Section, ...]
    facts: tuple[Fact, ...]
    provenance: Provenance
    pairs: int
    prompts: int
    metrics: tuple[Figure, ...]
    fields: tuple[Figure, ...]
    slices: tuple[Figure, ...]
    safety: tuple[Figure, ...]
    sliced_by: str | None
    tags_left_out: tuple[str, ...]
    schema_version: int

    @property
    def figures_section(self) -> Section:
        """The section that a campaign's report shows beside its verdict."""
        return next(section for section in self.sections if section.id == "figures")

    @property
    def slice_names(self) -> list[tuple[str, str]]:
        """The slices as name:value, each with its title."""
        rows = [row for section in self.sections if section.id == "slices" for row in section.tables[0].rows]
        return [(row.target.value, row.title) for row in rows if row.target]


@dataclass(frozen=True)
class Stat:
    """One of the main figures at the top."""

    label: str
    value: str
    note: str


@dataclass(frozen=True)
class FieldResult:
    """The result of one side for one expected field. `word` and `tone` give the result; `text` is the value in the
    response."""

    status: str
    got: Any
    similarity: float | None
    word: str
    tone: Tone
    text: str


@dataclass(frozen=True)
class FieldRow:
    """One expected field on both sides. `rule` describes how it is compared; `comparison` is the stored name of that
    rule."""

    field: str
    comparison: str
    rule: str
    expected: Any
    expected_text: str
    baseline: FieldResult | None
    candidate: FieldResult | None


@dataclass(frozen=True)
class SideText:
    """One response. `remarks` are sentences about its format and cost."""

    title: str
    model: str
    text: str
    cut: bool
    remarks: tuple[str, ...]
    unexpected: tuple[str, ...]


@dataclass(frozen=True)
class PromptText:
    """The prompt as readable text. A conversation has `turns`, and neither instruction nor input. Without an expected
    output, `expected` is empty and `expected_note` says so."""

    instruction: str
    input: Any
    input_keys: tuple[str, ...]
    turns: tuple[ShownTurn, ...]
    tools: tuple[str, ...]
    expected: Any
    expected_note: str
    tags: tuple[Fact, ...]


@dataclass(frozen=True)
class PairDocument:
    """One prompt with both responses. `values` holds the additional values that the API returns."""

    title: str
    lead: str
    latency_trap: str
    cautions: tuple[Caution, ...]
    stats: tuple[Stat, ...]
    prompt: PromptText
    responses: tuple[SideText, SideText]
    fields: tuple[FieldRow, ...]
    summary: Section
    reading_note: str
    facts: tuple[Fact, ...]
    provenance: Provenance
    values: Mapping[str, Any] = field(repr=False)
