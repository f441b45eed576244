"""The report as one HTML file that needs nothing else: the page's own body with the site's styles inside it."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.utils.safestring import SafeString, mark_safe

from evaluation import compared, selectors
from evaluation.charts import report as charts
from evaluation.charts.comparison import shown
from evaluation.models import Report


def context(report: Report) -> dict[str, Any]:
    """What the report's body shows of a campaign's report."""
    run = report.campaign.run
    comparison = compared.comparison(run, report.campaign.candidate)
    return body_context(report.result, history(report)) | {
        "report": report,
        "campaign": report.campaign,
        "movers": selectors.movers(report),
        "comparison": comparison,
        "shown": shown(comparison) if comparison else None,
        "compared": run,
    }


def history(report: Report) -> list[dict[str, Any]]:
    """The results of all looks up to this one."""
    return [earlier.result for earlier in selectors.reports_up_to(report)]


def body_context(result: dict[str, Any], looks: list[dict[str, Any]]) -> dict[str, Any]:
    """What the report's body shows of any result, wherever its ratings were made."""
    movers = {
        side: [(item, None) for item in items] for side, items in selectors.moved_prompts(result).items()
    }
    return {
        "result": result,
        "figures": charts.figures(result, looks),
        "groups": _grouped(result),
        "movers": movers,
    }


def html(report: Report) -> str:
    """The file."""
    return standalone("evaluation/report/document.html", context(report))


def standalone(template: str, content: dict[str, Any]) -> str:
    """A page as a file: its style sheet and its icons are inside; it loads nothing and runs nothing."""
    inside = {"styles": _own("css/tokens.css", "css/app.css"), "icons": _own("icons.svg")}
    page = render_to_string(template, content | inside)
    return page.replace(f'href="{static("icons.svg")}#', 'href="#')


def _grouped(result: dict[str, Any]) -> list[tuple[str, list[dict[str, Any]]]]:
    headings = charts.criterion_groups(result)
    groups: dict[str, list[dict[str, Any]]] = {}
    for criterion in result["criteria"]:
        groups.setdefault(headings.get(criterion["name"], ""), []).append(criterion)
    return list(groups.items())


def _own(*names: str) -> SafeString:
    """Files of the site itself, as they are: none holds what could close the element around it."""
    folder = Path(settings.BASE_DIR) / "static"
    return mark_safe("\n".join((folder / name).read_text() for name in names))  # noqa: S308
