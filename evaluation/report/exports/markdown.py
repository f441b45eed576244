"""Markdown export of a report."""

from evaluation.models import Report
from evaluation.report.document import markdown as renderer
from evaluation.report.exports.document import document_of


def markdown(report: Report) -> str:
    """Render the report for an e-mail or a repository."""
    return renderer.markdown(document_of(report))
