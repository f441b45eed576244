"""Pages of training runs: the list, the launch, one run during and after training, and a comparison of runs."""

import uuid
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import HttpResponseClientRefresh

from ftplatform.accounts.permissions import AdminOnly, Staff, StaffRequest, roles
from ftplatform.errors import DomainError
from ftplatform.jobs import services as jobs
from ftplatform.key_pages import KeyPaginator
from training import access
from training.models import TrainingRun
from training.runs import charts, hyperparameters, markdown
from training.runs.forms import PriorityForm, RetryForm
from training.runs.selectors import comparing, progress
from training.runs.services import runs as run_services

PAGE = 50


@roles(*Staff)
@require_GET
def runs(request: StaffRequest) -> HttpResponse:
    page = KeyPaginator(access.runs(user=request.user), PAGE).get_page(request.GET.get("page"))
    return render(request, "training/runs/runs.html", {"page_obj": page, "most": comparing.MAX_COMPARED})


@roles(*Staff)
@require_GET
def run(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """The run's page. While the run is active, htmx polls for the part that changes, and for the whole page when its
    status changes, because the available actions then differ."""
    instance = access.run(user=request.user, pk=pk)
    if request.htmx and request.GET.get("seen", "").partition("/")[0] != instance.status:  # type: ignore[attr-defined]
        return HttpResponseClientRefresh()
    live = {
        "run": instance,
        "events": progress.events(instance),
        "latest": progress.latest(instance),
        "queue": progress.queue_outlook(instance),
    }
    if request.htmx:  # type: ignore[attr-defined]
        return render(request, "training/runs/run_live.html", live)
    return render(request, "training/runs/run.html", live | _measured(instance) | _aftermath(instance))


@roles(*Staff)
@require_GET
def run_curves(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """The curves so far. They are polled less often than the progress because they take longer to draw."""
    run = access.run(user=request.user, pk=pk)
    return render(request, "training/runs/run_curves.html", {"run": run} | _measured(run))


@roles(*Staff)
@require_GET
def run_log(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    lines = progress.log_tail(access.run(user=request.user, pk=pk))
    return HttpResponse("\n".join(lines), content_type="text/plain; charset=utf-8")


def _measured(run: TrainingRun) -> dict[str, Any]:
    return {
        "charts": charts.run_charts(progress.curve(run, points=400 if run.is_finished else 120)),
        "summary": comparing.run_summary(run),
        "samples": progress.samples(run),
    }


def _aftermath(run: TrainingRun) -> dict[str, Any]:
    return {
        "log": "\n".join(progress.log_tail(run)),
        "settings": hyperparameters.described(run.config),
        "checkpoints": run.checkpoints,
        "retries": run.retries.count(),
        "error": progress.estimate_error(run),
        "priority_form": PriorityForm(initial={"priority": run.priority}),
    }


@roles(*Staff)
@require_GET
def run_facts(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    run = access.run(user=request.user, pk=pk)
    text = markdown.markdown(run, comparing.run_summary(run))
    return HttpResponse(
        text,
        content_type="text/markdown; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="run-{str(pk)[:8]}.md"'},
    )


@roles(*Staff)
@require_GET
def compare(request: StaffRequest) -> HttpResponse:
    try:
        chosen = comparing.comparable_runs(user=request.user, ids=request.GET.getlist("run"))
    except DomainError as error:
        messages.warning(request, error.detail)
        return redirect("training:runs")
    names = comparing.told_apart(chosen)
    settings = comparing.settings_compared(chosen)
    context = {
        "runs": list(zip(names, chosen, strict=True)),
        "settings": settings,
        "any_differ": any(row["differs"] for row in settings),
        "results": list(zip(names, comparing.results_compared(chosen), strict=True)),
        "charts": charts.comparison_charts(
            [(name, progress.curve(run, points=150)) for name, run in zip(names, chosen, strict=True)]
        ),
    }
    return render(request, "training/runs/runs_compared.html", context)


def _act(
    request: StaffRequest, pk: uuid.UUID, act: Callable[[TrainingRun], object], done: str
) -> HttpResponse:
    """Call `act` with the run, then show the message `done` or the error on the run's page, also after a lost race."""
    try:
        act(access.run(user=request.user, pk=pk))
    except DomainError as error:
        messages.warning(request, error.detail)
    else:
        after = access.run(user=request.user, pk=pk)
        late = after.is_finished and after.status != TrainingRun.Status.CANCELLED
        messages.success(request, "The run had already ended. Nothing was changed." if late else done)
    return redirect("training:run", pk=pk)


@roles(*AdminOnly)
@require_POST
def run_cancel(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    done = "Cancelled. A running run stops at its next step."
    return _act(request, pk, lambda run: jobs.cancel(job=run, user=request.user), done)


@roles(*AdminOnly)
@require_POST
def run_pause(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    done = "Pausing. A running run saves its progress at the next step and frees its device."
    return _act(request, pk, lambda run: jobs.pause(job=run, user=request.user), done)


@roles(*AdminOnly)
@require_POST
def run_resume(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    done = "Resumed. The run continues from its newest checkpoint."
    return _act(request, pk, lambda run: jobs.resume(job=run, user=request.user), done)


@roles(*AdminOnly)
@require_POST
def run_prioritise(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    form = PriorityForm(request.POST)
    if not form.is_valid():
        messages.warning(request, "Choose a priority from the list.")
        return redirect("training:run", pk=pk)
    priority = form.cleaned_data["priority"]
    return _act(
        request,
        pk,
        lambda run: jobs.prioritise(job=run, user=request.user, priority=priority),
        "Priority changed.",
    )


@roles(*AdminOnly)
@require_POST
def run_retry(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """A new run from a checkpoint of this one. The form's key makes a second click return the run of the first."""
    form = RetryForm(request.POST)
    if not form.is_valid():
        messages.warning(request, "Choose a checkpoint from the list.")
        return redirect("training:run", pk=pk)
    run = access.run(user=request.user, pk=pk)
    try:
        new_run = run_services.retry(user=request.user, run=run, **form.cleaned_data)
    except DomainError as error:
        messages.warning(request, error.detail)
        return redirect("training:run", pk=pk)
    return redirect("training:run", pk=new_run.pk)


@roles(*AdminOnly)
@require_POST
def run_discard_checkpoints(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    def discard(run: TrainingRun) -> None:
        run_services.discard_checkpoints(user=request.user, run=run)

    try:
        discard(access.run(user=request.user, pk=pk))
    except DomainError as error:
        messages.warning(request, error.detail)
    else:
        messages.success(request, "Checkpoints deleted.")
    return redirect("training:run", pk=pk)
