"""One report as one file. Every download is recorded in the audit log."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from django.http import HttpResponse

from evaluation.models import Report
from evaluation.report.exports import document, pdf, scripts
from evaluation.report.exports.markdown import markdown
from ftplatform.accounts import audit
from ftplatform.accounts.models import User
from ftplatform.charts import Spec, export_png, export_svg
from ftplatform.errors import DomainError

T = TypeVar("T")


@dataclass(frozen=True)
class File:
    name: str
    content_type: str
    content: str | bytes


def _json(report: Report) -> str:
    return json.dumps(report.result, ensure_ascii=False, indent=2)


_DOCUMENTS: dict[str, tuple[str, Callable[[Report], str | bytes]]] = {
    "json": ("application/json", _json),
    "md": ("text/markdown; charset=utf-8", markdown),
    "html": ("text/html; charset=utf-8", document.html),
    "pdf": ("application/pdf", pdf.pdf),
}
_PICTURES: dict[str, tuple[str, Callable[[Spec], str | bytes]]] = {
    "svg": ("image/svg+xml", export_svg),
    "png": ("image/png", export_png),
}


def report_file(*, report: Report, user: User, kind: str) -> File:
    """The report as `kind`: json, md, html or pdf. Raises DomainError `unknown_format`."""
    content_type, make = _known(_DOCUMENTS, kind)
    return _taken(report, user, File(f"report-look-{report.look}.{kind}", content_type, make(report)))


def plot_file(*, report: Report, user: User, name: str, kind: str) -> File:
    """One chart of the report as `kind`: svg or png. Raises DomainError `unknown_format` or `unknown_plot`."""
    content_type, make = _known(_PICTURES, kind)
    figure = document.figures(report, document.document_of(report)).get(name)
    if figure is None:
        raise DomainError("unknown_plot", "This report has no such plot.", status=404)
    return _taken(report, user, File(f"{name}-look-{report.look}.{kind}", content_type, make(figure.spec)))


def script_file(*, report: Report, user: User, language: str) -> File:
    """The script that recomputes the headline, in `py` or `R`.

    Raises DomainError `unknown_format`, and as `scripts.recompute` does.
    """
    if language not in scripts.LANGUAGES:
        raise _unknown(language, scripts.LANGUAGES)
    script = scripts.recompute(report, language)
    return _taken(report, user, File(f"recompute.{language}", "text/plain; charset=utf-8", script))


def _known(kinds: dict[str, T], kind: str) -> T:
    if kind not in kinds:
        raise _unknown(kind, kinds)
    return kinds[kind]


def _unknown(kind: str, kinds: Iterable[str]) -> DomainError:
    return DomainError("unknown_format", f"There is no {kind!r} here; choose {', '.join(kinds)}.", status=404)


def _taken(report: Report, user: User, file: File) -> File:
    audit.record(actor=user, action="report.export", target=report, file=file.name)
    return file


def response(file: File) -> HttpResponse:
    """HTTP response that downloads the file."""
    headers = {"Content-Disposition": f'attachment; filename="{file.name}"'}
    return HttpResponse(file.content, content_type=file.content_type, headers=headers)
