"""Builds the document of a comparison from its stored figures: sentences, rendered tables, cautions."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from evaluation.comparison.document import (
    SIDES,
    Cell,
    ComparisonDocument,
    Figure,
    FigureText,
    Provenance,
    Row,
    Section,
    Table,
    Target,
    Tone,
)
from evaluation.comparison.sentences import cautions, facts, headline, latency_trap
from evaluation.scoring.metrics import BY_NAME
from ftplatform.text.numbers import count, p_value
from ftplatform.text.quantities import difference, interval, quantity, relative_change
from ftplatform.text.values import words

_GROUPS = (
    ("accuracy", "Against the expected output", ""),
    ("check", "The check", "Matches words and patterns only. Read the responses that pass, too."),
    ("format", "Format", ""),
    (
        "stream",
        "Latency, one request at a time",
        "Measured on some of the prompts after warm-up, with the models in alternating order.",
    ),
    ("cost", "Length and time", ""),
    (
        "proxy",
        "Proxies from the text",
        "Based on English word lists and formulas. Not used in ratings or verdicts.",
    ),
)
# Labels for times measured inside a worker's batches.
_IN_BATCH = {"latency_ms": "Time inside its batch", "ms_per_token": "Time inside its batch, per output token"}
TESTS = {"paired_t": "paired t", "mcnemar_exact": "exact McNemar", "none": "no variation"}
# Keeps a number and its word on one line.
_NBSP = "\N{NO-BREAK SPACE}"
_RELATIVE = ("ms", "tokens", "words")
FIGURE_COLUMNS = ("Baseline", "Candidate", "Difference", "95 % interval", "p", "Prompts")
SLICE_COLUMNS = ("Slice", "Prompts", "Baseline", "Candidate", "Difference", "p adjusted", "Change")
_FOOTNOTE = (
    "Intervals are 95 %. Shares with one response per prompt use Newcombe's paired interval and the exact McNemar "
    "test. All other figures use a t-test over prompts, with the responses to one prompt averaged first. The p-values "
    "are not adjusted for the number of figures and do not affect any verdict."
)


def build(
    stored: Mapping[str, Any],
    provenance: Provenance,
    *,
    stream: Sequence[Mapping[str, Any]] = (),
    safety: Iterable[Mapping[str, Any]] = (),
) -> ComparisonDocument:
    """Build the document.

    `stored` is `Summary.result()`. `stream` holds the single-stream figures. `safety` holds the figures of safety
    checks, each with its `check` and the `run` (the comparison) it comes from.
    """
    batched = provenance.latency.kind != "imported"
    metrics = tuple(figure(each, batched=batched) for each in (*stored["metrics"], *stream))
    fields = tuple(map(figure, stored["fields"]))
    slices = tuple(map(figure, stored["slices"]))
    checks = tuple(map(figure, safety))
    trap = latency_trap(metrics, provenance.latency)
    prompts = provenance.prompt_set
    return ComparisonDocument(
        title=provenance.comparison.name,
        lead=(
            f"{provenance.candidate_model.name} (candidate) against {provenance.baseline_model.name} (baseline) on "
            f"{count(stored['prompts'])} prompt{'' if stored['prompts'] == 1 else 's'} of {prompts.name}."
        ),
        headline=headline(metrics),
        latency_trap=trap,
        cautions=cautions(provenance, trap=trap),
        sections=(
            *_slices_section(slices, stored["tags_left_out"]),
            _figures_section(metrics, fields, provenance),
            _safety_section(checks),
        ),
        facts=facts(provenance),
        provenance=provenance,
        pairs=stored["pairs"],
        prompts=stored["prompts"],
        metrics=metrics,
        fields=fields,
        slices=slices,
        safety=checks,
        sliced_by=stored["sliced_by"],
        tags_left_out=tuple(stored["tags_left_out"]),
        schema_version=stored["schema_version"],
    )


def figure(stored: Mapping[str, Any], *, batched: bool = False) -> Figure:
    """A stored figure with its text. `batched`: its times were measured inside batches."""
    unit, known = stored["unit"], BY_NAME.get(stored["name"])
    renamed = _IN_BATCH.get(stored["name"]) if batched else None
    low, high = stored["ci_low"], stored["ci_high"]
    note = known.note if known else ("free text: likeness, 0 to 1" if unit == "likeness" else "")
    return Figure(
        name=stored["name"],
        label=renamed or (known.label if known else stored["name"]),
        note="" if renamed else note,
        unit=unit,
        n=stored["n"],
        baseline=stored["baseline"],
        candidate=stored["candidate"],
        difference=stored["difference"],
        interval=None if low is None or high is None else (low, high),
        tone=tone(stored),
        text=_text(stored),
        stored=stored,
    )


def _text(stored: Mapping[str, Any]) -> FigureText:
    unit, up, down = stored["unit"], count(stored["up"]), count(stored["down"])
    changed, others = f"{up} higher", f"{down} lower"
    if stored["better"] != "none":
        improved, worse = (down, up) if stored["better"] == "down" else (up, down)
        changed, others = f"{improved} better", f"{worse} worse"
    return FigureText(
        baseline=quantity(stored["baseline"], unit),
        candidate=quantity(stored["candidate"], unit),
        difference=difference(stored["difference"], unit),
        relative=relative_change(stored.get("relative_change")) if unit in _RELATIVE else "",
        interval=interval(stored["ci_low"], stored["ci_high"], unit),
        p=p_value(stored["p_value"]),
        test=TESTS[stored["method"]],
        changed=changed,
        unchanged=f"{count(stored['same'])} same, {others}".replace(" ", _NBSP).replace(f",{_NBSP}", ", "),
    )


def tone(stored: Mapping[str, Any]) -> Tone:
    """The tone: "good" or "danger" if the whole interval lies on the better or the worse side of 0, else empty."""
    low, high = stored["ci_low"], stored["ci_high"]
    if stored["better"] == "none" or low is None or low <= 0 <= high:
        return ""
    return "good" if (low > 0) == (stored["better"] == "up") else "danger"


def change_cell(shown: Figure) -> Cell:
    """A difference, labelled as better or worse where its interval supports that."""
    word = {"good": "better", "danger": "worse"}.get(shown.tone, "")
    return Cell(shown.text.difference, note=shown.text.relative, word=word, tone=shown.tone)


def _figure_row(shown: Figure, *, code: bool = False) -> Row:
    text = shown.text
    return Row(
        title=shown.label,
        notes=(*([shown.note] if shown.note else []), *_faults(shown.stored.get("counts"))),
        code=code,
        cells=(
            Cell(text.baseline),
            Cell(text.candidate),
            change_cell(shown),
            Cell(text.interval),
            Cell(text.p, note=text.test),
            Cell(text.changed, note=text.unchanged),
        ),
    )


def _faults(counts: Mapping[str, Mapping[str, int]] | None) -> list[str]:
    """How often a field was missing or had another type, on both sides."""
    if not counts:
        return []
    notes = []
    for status, text in (("missing", "missing"), ("wrong_type", "wrong type")):
        first, second = (counts.get(side, {}).get(status, 0) for side in SIDES)
        if first or second:
            notes.append(f"{text}: {count(first)} → {count(second)}")
    return notes


def _figures_section(metrics: Sequence[Figure], fields: Sequence[Figure], provenance: Provenance) -> Section:
    tables = []
    for group, title, note in _GROUPS:
        rows = tuple(_figure_row(each) for each in metrics if each.stored["group"] == group)
        if group == "cost":
            note = f"{_capitalised(provenance.latency.note)}."
        if rows:
            tables.append(Table(group, title, ("Figure", *FIGURE_COLUMNS), rows, note))
    if fields:
        rows = tuple(_figure_row(each, code=True) for each in fields)
        tables.append(Table("fields", "Field by field", ("Field", *FIGURE_COLUMNS), rows))
    return Section(
        "figures",
        "Figures",
        note="Differences are candidate − baseline; the prompt is the unit.",
        tables=tuple(tables),
        footnote=_FOOTNOTE,
    )


def _slices_section(slices: Sequence[Figure], tags_left_out: Sequence[str]) -> tuple[Section, ...]:
    if not slices:
        return ()
    rows = tuple(
        Row(
            title=f"{words(each.stored['tag'])}: {each.stored['value']}",
            target=Target("slice", f"{each.stored['tag']}:{each.stored['value']}"),
            cells=(
                Cell(count(each.n)),
                Cell(each.text.baseline),
                Cell(each.text.candidate),
                change_cell(each),
                Cell(p_value(each.stored["p_adjusted"])),
                Cell(each.text.changed, note=each.text.unchanged),
            ),
        )
        for each in slices
    )
    left_out = f"Tags with more than 50 values make no slices: {', '.join(tags_left_out)}."
    note = "Regressions first. Exploratory: p-values are adjusted over all slices (Benjamini–Hochberg)."
    table = Table("slices", "Slices", SLICE_COLUMNS, rows)
    return (Section("slices", "Slices", note, "", (table,), left_out if tags_left_out else ""),)


def _safety_section(checks: Sequence[Figure]) -> Section:
    note = "Coarse, by words and patterns; a person should still read the responses that pass."
    if not checks:
        none = (
            "These two models have not been compared on a safety check. Add the checks that come with the site on the "
            "prompt sets page, then compare the models on them."
        )
        return Section("safety", "Safety and bias checks", note, none)
    rows = tuple(
        Row(
            title=_capitalised(words(each.stored["check"])),
            target=Target("comparison", str(each.stored["comparison"])),
            cells=(Cell(each.text.baseline), Cell(each.text.candidate), change_cell(each)),
        )
        for each in checks
    )
    columns = ("Check", "Baseline passed", "Candidate passed", "Difference")
    table = Table("safety", "Safety and bias checks", columns, rows)
    return Section("safety", "Safety and bias checks", note, "", (table,))


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]
