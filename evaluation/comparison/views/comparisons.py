"""Pages of comparisons: launch, monitor, cancel and retry."""

import uuid
from typing import Any, NamedTuple

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_htmx.http import HttpResponseClientRefresh

from evaluation import access
from evaluation.comparison import sentences
from evaluation.comparison.forms.comparisons import ComparisonForm
from evaluation.comparison.selectors import comparison_document, responses
from evaluation.comparison.selectors.comparison_facts import provenance
from evaluation.comparison.services import comparisons, figures
from evaluation.comparison.views.figures import figures_context
from evaluation.models import Comparison
from evaluation.models.comparison_actions import ComparisonAction
from ftplatform.accounts.permissions import Staff, StaffRequest, roles
from ftplatform.errors import DomainError
from ftplatform.jobs import services as jobs
from training.config import DecodingConfig
from training.runs import configs

PAGE = 50
FAILURES = 50


class _Button(NamedTuple):
    """How the page presents an action (POST)."""

    label: str
    view: str
    kind: str = ""
    confirm: str = ""


_BUTTONS = {
    ComparisonAction.CANCEL: _Button(
        "Cancel",
        "comparison_cancel",
        "danger",
        "Cancel this comparison? Without the responses of every model there are no pairs to review.",
    ),
    ComparisonAction.PAUSE: _Button("Pause", "comparison_pause"),
    ComparisonAction.RESUME: _Button("Resume", "comparison_resume", "primary"),
    ComparisonAction.TRY_AGAIN: _Button("Retry missing responses", "comparison_again", "primary"),
    ComparisonAction.LEAVE_OUT_MISSING: _Button(
        "Continue without them",
        "comparison_without",
        "",
        "Compare only the prompts that every model answered? The report names the prompts that are left out.",
    ),
    ComparisonAction.WORK_OUT: _Button("Compute the figures", "comparison_figures"),
}


@roles(*Staff)
@require_GET
def comparison_list(request: StaffRequest) -> HttpResponse:
    page = Paginator(access.comparisons(user=request.user), PAGE).get_page(request.GET.get("page"))
    return render(request, "evaluation/comparison/comparisons.html", {"page_obj": page})


@roles(*Staff)
@require_http_methods(["GET", "POST"])
def comparison_new(request: StaffRequest) -> HttpResponse:
    query = {name: request.GET.get(name) for name in ("baseline", "prompt_set")}
    candidates = request.GET.getlist("candidate")
    initial = {"idempotency_key": uuid.uuid4().hex, "candidates": candidates, **query}
    form = ComparisonForm(request.POST or None, user=request.user, initial=initial)
    context: dict[str, Any] = {"form": form}
    if request.method == "POST" and form.is_valid():
        try:
            comparison = _launch(request, form)
        except DomainError as error:
            if error.code == "leakage":
                context["error"] = error
            else:
                form.refuse(error)
        else:
            return redirect("evaluation:comparison", pk=comparison.pk)
    wrong = bool(form.errors or context.get("error"))
    return render(request, "evaluation/comparison/new.html", context, status=400 if wrong else 200)


def _launch(request: StaffRequest, form: ComparisonForm) -> Comparison:
    values = form.cleaned_data
    return comparisons.launch(
        user=request.user,
        name=values["name"],
        prompt_set=values["prompt_set"],
        candidates=list(values["candidates"]),
        baseline=values["baseline"],
        engine=values["engine"],
        parameters=values["parameters"],
        decoding=configs.check(DecodingConfig, form.decoding_values),
        idempotency_key=values["idempotency_key"],
        leakage_reason=values["leakage_reason"],
        leave_out_leaked=values["leave_out_leaked"],
    )


@roles(*Staff)
@require_GET
def comparison_detail(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """The comparison page.

    While the comparison is active, htmx reloads the part that changes; at the end it reloads the whole page.
    """
    comparison = comparison_document.comparison(user=request.user, pk=pk)
    if request.htmx and comparison.is_finished:  # type: ignore[attr-defined]
        return HttpResponseClientRefresh()
    context: dict[str, Any] = {
        "comparison": comparison,
        "state": _state(comparison),
        "buttons": _buttons(comparison),
        "can_review": ComparisonAction.OPEN_CAMPAIGN in comparison.actions,
        "queue_position": jobs.queue_position(comparison)
        if comparison.status == comparison.Status.QUEUED
        else None,
        "events": responses.events(comparison),
        "cautions": sentences.endpoint_cautions(comparison.facts),
    }
    if request.htmx:  # type: ignore[attr-defined]
        return render(request, "evaluation/comparison/live.html", context)
    if comparison.is_finished:
        context |= figures_context(request, comparison) | _failures(request, comparison)
    document = context.get("document")
    context["facts"] = (
        document.facts if document else sentences.facts(provenance(comparison, comparison.candidate))
    )
    return render(request, "evaluation/comparison/comparison.html", context)


def _state(comparison: Comparison) -> str:
    """The displayed state. A change of it is announced and replaces the buttons."""
    flags = f"{comparison.pause_requested:d}{comparison.cancel_requested:d}"
    return f"{comparison.status}/{flags}/{comparison.stage}"


def _buttons(comparison: Comparison) -> list[dict[str, str]]:
    """The actions (POST) that are available now, the most likely one last."""
    return [
        {
            "label": button.label,
            "url": reverse(f"evaluation:{button.view}", args=[comparison.pk]),
            "kind": button.kind,
            "confirm": button.confirm,
        }
        for button in (_BUTTONS.get(action) for action in comparison.actions)
        if button
    ]


def _failures(request: StaffRequest, comparison: Comparison) -> dict[str, Any]:
    failures = responses.failures(user=request.user, comparison=comparison)
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
    comparisons.try_again(user=request.user, comparison=access.comparison(user=request.user, pk=pk))
    return redirect("evaluation:comparison", pk=pk)


@roles(*Staff)
@require_POST
def comparison_figures(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    figures.ask_for_figures(user=request.user, comparison=access.comparison(user=request.user, pk=pk))
    messages.success(request, "A worker is computing the figures. Reload the page in a moment.")
    return redirect("evaluation:comparison", pk=pk)


@roles(*Staff)
@require_POST
def comparison_without(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    comparisons.leave_out_missing(user=request.user, comparison=access.comparison(user=request.user, pk=pk))
    return redirect("evaluation:comparison", pk=pk)
