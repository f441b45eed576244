"""The report page and its downloads. All of them show the same frozen result."""

import uuid
from typing import Any

from django.http import FileResponse, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from evaluation import access
from evaluation.models import Report
from evaluation.report.exports import bundle, document, files, ratings, scripts
from evaluation.report.selectors import reports as report_selectors
from evaluation.report.services import early_reads, reports
from ftplatform.accounts.permissions import Staff, StaffRequest, roles


def _report(request: StaffRequest, pk: uuid.UUID, look: int) -> Report:
    campaign = access.campaign(user=request.user, pk=pk)
    return report_selectors.report(user=request.user, campaign=campaign, look=look)


@roles(*Staff)
@require_POST
def take_look(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    reports.take_look(campaign=access.campaign(user=request.user, pk=pk), user=request.user)
    return redirect("evaluation:report", pk=pk)


@roles(*Staff)
@require_GET
def latest(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    campaign = access.campaign(user=request.user, pk=pk)
    newest = report_selectors.latest_report(user=request.user, campaign=campaign)
    early_reads.note(report=newest, user=request.user)
    return render(request, "evaluation/report/report.html", _context(newest))


@roles(*Staff)
@require_GET
def report(request: StaffRequest, pk: uuid.UUID, look: int) -> HttpResponse:
    stored = _report(request, pk, look)
    early_reads.note(report=stored, user=request.user)
    return render(request, "evaluation/report/report.html", _context(stored))


def _context(stored: Report) -> dict[str, Any]:
    others = [
        {
            "label": "Final" if other.is_final else f"Analysis {other.look}",
            "url": reverse("evaluation:report_look", args=[stored.campaign_id, other.look]),
            "current": other.look == stored.look,
        }
        for other in stored.campaign.reports.order_by("look")
    ]
    page = {"comparison": stored.campaign.comparison, "looks": others, "scripts": scripts.available(stored)}
    return document.context(stored) | page


@roles(*Staff)
@require_GET
def report_file(request: StaffRequest, pk: uuid.UUID, look: int, kind: str) -> HttpResponse:
    stored = _report(request, pk, look)
    return files.response(files.report_file(report=stored, user=request.user, kind=kind))


@roles(*Staff)
@require_GET
def report_plot(request: StaffRequest, pk: uuid.UUID, look: int, name: str, kind: str) -> HttpResponse:
    stored = _report(request, pk, look)
    return files.response(files.plot_file(report=stored, user=request.user, name=name, kind=kind))


@roles(*Staff)
@require_GET
def recompute(request: StaffRequest, pk: uuid.UUID, look: int, language: str) -> HttpResponse:
    stored = _report(request, pk, look)
    return files.response(files.script_file(report=stored, user=request.user, language=language))


@roles(*Staff)
@require_GET
def ratings_file(request: StaffRequest, pk: uuid.UUID, variant: str, kind: str) -> HttpResponseBase:
    campaign = access.campaign(user=request.user, pk=pk)
    return ratings.download(campaign=campaign, user=request.user, variant=variant, kind=kind)


@roles(*Staff)
@require_GET
def export(request: StaffRequest, pk: uuid.UUID, look: int) -> HttpResponseBase:
    stored = _report(request, pk, look)
    archive = bundle.bundle(report=stored, user=request.user)
    return FileResponse(archive, as_attachment=True, filename=f"report-look-{look}.zip")
