"""Pages of datasets, models and training runs."""

import uuid

from django.contrib import messages
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
from training.forms import BaseModelForm, DatasetForm, LaunchForm
from training.services import configs
from training.services import datasets as dataset_services
from training.services import models as model_services
from training.services import runs as run_services

PAGE = 50


@roles(*Staff)
@require_GET
def datasets(request: StaffRequest) -> HttpResponse:
    page = Paginator(selectors.datasets(user=request.user), PAGE).get_page(request.GET.get("page"))
    return render(request, "training/datasets.html", {"page_obj": page})


@roles(*AdminOnly)
@require_http_methods(["GET", "POST"])
def dataset_new(request: StaffRequest) -> HttpResponse:
    form = DatasetForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            dataset = dataset_services.create(
                user=request.user,
                name=values["name"],
                file=values["file"],
                source_name=values["file"].name,
                mapping=values["mapping"],
                validation_share=values["validation_percent"] / 100,
            )
        except DomainError as error:
            return render(
                request, "training/dataset_new.html", {"form": form, "error": error}, status=error.status
            )
        messages.success(request, f"{dataset} is stored: {dataset.rows:,} rows.")
        return redirect("training:dataset", pk=dataset.pk)
    return render(request, "training/dataset_new.html", {"form": form}, status=400 if form.errors else 200)


@roles(*Staff)
@require_GET
def dataset(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    found = selectors.dataset(user=request.user, pk=pk)
    examples = [
        ("Training", selectors.examples(found, "train", limit=3)),
        ("Held out", selectors.examples(found, "validation", limit=2)),
    ]
    return render(request, "training/dataset.html", {"dataset": found, "examples": examples})


@roles(*Staff)
@require_GET
def models(request: StaffRequest) -> HttpResponse:
    page = Paginator(selectors.models(user=request.user), PAGE).get_page(request.GET.get("page"))
    return render(request, "training/models.html", {"page_obj": page})


@roles(*AdminOnly)
@require_http_methods(["GET", "POST"])
def model_new(request: StaffRequest) -> HttpResponse:
    form = BaseModelForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            model = model_services.register_base(user=request.user, **form.cleaned_data)
        except DomainError as error:
            form.add_error("name" if error.code == "name_taken" else "path", error.detail)
        else:
            return redirect("training:model", pk=model.pk)
    return render(request, "training/model_new.html", {"form": form}, status=400 if form.errors else 200)


@roles(*Staff)
@require_GET
def model(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    return render(request, "training/model.html", {"model": selectors.model(user=request.user, pk=pk)})


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
