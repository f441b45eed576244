"""Pages of model versions."""

import uuid
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.forms import Form
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_htmx.http import HttpResponseClientRefresh

from ftplatform.accounts.permissions import AdminOnly, Staff, StaffRequest, roles
from ftplatform.errors import DomainError
from ftplatform.jobs import services as jobs
from ftplatform.zip_stream import attachment
from training import access
from training.models import ModelVersion
from training.registry import card as cards
from training.registry import exports, selectors
from training.registry.forms import BaseModelForm, DownloadForm, ExternalModelForm, LicenceForm, StageForm
from training.registry.services import merges, model_jobs
from training.registry.services import models as model_services
from training.runs import hyperparameters

PAGE = 50


@roles(*Staff)
@require_GET
def models(request: StaffRequest) -> HttpResponse:
    page = Paginator(access.models(user=request.user), PAGE).get_page(request.GET.get("page"))
    downloads = list(selectors.unfinished_downloads(user=request.user))
    context = {
        "page_obj": page,
        "downloads": downloads,
        "busy": any(not job.is_finished for job in downloads),
    }
    if request.htmx and not context["busy"]:  # type: ignore[attr-defined]
        return HttpResponseClientRefresh()
    return render(request, "training/registry/models.html", context)


@roles(*AdminOnly)
@require_http_methods(["GET", "POST"])
def model_new(request: StaffRequest) -> HttpResponse:
    """Three forms: a local folder, a hub model, an external system. The fields of a POST show which one was sent."""
    hub, external = "hub-name" in request.POST, "external-name" in request.POST
    form = BaseModelForm(None if hub or external else request.POST or None)
    download = DownloadForm(request.POST if hub else None)
    system = ExternalModelForm(request.POST if external else None)
    sent, act = (download, _download) if hub else (system, _external) if external else (form, _register)
    if request.method == "POST" and sent.is_valid() and (response := act(request, sent)) is not None:
        return response
    context = {
        "form": form,
        "download": download,
        "external": system,
        "downloads_allowed": settings.HUB_DOWNLOADS,
    }
    return render(
        request, "training/registry/model_new.html", context, status=400 if request.method == "POST" else 200
    )


def _register(request: StaffRequest, form: Form) -> HttpResponse | None:
    path = form.cleaned_data["path"]
    try:
        if model_jobs.is_gguf(path):
            values = {name: form.cleaned_data[name] for name in ("name", "licence")}
            model_jobs.request_conversion(user=request.user, file=path, **values)
            messages.success(
                request, "Conversion queued. The model appears here after its files have been checked."
            )
            return redirect("training:models")
        model = model_services.register_base(user=request.user, **form.cleaned_data)
    except DomainError as error:
        form.add_error("name" if error.code == "name_taken" else "path", error.detail)
        return None
    return redirect("training:model", pk=model.pk)


def _external(request: StaffRequest, form: Form) -> HttpResponse | None:
    try:
        model = model_services.register_external(user=request.user, **form.cleaned_data)
    except DomainError as error:
        form.add_error("name", error.detail)
        return None
    return redirect("training:model", pk=model.pk)


def _download(request: StaffRequest, form: Form) -> HttpResponse | None:
    try:
        model_jobs.request_download(user=request.user, **form.cleaned_data)
    except DomainError as error:
        form.add_error({"name_taken": "name", "not_pinned": "reference"}.get(error.code), error.detail)
        return None
    messages.success(request, "Download queued. The model appears here after its files have been checked.")
    return redirect("training:models")


