"""Comparison documents as JSON, for the API and for files, and as CSV rows. Values are exported with their text."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from evaluation.comparison.document import SIDES, ComparisonDocument, Figure, PairDocument, Provenance

FIGURE_COLUMNS = (
    *("section", "name", "unit", "better", "baseline", "candidate", "difference", "ci_low", "ci_high"),
    *("p_value", "p_adjusted", "method", "up", "same", "down", "n"),
)
FIELD_COLUMNS = ("side", "field", "comparison", "expected", "status", "got", "similarity")


def comparison_json(document: ComparisonDocument) -> dict[str, Any]:
    """All figures with values and text, and the sections as shown on the pages."""
    return {
        "schema_version": document.schema_version,
        "pairs": document.pairs,
        "prompts": document.prompts,
        "metrics": list(map(_figure, document.metrics)),
        "fields": list(map(_figure, document.fields)),
        "sliced_by": document.sliced_by,
        "slices": list(map(_figure, document.slices)),
        "tags_left_out": list(document.tags_left_out),
        **_provenance(document.provenance),
        "safety": list(map(_figure, document.safety)),
        "lead": document.lead,
        "headline": document.headline,
        "latency_trap": document.latency_trap,
        "cautions": [asdict(caution) for caution in document.cautions],
        "sections": [asdict(section) for section in document.sections],
        "made_from": [asdict(fact) for fact in document.facts],
    }


def pair_json(document: PairDocument) -> dict[str, Any]:
    """Both responses in full, with values and text."""
    return {
        "schema_version": 1,
        **_provenance(document.provenance),
        **document.values,
        "lead": document.lead,
        "cautions": [asdict(caution) for caution in document.cautions],
        "stats": [asdict(stat) for stat in document.stats],
        "fields_text": [asdict(row) for row in document.fields],
        "remarks": {side: list(text.remarks) for side, text in zip(SIDES, document.responses, strict=True)},
        "sections": [asdict(document.summary)],
        "expected_note": document.prompt.expected_note,
        "reading_note": document.reading_note,
        "made_from": [asdict(fact) for fact in document.facts],
    }


def figure_lines(document: ComparisonDocument) -> Iterator[list[Any]]:
    """One row of FIGURE_COLUMNS per figure."""
    sections = (
        *((figure.stored["group"], figure.name, figure) for figure in document.metrics),
        *(("field", figure.name, figure) for figure in document.fields),
        *(
            ("slice", f"{figure.stored['tag']}={figure.stored['value']}", figure)
            for figure in document.slices
        ),
        *(("safety", figure.stored["check"], figure) for figure in document.safety),
    )
    for section, name, figure in sections:
        yield [section, name, *(figure.stored.get(column) for column in FIGURE_COLUMNS[2:])]


def field_lines(document: PairDocument) -> Iterator[list[Any]]:
    """One row of FIELD_COLUMNS per expected field and side."""
    for row in document.fields:
        for side, result in zip(SIDES, (row.baseline, row.candidate), strict=True):
            if result is not None:
                got = None if result.got is None else str(result.got)
                yield [
                    side,
                    row.field,
                    row.comparison,
                    str(row.expected),
                    result.status,
                    got,
                    result.similarity,
                ]


def _figure(figure: Figure) -> dict[str, Any]:
    return {**figure.stored, "text": asdict(figure.text)}


def _provenance(provenance: Provenance) -> dict[str, Any]:
    return asdict(provenance)
