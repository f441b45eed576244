"""Page that analyses an uploaded ratings file and shows the report. Nothing is stored."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST

from evaluation.report import analyses
from evaluation.report.exports import analysis_files, document, files
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
            result = _result(form)
        except DomainError as error:
            context["error"] = error
            return render(request, "evaluation/report/analyse.html", context, status=error.status)
        page = document.file_context(result) | {
            "sealed": analysis_files.sealed(result),
            "how_read": analyses.how_read(result["rows"]),
        }
        return render(request, "evaluation/report/analysis.html", page)
    return render(request, "evaluation/report/analyse.html", context, status=400 if form.errors else 200)


def _result(form: AnalysisForm) -> dict[str, Any]:
    return analyses.analyse_file(
        source=form.cleaned_data["file"].file,
        reading=form.reading(),
        margin=form.cleaned_data["margin"] / 100,
        skip_bad_rows=form.cleaned_data["skip_bad_rows"],
    )


@roles(*Staff)
@require_POST
def download(request: StaffRequest) -> HttpResponse:
    result = analysis_files.opened(request.POST.get("result", ""))
    return files.response(analysis_files.analysis_file(result=result, kind=request.POST.get("kind", "")))
