"""Pages of measurements: row lengths with a base model's tokenizer, and the trained tokens of sample rows."""

import uuid

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import HttpResponseClientRefresh

from ftplatform.accounts.permissions import AdminOnly, Staff, StaffRequest, roles
from ftplatform.errors import DomainError
from ftplatform.jobs import services as jobs
from training import access
from training.config import TrainingConfig
from training.models import Measurement
from training.runs import charts
from training.runs.selectors import measurements as measurement_selectors
from training.runs.services import measurements

_LISTED = 100


class LengthForm(forms.Form):
    max_length = forms.IntegerField(
        min_value=16, max_value=131_072, label="Maximum row length (max_length)", help_text="In tokens."
    )


@roles(*AdminOnly)
@require_POST
def measure(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    dataset = access.dataset(user=request.user, pk=pk)
    chosen = forms.ModelChoiceField(access.base_models(user=request.user))
    try:
        base = chosen.clean(request.POST.get("base_model"))
        launched = measurements.launch(user=request.user, dataset=dataset, base_model=base)
    except (forms.ValidationError, DomainError) as error:
        messages.warning(request, error.detail if isinstance(error, DomainError) else "Choose a base model.")
        return redirect("training:dataset", pk=pk)
    return redirect("training:measurement", pk=launched.pk)


@roles(*Staff)
@require_GET
def measurement(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """While the measurement runs, htmx polls for its progress, and reloads the whole page at its end."""
    instance = access.measurement(user=request.user, pk=pk)
    if instance.is_finished and request.htmx:  # type: ignore[attr-defined]
        return HttpResponseClientRefresh()
    context: dict[str, object] = {"measurement": instance}
    if not instance.is_finished:
        position = jobs.queue_position(instance) if instance.status == instance.Status.QUEUED else None
        part = "training/runs/measurement_live.html" if request.htmx else "training/runs/measurement.html"  # type: ignore[attr-defined]
        return render(request, part, context | {"queue_position": position})
    if instance.status == instance.Status.SUCCEEDED:
        context |= _result(instance, request.GET.get("max_length"))
    return render(request, "training/runs/measurement.html", context)


def _result(instance: Measurement, limit_text: str | None) -> dict[str, object]:
    form = LengthForm({"max_length": limit_text or TrainingConfig().max_length})
    limit = form.cleaned_data["max_length"] if form.is_valid() else TrainingConfig().max_length
    long = measurements.long_rows(instance, limit)
    return {
        "form": form,
        "limit": limit,
        "long": long,
        "listed": long.first[:_LISTED],
        "summary": measurement_selectors.length_summary(instance),
        "chart": charts.length_chart(instance.result["splits"], limit),
    }
