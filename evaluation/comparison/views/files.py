"""Pages that map the columns of an uploaded file of prompts or pairs."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from evaluation.comparison import readers
from evaluation.comparison.forms.columns import ColumnsForm
from evaluation.comparison.forms.prompts import PairNamesForm, PromptOptionsForm
from evaluation.comparison.selectors import files
from evaluation.comparison.services import pair_imports
from evaluation.comparison.services import prompts as prompt_services
from ftplatform.accounts.permissions import Staff, StaffRequest, roles
from ftplatform.errors import DomainError
from training.intake import selectors, sentences
from training.intake.services import saved_mappings, uploads
from training.models import SavedMapping, Upload


@dataclass(frozen=True)
class _Kind:
    """What differs between files of prompts and of pairs."""

    kind: SavedMapping.Kind
    known: Sequence[str]
    back: str
    options: Callable[[StaffRequest, Upload], Any]
    make: Callable[[StaffRequest, Upload, Any, readers.Columns], HttpResponse]


@roles(*Staff)
@require_http_methods(["GET", "POST"])
def prompt_file(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Map the columns of a file of prompts, and create the prompt set."""
    return _mapped(request, pk, _PROMPTS)


@roles(*Staff)
@require_http_methods(["GET", "POST"])
def pairs_file(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Map the columns of a file of pairs, and import them."""
    return _mapped(request, pk, _PAIRS)


def _mapped(request: StaffRequest, pk: uuid.UUID, of: _Kind) -> HttpResponse:
    upload = selectors.upload(user=request.user, pk=pk)
    look = uploads.look(upload)
    saved = selectors.saved_mappings(user=request.user, kind=of.kind.value)
    name = request.GET.get("mapping", "")
    chosen = (
        selectors.saved_mapping(user=request.user, kind=of.kind.value, name=name)["names"] if name else None
    )
    columns = ColumnsForm(request.POST or None, look=look, known=of.known, chosen=chosen)
    options = of.options(request, upload)
    context: dict[str, Any] = {"upload": upload, "columns": columns, "form": options, "saved": saved[:200]}
    if request.method == "POST" and columns.is_valid():
        if "save" in request.POST:
            _save(request, of, columns)
        elif "store" in request.POST and options.is_valid():
            try:
                return of.make(request, upload, options.cleaned_data, columns.columns)
            except DomainError as error:
                context["error"] = error
    context |= {
        "back": of.back,
        "kind": of.kind.value,
        "look": look,
        "reading": sentences.reading(look.source),
        "preview": files.preview(upload, of.kind.value, columns.columns),
    }
    wrong = context.get("error") or columns.errors or ("store" in request.POST and options.errors)
    return render(request, "evaluation/comparison/file_columns.html", context, status=400 if wrong else 200)


def _save(request: StaffRequest, of: _Kind, form: ColumnsForm) -> None:
    name = form.cleaned_data["save_as"].strip()
    if not name:
        form.add_error("save_as", "Enter a name.")
        return
    mapping = {"names": dict(form.columns.names)}
    saved_mappings.save(user=request.user, kind=of.kind.value, name=name, mapping=mapping)
    messages.success(request, f"Mapping saved as {name}.")


def _data(request: StaffRequest) -> Any:
    """The values of the second form, which are checked only when the file is stored."""
    return request.POST if "store" in request.POST else None


def _prompt_options(request: StaffRequest, upload: Upload) -> PromptOptionsForm:
    initial = request.POST.dict() or {"name": upload.name}
    return PromptOptionsForm(_data(request), user=request.user, initial=initial)


def _make_prompts(
    request: StaffRequest, upload: Upload, values: dict[str, Any], columns: readers.Columns
) -> HttpResponse:
    tags = [name.strip() for name in values.pop("tag_fields").split(",") if name.strip()]
    with uploads.opened(upload) as file:
        made = prompt_services.from_file(
            user=request.user,
            file=file,
            source_name=upload.source_name,
            columns=columns,
            tag_fields=tags or None,
            **values,
        )
    messages.success(request, f"{made.name} has {made.size:,} prompts.")
    return redirect("evaluation:prompt_set", pk=made.pk)


def _pair_names(request: StaffRequest, upload: Upload) -> PairNamesForm:
    return PairNamesForm(_data(request), initial=request.POST.dict() or {"name": upload.name})


def _make_pairs(
    request: StaffRequest, upload: Upload, values: dict[str, Any], columns: readers.Columns
) -> HttpResponse:
    with uploads.opened(upload) as file:
        made = pair_imports.create(
            user=request.user, file=file, source_name=upload.source_name, columns=columns, **values
        )
    return redirect("evaluation:comparison", pk=made.pk)


_PROMPTS = _Kind(
    SavedMapping.Kind.PROMPTS,
    readers.PROMPT_FIELDS,
    "evaluation:prompt_set_new",
    _prompt_options,
    _make_prompts,
)
_PAIRS = _Kind(
    SavedMapping.Kind.PAIRS, readers.PAIR_FIELDS, "evaluation:pairs_import", _pair_names, _make_pairs
)
