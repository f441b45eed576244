"""The report as one HTML file that needs nothing else: the page's own body with the site's styles inside it."""

from typing import Any

from evaluation.comparison.charts import fields_chart
from evaluation.comparison.selectors.comparison_document import comparison_document
from evaluation.models import Report
from evaluation.report.charts import report as charts
from evaluation.report.selectors import reports
from ftplatform.standalone_page import standalone


def context(report: Report) -> dict[str, Any]:
    """What the report's body shows of a campaign's report."""
    run = report.campaign.run
    comparison = comparison_document(run, report.campaign.candidate)
    return body_context(report.result, history(report)) | {
        "report": report,
        "campaign": report.campaign,
        "movers": reports.movers(report),
        "comparison": comparison,
        "fields_chart": fields_chart(comparison) if comparison else None,
        "compared": run,
    }


def history(report: Report) -> list[dict[str, Any]]:
    """The results of all looks up to this one."""
    return [earlier.result for earlier in reports.reports_up_to(report)]


def body_context(result: dict[str, Any], looks: list[dict[str, Any]]) -> dict[str, Any]:
    """What the report's body shows of any result, wherever its ratings were made."""
    movers = {side: [(item, None) for item in items] for side, items in reports.moved_prompts(result).items()}
    return {
        "result": result,
        "figures": charts.figures(result, looks),
        "groups": _grouped(result),
        "movers": movers,
    }


def html(report: Report) -> str:
    """The file."""
    return standalone("evaluation/report/document.html", context(report))


def _grouped(result: dict[str, Any]) -> list[tuple[str, list[dict[str, Any]]]]:
    headings = charts.criterion_groups(result)
    groups: dict[str, list[dict[str, Any]]] = {}
    for criterion in result["criteria"]:
        groups.setdefault(headings.get(criterion["name"], ""), []).append(criterion)
    return list(groups.items())