@roles(*Staff)
@require_GET
def model(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    instance = access.model(user=request.user, pk=pk)
    work = selectors.model_work(instance)
    if request.htmx:  # type: ignore[attr-defined]
        ended = HttpResponseClientRefresh()
        return (
            render(request, "training/registry/model_work.html", {"model": instance} | work)
            if work["busy"]
            else ended
        )
    context: dict[str, Any] = {
        "model": instance,
        "details": _details(instance),
        "lineage": selectors.lineage(instance),
        "merged_difference": cards.merged_difference(instance),
        "actions": instance.actions,
        "stage_form": StageForm(model=instance),
        "licence_form": LicenceForm(initial={"licence": instance.licence}),
        "changes": instance.stage_changes.select_related("changed_by")[:20],
    }
    return render(request, "training/registry/model.html", context | work)


def _details(model: ModelVersion) -> list[tuple[str, Any]]:
    """Details shown nowhere else on the page, without a merge's figures, which are shown as its difference."""
    if model.kind == ModelVersion.Kind.MERGED:
        return []
    shown_elsewhere = ("parameters", "size_bytes", "weights_hash", "template", "precision", "gguf")
    rest = {name: value for name, value in model.details.items() if name not in shown_elsewhere}
    return hyperparameters.described(rest)


@roles(*Staff)
@require_GET
def model_card(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    model = access.model(user=request.user, pk=pk)
    text = cards.markdown(model, selectors.model_summary(model))
    attachment = {"Content-Disposition": f'attachment; filename="model-{str(pk)[:8]}.md"'}
    return HttpResponse(text, content_type="text/markdown; charset=utf-8", headers=attachment)


def _act(
    request: StaffRequest, pk: uuid.UUID, act: Callable[[ModelVersion], object], done: str
) -> HttpResponse:
    """Call `act` with the model, then show the message `done` or the error on the model's page."""
    try:
        act(access.model(user=request.user, pk=pk))
    except DomainError as error:
        messages.warning(request, error.detail)
    else:
        messages.success(request, done)
    return redirect("training:model", pk=pk)


@roles(*AdminOnly)
@require_POST
def model_verify(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    def verify(model: ModelVersion) -> None:
        model_jobs.request_verification(user=request.user, model=model)

    return _act(request, pk, verify, "Verification queued. A worker checks every file against its hash.")


@roles(*AdminOnly)
@require_POST
def model_merge(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    def merge(model: ModelVersion) -> None:
        merges.launch(
            user=request.user, adapter=model, idempotency_key=request.POST.get("idempotency_key", "")[:100]
        )

    return _act(request, pk, merge, "Merge queued. A worker merges the adapter and measures the difference.")


@roles(*AdminOnly)
@require_POST
def model_stage(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    form = StageForm(request.POST, model=access.model(user=request.user, pk=pk))
    if not form.is_valid():
        messages.warning(request, "Choose another stage and enter a reason.")
        return redirect("training:model", pk=pk)

    def move(model: ModelVersion) -> None:
        model_services.set_stage(user=request.user, model=model, **form.cleaned_data)

    return _act(request, pk, move, "Stage changed.")


@roles(*AdminOnly)
@require_POST
def model_licence(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    form = LicenceForm(request.POST)
    if not form.is_valid():
        messages.warning(request, "The licence is too long. Enter its name, not its text.")
        return redirect("training:model", pk=pk)

    def write(model: ModelVersion) -> None:
        model_services.set_licence(user=request.user, model=model, licence=form.cleaned_data["licence"])

    return _act(request, pk, write, "Licence saved.")


@roles(*AdminOnly)
@require_GET
def model_export(request: StaffRequest, pk: uuid.UUID) -> HttpResponse | StreamingHttpResponse:
    """`what=files`, or `what=reproduce` with `rows=1` to include the dataset's rows. The archive is streamed."""
    model = access.model(user=request.user, pk=pk)
    common: dict[str, Any] = {
        "user": request.user,
        "model": model,
        "summary": selectors.model_summary(model),
    }
    if request.GET.get("what") == "reproduce":
        export = exports.reproduction(**common, with_rows=request.GET.get("rows") == "1")
    else:
        export = exports.files(**common)
    return attachment(export.file_name, export.blocks)


@roles(*AdminOnly)
@require_POST
def model_job_cancel(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    jobs.cancel(job=selectors.model_job(user=request.user, pk=pk), user=request.user)
    messages.success(request, "Cancelled. Work in progress stops within a minute.")
    return redirect("training:models")
