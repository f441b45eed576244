"""The report on a ratings file as one file. Nothing is stored: the page carries the signed result and sends it back."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from django.core import signing

from evaluation.report.document import ReportDocument, build
from evaluation.report.document.figure_rows import HEADER, figure_rows
from evaluation.report.document.markdown import markdown
from evaluation.report.exports.files import File
from ftplatform.csv_export import csv_lines
from ftplatform.errors import DomainError

_SALT = "evaluation.report.analysis"
_MAX_AGE = 24 * 3600  # seconds
# A form's fields may have 5 MB together.
MAX_SEALED = 4 * 2**20


def sealed(result: Mapping[str, Any]) -> str:
    """The result as a signed text for the page's download form; "" if it is too large for a form."""
    text = signing.dumps(dict(result), salt=_SALT, compress=True)
    return text if len(text) <= MAX_SEALED else ""


def opened(text: str) -> dict[str, Any]:
    """The result that `sealed` signed. Raises DomainError `result_expired`."""
    try:
        result: dict[str, Any] = signing.loads(text, salt=_SALT, max_age=_MAX_AGE)
    except signing.BadSignature:
        raise DomainError(
            "result_expired", "This result can no longer be downloaded. Analyse the file again.", status=400
        ) from None
    return result


def figures_csv(document: ReportDocument) -> str:
    """The document's figures as CSV."""
    return "".join(csv_lines(HEADER, figure_rows(document)))


_MAKERS: dict[str, tuple[str, Callable[[dict[str, Any]], str]]] = {
    "json": ("application/json", lambda result: json.dumps(result, ensure_ascii=False, indent=2)),
    "md": ("text/markdown; charset=utf-8", lambda result: markdown(build(result))),
    "csv": ("text/csv; charset=utf-8", lambda result: figures_csv(build(result))),
}


def analysis_file(*, result: dict[str, Any], kind: str) -> File:
    """The result as `kind`: json, md or csv (its figures). Raises DomainError `unknown_format`."""
    if kind not in _MAKERS:
        raise DomainError("unknown_format", f"Choose from {', '.join(_MAKERS)}.", status=404)
    content_type, make = _MAKERS[kind]
    return File(f"analysis.{kind}", content_type, make(result))
