"""Pages for ratings made elsewhere: analyse a file without storing it, or import it as a campaign."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from evaluation.report import analyses
from evaluation.report.exports import analysis_files, document, files
from evaluation.report.forms import AnalysisForm, ImportForm
from evaluation.report.services import rating_imports
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


@roles(*Staff)
@require_http_methods(["GET", "POST"])
def import_ratings(request: StaffRequest) -> HttpResponse:
    form = ImportForm(request.POST or None, request.FILES or None)
    context: dict[str, Any] = {"form": form}
    if form.is_valid():
        values = form.cleaned_data
        try:
            made = rating_imports.create(
                user=request.user,
                title=values["title"],
                source=values["file"].file,
                source_name=values["file"].name,
                reading=form.reading(),
                margin=values["margin"] / 100,
                skip_bad_rows=values["skip_bad_rows"],
            )
        except DomainError as error:
            context["error"] = error
            return render(request, "evaluation/report/import_ratings.html", context, status=error.status)
        return redirect("evaluation:campaign", pk=made.pk)
    status = 400 if form.errors else 200
    return render(request, "evaluation/report/import_ratings.html", context, status=status)
