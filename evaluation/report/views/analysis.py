"""Page that analyses an uploaded ratings file and shows the report. Nothing is stored."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from evaluation.report import analyses
from evaluation.report.exports import document
from evaluation.report.forms import AnalysisForm
from ftplatform.accounts.permissions import Staff, StaffRequest, roles
from ftplatform.errors import DomainError


@roles(*Staff)
@require_http_methods(["GET", "POST"])
def analyse(request: StaffRequest) -> HttpResponse:
    form = AnalysisForm(request.POST or None, request.FILES or None)
    context: dict[str, Any] = {"form": form}
    if form.is_valid():
        try:
            result = _result(form.cleaned_data)
        except DomainError as error:
            context["error"] = error
            return render(request, "evaluation/report/analyse.html", context, status=error.status)
        return render(request, "evaluation/report/analysis.html", document.file_context(result))
    return render(request, "evaluation/report/analyse.html", context, status=400 if form.errors else 200)


def _result(values: dict[str, Any]) -> dict[str, Any]:
    return analyses.analyse_file(
        source=values["file"].file,
        kind="csv" if values["file"].name.lower().endswith(".csv") else "jsonl",
        margin=values["margin"] / 100,
        skip_bad_rows=values["skip_bad_rows"],
    )
