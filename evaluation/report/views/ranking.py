"""Page that ranks more than two models."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from evaluation.report.charts.ranking import ranking_chart
from evaluation.report.selectors import ranking as selectors
from ftplatform.accounts.permissions import Staff, StaffRequest, roles


@roles(*Staff)
@require_GET
def ranking(request: StaffRequest) -> HttpResponse:
    groups = selectors.ranking(user=request.user)
    for group in groups["groups"]:
        group["chart"] = ranking_chart(group)
    return render(request, "evaluation/report/ranking.html", groups)
