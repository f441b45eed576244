"""Methods, amendments, sources and all frozen settings."""

from collections.abc import Iterator, Mapping
from typing import Any

from evaluation.report.document.model import (
    Block,
    Fact,
    Facts,
    Figure,
    Fold,
    Item,
    Items,
    Node,
    Origin,
    Paragraph,
    Section,
    Tree,
)
from evaluation.stats.report import Report
from ftplatform.text import numbers
from ftplatform.text.values import entries, moment, plain, unbroken, words

_SHORT_HASH = 12


def methods(report: Report, source: Mapping[str, Any]) -> Section:
    blocks: list[Block] = [Paragraph(unbroken(report.methods))]
    if changes := source.get("amendments"):
        items = tuple(Item(f"{change['at']}: {change['what']}", (change["reason"],)) for change in changes)
        blocks.append(Items("Amendments", items))
    if reason := source.get("close_reason"):
        blocks.append(Paragraph(f"Reason for closing: {reason}"))
    return Section("methods", "Methods", tuple(blocks))


def provenance(
    report: Report, source: Mapping[str, Any], origin: Origin | None, rows: Mapping[str, Any]
) -> Section:
    facts = [*_sources(source), *_record(report, source, origin), *_rows(rows)]
    blocks: list[Block] = [Facts("", tuple(Fact(name, figure) for name, figure in facts))]
    if source:
        blocks.append(Fold("Models, data, decoding and plan", (Tree(_nodes(source)),)))
    return Section("provenance", "Provenance", tuple(blocks), "the source of every number")


def _sources(source: Mapping[str, Any]) -> Iterator[tuple[str, Figure]]:
    for side in ("baseline", "candidate"):
        if side in source:
            yield side.capitalize(), Figure(_model(source[side]))
    if prompts := source.get("prompt_set"):
        yield "Prompts", Figure(f"{prompts['name']}, {numbers.count(prompts['prompts'])} in all")
    if source:
        yield "Responses", Figure(_decoding(source.get("decoding") or {}))
    if data := source.get("dataset"):
        yield "Training dataset", Figure(f"{data['name']}, content {data['content'][:_SHORT_HASH]}")
    # Version 0.1 called a comparison a generation run.
    made_by = {
        "Training run": source.get("training_run"),
        "Comparison": source.get("comparison") or source.get("generation_run"),
    }
    yield from (
        (label, Figure(str(identifier), "hash")) for label, identifier in made_by.items() if identifier
    )


def _model(model: Mapping[str, Any]) -> str:
    """Name and weights. A model served elsewhere, or known only by its responses, has no weights."""
    toy = ", a toy model" if model.get("demo") else ""
    weights = f", weights {model['weights'][:_SHORT_HASH]}" if model.get("weights") else ""
    return f"{model['name']}{toy}{weights}"


def _decoding(decoding: Mapping[str, Any]) -> str:
    if not decoding:
        return "imported; how they were decoded is not known"
    names = ("temperature", "max_new_tokens", "quantisation")
    return ", ".join(f"{words(name)} {plain(decoding[name])}" for name in names if name in decoding)


def _record(report: Report, source: Mapping[str, Any], origin: Origin | None) -> Iterator[tuple[str, Figure]]:
    if report.plan_hash:
        yield "Analysis plan", Figure(f"sha256 {report.plan_hash}", "hash")
    else:
        yield "Analysis plan", Figure("chosen at the analysis, not frozen beforehand")
    protocol = source.get("protocol") or {}
    if protocol.get("hash"):
        state = "unchanged since opening" if protocol.get("intact") else "changed since opening"
        yield "Protocol", Figure(f"sha256 {protocol['hash']}", "hash", note=state)
    yield "Report format", Figure(f"version {report.schema_version}")
    if origin is not None:
        yield "Computed", Figure(f"{moment(origin.computed_at)} by {origin.computed_by}, once")


def _rows(rows: Mapping[str, Any]) -> Iterator[tuple[str, Figure]]:
    if rows:
        used, read = numbers.count(rows["used"]), numbers.count(rows["read"])
        yield "Rows of the file", Figure(f"{used} used of {read}")


def _nodes(value: Mapping[str, Any]) -> tuple[Node, ...]:
    return tuple(_node(words(key), inner) for key, inner in value.items())


def _node(label: str, value: Any) -> Node:
    inner = entries(value)
    if isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        inner = list(enumerate(value, start=1))
    if not inner:
        return Node(label, plain(None if inner is not None else value))
    return Node(label, "", tuple(_node(words(key), item) for key, item in inner))
