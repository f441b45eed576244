"""The launch page: a form that presets can fill, with an estimate that is updated as the user types."""

import uuid
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from ftplatform.accounts.permissions import AdminOnly, StaffRequest, roles
from ftplatform.errors import DomainError
from training.config import TrainingConfig
from training.runs import configs
from training.runs.forms import LaunchForm
from training.runs.presets import BY_KEY, PRESETS
from training.runs.selectors import comparing, estimates
from training.runs.services import runs

_KEPT = ("name", "dataset", "base_model", "priority")


@roles(*AdminOnly)
@require_http_methods(["GET", "POST"])
def run_new(request: StaffRequest) -> HttpResponse:
    """Show the form, fill it from a preset or an earlier run, or launch."""
    if request.method == "POST" and "preset" not in request.POST:
        return _launch(request)
    chosen = request.POST.get("preset") or request.GET.get("preset") or ""
    form = LaunchForm(user=request.user, initial=_initial(request, chosen))
    return _page(request, form, chosen=chosen)


def _initial(request: StaffRequest, preset: str) -> dict[str, Any]:
    """Initial form values: an earlier run's settings, overridden by the preset's, overridden by those entered."""
    values: dict[str, Any] = {}
    earlier = request.GET.get("from") or request.POST.get("from")
    if earlier and (run := comparing.run_or_none(user=request.user, text=earlier)):
        values = {"name": run.name, "dataset": run.dataset_id, "base_model": run.base_model_id, **run.config}
    if preset in BY_KEY:
        values |= BY_KEY[preset].config.model_dump()
    query = request.POST if request.method == "POST" else request.GET
    values |= {name: query[name] for name in _KEPT if query.get(name)}
    return values | {"idempotency_key": uuid.uuid4().hex}


def _launch(request: StaffRequest) -> HttpResponse:
    form = LaunchForm(_remedied(request.POST), user=request.user)
    remedies: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    if form.is_valid():
        values = form.cleaned_data
        try:
            run = runs.launch(
                user=request.user,
                name=values["name"],
                dataset=values["dataset"],
                base_model=values["base_model"],
                config=configs.check(TrainingConfig, form.config_values),
                priority=values["priority"],
                idempotency_key=values["idempotency_key"],
            )
        except DomainError as error:
            remedies = error.extra.get("remedies", [])
            # The error may list up to a thousand rows: show them beside the remedies, in a list that scrolls.
            form.refuse(DomainError(error.code, error.detail) if remedies else error)
            rows = error.problems if remedies else []
        else:
            return redirect("training:run", pk=run.pk)
    return _page(request, form, status=400, remedies=remedies, rows=rows)


def _remedied(query: QueryDict) -> QueryDict:
    """The entered values with the remedy that the user chose for rows that are too long."""
    name, _, value = query.get("remedy", "").partition("=")
    if name not in ("max_length", "long_rows"):
        return query
    changed = query.copy()
    changed[name] = value
    return changed


def _page(
    request: StaffRequest,
    form: LaunchForm,
    *,
    chosen: str = "",
    status: int = 200,
    remedies: Sequence[dict[str, Any]] = (),
    rows: Sequence[dict[str, Any]] = (),
) -> HttpResponse:
    demo = form.base_models.filter(is_demo=True).exists()
    context = {
        "form": form,
        "presets": [preset for preset in PRESETS if demo or not preset.demo_only],
        "chosen": chosen,
        "remedies": remedies,
        "long_rows": rows,
        "from": request.GET.get("from") or request.POST.get("from"),
    }
    return render(request, "training/runs/run_new.html", context, status=status)


@roles(*AdminOnly)
@require_POST
def run_estimate(request: StaffRequest) -> HttpResponse:
    """The estimate for the form's current values, or messages about missing or invalid ones."""
    form = LaunchForm(request.POST, user=request.user)
    form.full_clean()
    wrong = sorted(set(form.errors) - {"name", "idempotency_key", "priority", "dataset", "base_model"})
    context: dict[str, Any] = {"price": settings.PRICE_PER_HOUR, "currency": settings.PRICE_CURRENCY}
    if wrong:
        context["wrong"] = [form[name].label for name in wrong]
    elif form.cleaned_data.get("dataset") and form.cleaned_data.get("base_model"):
        context |= _forecast(form)
    return render(request, "training/runs/estimate.html", context)


def _forecast(form: LaunchForm) -> dict[str, Any]:
    try:
        config = configs.check(TrainingConfig, form.config_values)
    except DomainError as error:
        return {"wrong": [problem["message"] for problem in error.problems]}
    values = form.cleaned_data
    estimate = estimates.forecast(dataset=values["dataset"], base_model=values["base_model"], config=config)
    return {"estimate": estimate, "unknown": estimate is None}
