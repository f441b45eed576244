"""Pages of training runs."""

import uuid

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_htmx.http import HttpResponseClientRefresh

from ftplatform.accounts.permissions import AdminOnly, Staff, StaffRequest, roles
from ftplatform.errors import DomainError
from ftplatform.jobs import services as jobs
from training import charts, selectors
from training.config import TrainingConfig
from training.forms import LaunchForm
from training.services import configs
from training.services import runs as run_services

PAGE = 50


@roles(*Staff)
@require_GET
def runs(request: StaffRequest) -> HttpResponse:
    page = Paginator(selectors.runs(user=request.user), PAGE).get_page(request.GET.get("page"))
    return render(request, "training/runs.html", {"page_obj": page})


@roles(*AdminOnly)
@require_http_methods(["GET", "POST"])
def run_new(request: StaffRequest) -> HttpResponse:
    asked = {name: request.GET.get(name) for name in ("dataset", "base_model")}
    initial = {"idempotency_key": uuid.uuid4().hex, **asked}
    form = LaunchForm(request.POST or None, user=request.user, initial=initial)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            run = run_services.launch(
                user=request.user,
                name=values["name"],
                dataset=values["dataset"],
                base_model=values["base_model"],
                config=configs.check(TrainingConfig, form.config_values),
                idempotency_key=values["idempotency_key"],
            )
        except DomainError as error:
            form.add_error(None, error.detail)
        else:
            return redirect("training:run", pk=run.pk)
    return render(request, "training/run_new.html", {"form": form}, status=400 if form.errors else 200)


@roles(*Staff)
@require_GET
def run(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """The run's page; htmx asks again for its moving part while the run lives, and for the whole at its end."""
    found = selectors.run(user=request.user, pk=pk)
    if request.htmx and found.is_finished:  # type: ignore[attr-defined]
        return HttpResponseClientRefresh()
    context = {
        "run": found,
        "events": selectors.events(found),
        "charts": charts.run_charts(selectors.curve(found)),
        "summary": selectors.run_summary(found),
        "queue_position": jobs.queue_position(found) if found.status == found.Status.QUEUED else None,
    }
    return render(request, "training/run_live.html" if request.htmx else "training/run.html", context)  # type: ignore[attr-defined]


@roles(*AdminOnly)
@require_POST
def run_cancel(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    jobs.cancel(job=selectors.run(user=request.user, pk=pk), user=request.user)
    return redirect("training:run", pk=pk)
