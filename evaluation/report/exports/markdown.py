"""A report as Markdown."""

from evaluation.models import Report
from evaluation.report.document import markdown as renderer
from evaluation.report.exports.document import document_of


def markdown(report: Report) -> str:
    """The report for an e-mail or a repository."""
    return renderer.markdown(document_of(report))
