"""PDF export of a report, typeset with Typst. Texts are passed as data, never as markup."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typst

from evaluation.models import Report
from evaluation.report.document import ReportDocument
from evaluation.report.exports.document import document_of, figures
from ftplatform.charts import Figure, export_svg

LAYOUT = Path(__file__).with_name("report.typ")


def pdf(report: Report) -> bytes:
    """A4 pages with everything in the document except the texts of single pairs."""
    document = document_of(report)
    content: bytes = typst.compile(
        LAYOUT.read_bytes(), sys_inputs=inputs(document, figures(report, document))
    )
    return content


def inputs(document: ReportDocument, drawn: Mapping[str, Figure]) -> dict[str, str]:
    """Inputs of the Typst layout: the document as JSON, and its charts by name as SVG."""
    content: dict[str, Any] = {
        "document": asdict(document, dict_factory=_without_texts),
        "charts": {name: export_svg(figure.spec) for name, figure in drawn.items()},
    }
    return {"report": json.dumps(content)}


def _without_texts(items: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value for name, value in items if name != "texts"}
