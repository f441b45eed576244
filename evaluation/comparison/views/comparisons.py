"""Pages of comparisons: launch one, watch it, cancel it, try again what failed."""

import uuid
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_htmx.http import HttpResponseClientRefresh

from evaluation import access
from evaluation.comparison.forms.comparisons import ComparisonForm
from evaluation.comparison.selectors import responses
from evaluation.comparison.services import comparisons, figures
from evaluation.comparison.views import figures as figure_views
from evaluation.models import Comparison
from ftplatform.accounts.permissions import Staff, StaffRequest, roles
from ftplatform.errors import DomainError
from ftplatform.jobs import services as jobs
from training.config import DecodingConfig
from training.runs import configs

PAGE = 50
FAILURES = 50


@roles(*Staff)
@require_GET
def comparison_list(request: StaffRequest) -> HttpResponse:
    page = Paginator(access.comparisons(user=request.user), PAGE).get_page(request.GET.get("page"))
    return render(request, "evaluation/comparison/comparisons.html", {"page_obj": page})


@roles(*Staff)
@require_http_methods(["GET", "POST"])
def comparison_new(request: StaffRequest) -> HttpResponse:
    asked = {name: request.GET.get(name) for name in ("baseline", "prompt_set")}
    candidates = request.GET.getlist("candidate")
    initial = {"idempotency_key": uuid.uuid4().hex, "candidates": candidates, **asked}
    form = ComparisonForm(request.POST or None, user=request.user, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            run = _launch(request, form)
        except DomainError as error:
            form.refuse(error)
        else:
            return redirect("evaluation:comparison", pk=run.pk)
    return render(
        request,
        "evaluation/comparison/comparison_new.html",
        {"form": form},
        status=400 if form.errors else 200,
    )


def _launch(request: StaffRequest, form: ComparisonForm) -> Comparison:
    values = form.cleaned_data
    return comparisons.launch(
        user=request.user,
        name=values["name"],
        prompt_set=values["prompt_set"],
        candidates=list(values["candidates"]),
        baseline=values["baseline"],
        engine=values["engine"],
        decoding=configs.check(DecodingConfig, form.decoding_values),
        idempotency_key=values["idempotency_key"],
        leakage_reason=values["leakage_reason"],
    )


@roles(*Staff)
@require_GET
def comparison_detail(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """The comparison; htmx asks again for its moving part while the run lives, and for the whole at its end."""
    run = access.comparison(user=request.user, pk=pk)
    if request.htmx and run.is_finished:  # type: ignore[attr-defined]
        return HttpResponseClientRefresh()
    context: dict[str, Any] = {
        "run": run,
        "queue_position": jobs.queue_position(run) if run.status == run.Status.QUEUED else None,
        "events": responses.events(run),
    }
    if request.htmx:  # type: ignore[attr-defined]
        return render(request, "evaluation/comparison/comparison_live.html", context)
    if run.is_finished:
        context |= figure_views.context(request, run) | _failures(request, run)
    return render(request, "evaluation/comparison/comparison.html", context)


def _failures(request: StaffRequest, run: Comparison) -> dict[str, Any]:
    failures = responses.failures(user=request.user, run=run)
    return {"failures": failures[:FAILURES], "failed": failures.count()}


@roles(*Staff)
@require_POST
def comparison_cancel(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    jobs.cancel(job=access.comparison(user=request.user, pk=pk), user=request.user)
    return redirect("evaluation:comparison", pk=pk)


@roles(*Staff)
@require_POST
def comparison_pause(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    jobs.pause(job=access.comparison(user=request.user, pk=pk), user=request.user)
    return redirect("evaluation:comparison", pk=pk)


@roles(*Staff)
@require_POST
def comparison_resume(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    jobs.resume(job=access.comparison(user=request.user, pk=pk), user=request.user)
    return redirect("evaluation:comparison", pk=pk)


@roles(*Staff)
@require_POST
def comparison_again(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    comparisons.try_again(user=request.user, run=access.comparison(user=request.user, pk=pk))
    return redirect("evaluation:comparison", pk=pk)


@roles(*Staff)
@require_POST
def comparison_figures(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    figures.ask_for_figures(user=request.user, run=access.comparison(user=request.user, pk=pk))
    messages.success(request, "A worker is working the figures out; look again in a moment.")
    return redirect("evaluation:comparison", pk=pk)


@roles(*Staff)
@require_POST
def comparison_without(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    comparisons.leave_out_missing(user=request.user, run=access.comparison(user=request.user, pk=pk))
    return redirect("evaluation:comparison", pk=pk)
