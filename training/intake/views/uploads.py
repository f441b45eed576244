"""Pages of uploads: upload a file, map its columns, and make a dataset."""

import json
import uuid
from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.http import FileResponse, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_htmx.http import HttpResponseClientRedirect, HttpResponseClientRefresh

from ftplatform.accounts.permissions import AdminOnly, StaffRequest, roles
from ftplatform.errors import DomainError
from ftplatform.jobs import services as jobs
from training.actions import UploadAction
from training.intake import selectors, sentences
from training.intake.checking import Wishes
from training.intake.column_mapping import ColumnMapping
from training.intake.forms import MappingForm, UploadForm
from training.intake.services import imports, saved_mappings, uploads
from training.models import Dataset, DatasetImport, SavedMapping, Upload


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
    return render(
        request, "training/intake/dataset_new.html", {"form": form}, status=400 if form.errors else 200
    )


@roles(*AdminOnly)
@require_http_methods(["GET", "POST"])
def upload(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """The column mapping. A POST previews it, or with `store` makes the dataset. While a worker checks a large file,
    the page shows its progress."""
    found = selectors.upload(user=request.user, pk=pk)
    last = selectors.newest_import(found)
    if last is not None and UploadAction.CANCEL_CHECK in found.actions:
        return _being_checked(request, last)
    if found.dataset is not None:
        return _leave(request, redirect("training:dataset", pk=found.dataset.pk))
    if request.htmx:  # type: ignore[attr-defined]
        return HttpResponseClientRefresh()
    look = uploads.look(found)
    if request.method == "GET":
        chosen = _chosen(request)
        look = _as_asked(look, last, chosen)
        form = MappingForm(look=look, initial=_initial(found, look, None if chosen else last))
        error = imports.refusal(last) if last else None
        return _upload_page(request, found, form, mapping=form.look.proposal, error=error)
    form = MappingForm(request.POST, look=look)
    if not form.is_valid():
        context = {"upload": found, "form": form, "reading": sentences.reading(look.source)}
        return render(request, "training/intake/upload.html", context, status=400)
    if "store" in request.POST:
        return _store(request, found, form)
    if "save" in request.POST:
        _save_mapping(request, form)
    return _upload_page(request, found, form, mapping=form.cleaned_data["mapping"])


def _store(request: StaffRequest, found: Upload, form: MappingForm) -> HttpResponse:
    values = form.cleaned_data
    try:
        wishes = Wishes(
            mapping=values["mapping"],
            validation_share=values["validation_percent"] / 100,
            test_share=values["test_percent"] / 100,
            schema=values["wanted_schema"],
            skip_bad_rows=values["skip_bad_rows"] or request.POST["store"] == "good",
        )
        made = imports.start(user=request.user, upload=found, name=values["name"], wishes=wishes)
    except DomainError as error:
        return _upload_page(request, found, form, mapping=values["mapping"], error=error)
    if not isinstance(made, Dataset):
        return redirect("training:upload", pk=found.pk)
    skipped = made.facts["skipped"]["rows"]
    left_out = f" {skipped:,} rows with errors were skipped." if skipped else ""
    messages.success(request, f"{made} created with {made.rows:,} rows.{left_out}")
    return redirect("training:dataset", pk=made.pk)


def _leave(request: StaffRequest, elsewhere: HttpResponse) -> HttpResponse:
    """Redirect to another page, also for an htmx request from part of this one."""
    return HttpResponseClientRedirect(elsewhere.url) if request.htmx else elsewhere  # type: ignore[attr-defined]


def _being_checked(request: StaffRequest, job: DatasetImport) -> HttpResponse:
    position = jobs.queue_position(job) if job.status == job.Status.QUEUED else None
    part = "upload_checked_live" if request.htmx else "upload_checked"  # type: ignore[attr-defined]
    return render(
        request,
        f"training/intake/{part}.html",
        {"job": job, "upload": job.upload, "queue_position": position},
    )


def _chosen(request: StaffRequest) -> ColumnMapping | None:
    """The saved mapping that the address names."""
    name = request.GET.get("mapping", "")
    if not name:
        return None
    kind = SavedMapping.Kind.DATASET.value
    return ColumnMapping(**selectors.saved_mapping(user=request.user, kind=kind, name=name))


def _save_mapping(request: StaffRequest, form: MappingForm) -> None:
    name, mapping = form.cleaned_data["save_as"].strip(), form.cleaned_data["mapping"]
    if not name or mapping is None:
        form.add_error("save_as", "Enter a name." if mapping else "These rows need no mapping.")
        return
    kind = SavedMapping.Kind.DATASET.value
    saved_mappings.save(user=request.user, kind=kind, name=name, mapping=mapping.to_json())
    messages.success(request, f"Mapping saved as {name}.")


def _as_asked(look: uploads.Look, last: DatasetImport | None, chosen: ColumnMapping | None) -> uploads.Look:
    """Replace the suggested mapping with a saved one, or with the one of the last check."""
    if chosen is not None:
        return replace(look, proposal=chosen)
    return replace(look, proposal=imports.wishes_of(last).mapping) if last else look


def _initial(found: Upload, look: uploads.Look, last: DatasetImport | None) -> dict[str, Any]:
    """Initial form values: those of the last check that produced no dataset, or suggestions from the file."""
    if last is None:
        proposed = look.proposal or ColumnMapping()
        return {
            "name": found.name,
            "instruction": proposed.instruction,
            "json_cells": proposed.json_cells,
        }
    wishes = imports.wishes_of(last)
    values: dict[str, Any] = {
        "name": last.wishes["name"],
        "validation_percent": 100 * wishes.validation_share,
        "test_percent": 100 * wishes.test_share,
        "skip_bad_rows": wishes.skip_bad_rows,
    }
    if wishes.mapping is not None:
        values |= {"instruction": wishes.mapping.instruction, "json_cells": wishes.mapping.json_cells}
    if wishes.schema is not None:
        values["schema"] = json.dumps(wishes.schema, ensure_ascii=False, indent=2)
    return values


@roles(*AdminOnly)
@require_POST
def upload_cancel(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    found = selectors.upload(user=request.user, pk=pk)
    last = selectors.newest_import(found)
    if last is not None and UploadAction.CANCEL_CHECK in found.actions:
        jobs.cancel(job=last, user=request.user)
        messages.success(request, "Check cancelled. Nothing was stored.")
    return redirect("training:upload", pk=pk)


def _upload_page(
    request: StaffRequest,
    found: Upload,
    form: MappingForm,
    *,
    mapping: ColumnMapping | None,
    error: DomainError | None = None,
) -> HttpResponse:
    """The page with the first rows under `mapping`, if the mapping is complete enough."""
    preview, hint = None, ""
    try:
        preview = uploads.preview(found, mapping)
    except DomainError as incomplete:
        hint = " ".join(problem["message"] for problem in incomplete.problems) or incomplete.detail
    if preview is not None:
        _show_schema(form, json.dumps(preview.schema, ensure_ascii=False, indent=2))
    source = form.look.source | (preview.source if preview else {})
    # The preview itself lists the unused columns.
    source.pop("ignored_columns", None)
    unused = [column for column in form.look.columns if mapping and column not in mapping.columns]
    context = {
        "saved": selectors.saved_mappings(user=request.user, kind=SavedMapping.Kind.DATASET.value)[:200],
        "reading": sentences.reading(source),
        "upload": found,
        "form": form,
        "preview": preview,
        "hint": hint,
        "error": error,
        "unused": unused,
    }
    return render(request, "training/intake/upload.html", context, status=error.status if error else 200)


def _show_schema(form: MappingForm, inferred: str) -> None:
    """Show the schema inferred from the rows, but keep one that the user has edited."""
    if not form.is_bound:
        form.initial = {"schema": inferred, **form.initial, "inferred": inferred}
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
