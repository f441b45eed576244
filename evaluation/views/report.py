"""The report page and its exports; all three show the same frozen result."""

import uuid

from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from evaluation import charts, selectors
from evaluation.models import Report
from evaluation.services import reports
from evaluation.services.report_markdown import markdown
from ftplatform.accounts.permissions import Staff, StaffRequest, roles


def _latest(request: StaffRequest, pk: uuid.UUID) -> Report:
    return selectors.latest_report(user=request.user, campaign=selectors.campaign(user=request.user, pk=pk))


@roles(*Staff)
@require_POST
def take_look(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    reports.take_look(campaign=selectors.campaign(user=request.user, pk=pk), user=request.user)
    return redirect("evaluation:report", pk=pk)


@roles(*Staff)
@require_GET
def report(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    found = _latest(request, pk)
    context = {
        "report": found,
        "campaign": found.campaign,
        "result": found.result,
        "charts": charts.report_charts(found.result),
        "comparison": selectors.comparison(found.campaign.run, found.campaign.candidate),
    }
    return render(request, "evaluation/report.html", context)


@roles(*Staff)
@require_GET
def report_json(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    found = _latest(request, pk)
    headers = {"Content-Disposition": f'attachment; filename="report-look-{found.look}.json"'}
    return JsonResponse(found.result, json_dumps_params={"indent": 2, "ensure_ascii": False}, headers=headers)


@roles(*Staff)
@require_GET
def report_markdown(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    found = _latest(request, pk)
    text = markdown(found)
    headers = {"Content-Disposition": f'attachment; filename="report-look-{found.look}.md"'}
    return HttpResponse(text, content_type="text/markdown; charset=utf-8", headers=headers)
