"""Pages of uploads: the file, then what its columns mean, then a dataset."""

import json
import uuid

from django.contrib import messages
from django.http import FileResponse, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from ftplatform.accounts.permissions import AdminOnly, StaffRequest, roles
from ftplatform.errors import DomainError
from training import selectors
from training.dataset_forms import MappingForm, UploadForm
from training.models import Upload
from training.services import uploads
from training.services.rows import ColumnMapping


@roles(*AdminOnly)
@require_http_methods(["GET", "POST"])
def dataset_new(request: StaffRequest) -> HttpResponse:
    form = UploadForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        file = form.cleaned_data["file"]
        try:
            upload = uploads.stage(
                user=request.user, name=form.cleaned_data["name"], file=file, source_name=file.name
            )
        except DomainError as error:
            form.add_error("file", error.detail)
        else:
            return redirect("training:upload", pk=upload.pk)
    return render(request, "training/dataset_new.html", {"form": form}, status=400 if form.errors else 200)


@roles(*AdminOnly)
@require_http_methods(["GET", "POST"])
def upload(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """What the columns mean. A POST shows how that looks, or with `store` makes the dataset."""
    found = selectors.upload(user=request.user, pk=pk)
    if found.dataset is not None:
        return redirect("training:dataset", pk=found.dataset.pk)
    form = MappingForm(request.POST or None, look=uploads.look(found), initial={"name": found.name})
    if request.method == "GET":
        return _upload_page(request, found, form, mapping=form.look.proposal)
    if not form.is_valid():
        return render(request, "training/upload.html", {"upload": found, "form": form}, status=400)
    if "store" in request.POST:
        return _store(request, found, form)
    return _upload_page(request, found, form, mapping=form.cleaned_data["mapping"])


def _store(request: StaffRequest, found: Upload, form: MappingForm) -> HttpResponse:
    values = form.cleaned_data
    try:
        dataset = uploads.make_dataset(
            user=request.user,
            upload=found,
            name=values["name"],
            mapping=values["mapping"],
            validation_share=values["validation_percent"] / 100,
            test_share=values["test_percent"] / 100,
            schema=values["wanted_schema"],
            skip_bad_rows=values["skip_bad_rows"] or request.POST["store"] == "good",
        )
    except DomainError as error:
        return _upload_page(request, found, form, mapping=values["mapping"], error=error)
    skipped = dataset.facts["skipped"]["rows"]
    left_out = f" {skipped:,} bad rows were left out." if skipped else ""
    messages.success(request, f"{dataset} is stored: {dataset.rows:,} rows.{left_out}")
    return redirect("training:dataset", pk=dataset.pk)


def _upload_page(
    request: StaffRequest,
    found: Upload,
    form: MappingForm,
    *,
    mapping: ColumnMapping | None,
    error: DomainError | None = None,
) -> HttpResponse:
    """The page with the first rows under `mapping`, as far as that is complete."""
    preview, hint = None, ""
    try:
        preview = uploads.preview(found, mapping)
    except DomainError as incomplete:
        hint = " ".join(problem["message"] for problem in incomplete.problems) or incomplete.detail
    if preview is not None:
        _show_schema(form, json.dumps(preview.schema, ensure_ascii=False, indent=2))
    context = {"upload": found, "form": form, "preview": preview, "hint": hint, "error": error}
    return render(request, "training/upload.html", context, status=error.status if error else 200)


def _show_schema(form: MappingForm, inferred: str) -> None:
    """Show the schema that the rows have, unless somebody has edited it: that one stays."""
    if not form.is_bound:
        form.initial = {**form.initial, "schema": inferred, "inferred": inferred}
    elif form.cleaned_data.get("wanted_schema") is None:
        form.data = {**form.data.dict(), "schema": inferred, "inferred": inferred}  # type: ignore[attr-defined]


@roles(*AdminOnly)
@require_GET
def upload_problems(request: StaffRequest, pk: uuid.UUID) -> HttpResponseBase:
    """Every problem of the last check, as CSV."""
    report = uploads.report_of(selectors.upload(user=request.user, pk=pk))
    return FileResponse(
        report.open("rb"), as_attachment=True, filename="problems.csv", content_type="text/csv"
    )
