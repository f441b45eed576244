"""Report document of a campaign, the context of its page, and that page as one self-contained HTML file."""

from typing import Any

from evaluation.comparison.charts import fields_chart
from evaluation.comparison.selectors.comparison_document import comparison_document
from evaluation.models import Pair, Report
from evaluation.report.charts import report as charts
from evaluation.report.document import Origin, PairTexts, ReportDocument, build
from evaluation.report.selectors import reports
from ftplatform.charts import Figure
from ftplatform.standalone_page import standalone
from ftplatform.text.turns import shown_turns


def document_of(report: Report) -> ReportDocument:
    """The document that every output of this report renders."""
    campaign = report.campaign
    origin = Origin(
        title=campaign.title,
        candidate=campaign.candidate.name,
        baseline=campaign.comparison.baseline.name,
        look=report.look,
        is_final=report.is_final,
        computed_at=report.created_at,
        computed_by=str(report.created_by),
        texts={key: _texts(pair) for key, pair in reports.moved_pairs(report).items()},
    )
    return build(report.result, origin=origin, history=history(report))


def _texts(pair: Pair) -> PairTexts:
    return PairTexts(
        pair=pair.pk,
        input=pair.prompt.input,
        turns=shown_turns(pair.prompt.messages),
        baseline=pair.baseline_response.text,
        candidate=pair.candidate_response.text,
    )


def history(report: Report) -> list[dict[str, Any]]:
    """Results of this and all earlier analyses, in order."""
    return [earlier.result for earlier in reports.reports_up_to(report)]


def figures(report: Report, document: ReportDocument) -> dict[str, Figure]:
    """Draw the document's charts, by name."""
    return charts.figures(document, report.result, history(report))


def context(report: Report) -> dict[str, Any]:
    """Template context for the body of a campaign's report."""
    comparison, document = report.campaign.comparison, document_of(report)
    stored = comparison_document(comparison, report.campaign.candidate)
    return {
        "document": document,
        "figures": figures(report, document),
        "report": report,
        "campaign": report.campaign,
        "figures_document": stored,
        "fields_chart": fields_chart(stored) if stored else None,
    }


def file_context(result: dict[str, Any]) -> dict[str, Any]:
    """Template context for the body of a report on a ratings file."""
    document = build(result)
    return {"document": document, "figures": charts.figures(document, result), "rows": result["rows"]}


def html(report: Report) -> str:
    """The report page as one self-contained HTML file."""
    return standalone("evaluation/report/document.html", context(report))
