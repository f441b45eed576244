"""What is said about a comparison, and about one of its prompts: built once, then only rendered.

Every number is text here already (`ftplatform.text`), so that the page, the Markdown, the HTML file and the API show
the same cells. `stored` and the other mappings keep the values behind the text, for programs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Tone = Literal["", "good", "danger", "caution", "info", "neutral"]
Side = Literal["baseline", "candidate"]
SIDES: tuple[Side, Side] = ("baseline", "candidate")


@dataclass(frozen=True)
class Cell:
    """A finished cell. `word` says without colour what `tone` says; `note` is a second, smaller line; `label` is the
    heading of its column."""

    text: str
    note: str = ""
    word: str = ""
    tone: Tone = ""
    label: str = ""


@dataclass(frozen=True)
class Target:
    """What a row's title leads to on the site; files have no links."""

    kind: Literal["slice", "comparison", "pair"]
    value: str


@dataclass(frozen=True)
class Row:
    """A row of a table: its title, with notes below, and its cells. `code`: the title is a name out of the data."""

    title: str
    cells: tuple[Cell, ...]
    notes: tuple[str, ...] = ()
    code: bool = False
    target: Target | None = None


@dataclass(frozen=True)
class Table:
    """Finished cells. The first column holds the titles of the rows, every other one numbers."""

    id: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    note: str = ""

    def __post_init__(self) -> None:
        """Give every cell the heading of its column, for screens that have no room for columns."""
        labelled = (
            replace(row, cells=tuple(map(_labelled, row.cells, self.columns[1:]))) for row in self.rows
        )
        object.__setattr__(self, "rows", tuple(labelled))


def _labelled(cell: Cell, label: str) -> Cell:
    return replace(cell, label=label)


@dataclass(frozen=True)
class Section:
    """`text` stands above the tables, `footnote` below them."""

    id: str
    title: str
    note: str = ""
    text: str = ""
    tables: tuple[Table, ...] = ()
    footnote: str = ""


@dataclass(frozen=True)
class Caution:
    """Something to know before the figures are used."""

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
    """The words of a figure. `test` names the test behind `p`."""

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
    """One measure on both sides over `n` prompts, in `unit`; the interval is that of candidate − baseline, None where
    the data hold no information about the error. `stored` is what the database keeps of it."""

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
    """Prompts that a training split holds, exactly or nearly, and why they are used all the same."""

    dataset: str
    exact: int
    near: int
    reason: str
    examples: Any


@dataclass(frozen=True)
class Curve:
    """Loss and token accuracy (0 to 1, None where not measured) at the start and at the end of one split."""

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
class Latency:
    """Of which kind the best times are, and what those stored with the responses mean."""

    kind: Literal["imported", "single_stream", "batched"]
    note: str


@dataclass(frozen=True)
class Provenance:
    """Which models were compared, on what, with which settings, and what is known against the comparison.

    `made_at` is in UTC, as ISO 8601. `left_out` is None where every prompt was answered by every model.
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
        """The part that a campaign's report shows beside its verdict."""
        return next(section for section in self.sections if section.id == "figures")

    @property
    def slice_names(self) -> list[tuple[str, str]]:
        """The slices as name:value, each with its title."""
        rows = [row for section in self.sections if section.id == "slices" for row in section.tables[0].rows]
        return [(row.target.value, row.title) for row in rows if row.target]


@dataclass(frozen=True)
class Stat:
    """One of the few figures at the top."""

    label: str
    value: str
    note: str


@dataclass(frozen=True)
class FieldResult:
    """How one side matches one expected field: `word` and `tone` say it, `text` is what the side has there."""

    status: str
    got: Any
    similarity: float | None
    word: str
    tone: Tone
    text: str


@dataclass(frozen=True)
class FieldRow:
    """One expected field on both sides; `rule` says how it is compared, `comparison` is the stored name of that."""

    field: str
    comparison: str
    rule: str
    expected: Any
    expected_text: str
    baseline: FieldResult | None
    candidate: FieldResult | None


@dataclass(frozen=True)
class SideText:
    """One response. `remarks` are sentences about its form and cost."""

    title: str
    model: str
    text: str
    cut: bool
    remarks: tuple[str, ...]
    unexpected: tuple[str, ...]


@dataclass(frozen=True)
class PromptText:
    """The prompt as people read it; `expected` is empty where none was given, and `expected_note` says so."""

    instruction: str
    input: Any
    input_keys: tuple[str, ...]
    expected: Any
    expected_note: str
    tags: tuple[Fact, ...]


@dataclass(frozen=True)
class PairDocument:
    """One prompt with the responses of both sides. `values` is what the API shows besides the text."""

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
