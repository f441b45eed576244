"""Pages of prompt sets, and the import of pairs."""

import json
import uuid
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from evaluation import access
from evaluation.comparison import text_files
from evaluation.comparison.forms.prompts import (
    DeclareForm,
    HeldOutForm,
    PairsForm,
    PromptFileForm,
    TypedForm,
    TypedRows,
)
from evaluation.comparison.services import checks, figures, pair_imports
from evaluation.comparison.services import prompts as prompt_services
from evaluation.models import PromptSet
from ftplatform.accounts.permissions import Staff, StaffRequest, roles
from ftplatform.errors import DomainError
from ftplatform.text.numbers import percent
from ftplatform.text.values import plain
from training.intake.services import uploads
from training.models import Upload

PAGE = 50
_LEAKAGE = ("leakage_reason", "leave_out_leaked")


@roles(*Staff)
@require_GET
def prompt_sets(request: StaffRequest) -> HttpResponse:
    page = Paginator(access.prompt_sets(user=request.user), PAGE).get_page(request.GET.get("page"))
    return render(request, "evaluation/comparison/prompt_sets.html", {"page_obj": page})


@roles(*Staff)
@require_http_methods(["GET", "POST"])
def prompt_set_new(request: StaffRequest) -> HttpResponse:
    """Create a prompt set from held-out rows, from a file, or from typed prompts."""
    way = request.GET.get("from", "")
    if way not in _WAYS:
        way = "dataset"
    form, rows, make = _WAYS[way](request)
    context: dict[str, Any] = {"form": form, "rows": rows, "way": way, "tabs": _tabs(way)}
    if way == "file" and "map" in request.POST and (upload := _staged(request, form)):
        return redirect("evaluation:prompt_file", pk=upload.pk)
    context["needs_dataset"] = way == "dataset" and not form.fields["dataset"].queryset.exists()
    if request.method == "POST" and form.is_valid() and (rows is None or rows.is_valid()):
        try:
            created = make()
        except DomainError as error:
            context["error"] = error
        else:
            messages.success(request, f"{created.name} has {created.size:,} prompts.")
            return redirect("evaluation:prompt_set", pk=created.pk)
    wrong = bool(form.errors or context.get("error"))
    return render(request, "evaluation/comparison/prompt_set_new.html", context, status=400 if wrong else 200)


def _staged(request: StaffRequest, form: Any) -> Upload | None:
    """Store the form's file for the page that maps its columns; None if the form lacks it or the file is unusable."""
    form.is_valid()
    name, file = form.cleaned_data.get("name"), form.cleaned_data.get("file")
    if not name or file is None:
        return None
    try:
        return uploads.stage(user=request.user, name=name, file=file, source_name=file.name)
    except DomainError as error:
        form.add_error("file", error.detail)
        return None


Made = tuple[Any, Any, Callable[[], PromptSet]]


def _held_out(request: StaffRequest) -> Made:
    form = HeldOutForm(
        request.POST or None, user=request.user, initial={"dataset": request.GET.get("dataset")}
    )

    def make() -> PromptSet:
        values = {name: form.cleaned_data[name] for name in ("name", "dataset", "limit", *_LEAKAGE)}
        return prompt_services.from_dataset(user=request.user, tag_fields=form.chosen_tags, **values)

    return form, None, make


def _file(request: StaffRequest) -> Made:
    form = PromptFileForm(request.POST or None, request.FILES or None, user=request.user)

    def make() -> PromptSet:
        names = ("name", "file", "limit", "against", *_LEAKAGE)
        values = {name: form.cleaned_data[name] for name in names}
        return prompt_services.from_file(
            user=request.user,
            source_name=values["file"].name,
            mapping=form.mapping,
            tag_fields=form.chosen_tags,
            **values,
        )

    return form, None, make


def _typed(request: StaffRequest) -> Made:
    form = TypedForm(request.POST or None, user=request.user)
    rows = TypedRows(request.POST or None)

    def make() -> PromptSet:
        typed = [row for row in rows.cleaned_data if row.get("prompt", "").strip()]
        values = {name: form.cleaned_data[name] for name in ("name", "against", *_LEAKAGE)}
        return prompt_services.typed(user=request.user, rows=typed, **values)

    return form, rows, make


_WAYS: dict[str, Callable[[StaffRequest], Made]] = {"dataset": _held_out, "file": _file, "typed": _typed}


def _tabs(way: str) -> list[dict[str, Any]]:
    labels = {"dataset": "Held-out rows", "file": "Upload file", "typed": "Enter prompts"}
    return [
        {"label": label, "url": f"?from={name}", "current": name == way} for name, label in labels.items()
    ]


@roles(*Staff)
@require_http_methods(["GET", "POST"])
def prompt_set(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """A prompt set with its prompts. POST changes how its fields are compared and matches all responses again."""
    instance = access.prompt_set(user=request.user, pk=pk)
    form = DeclareForm(
        request.POST or None,
        initial={"field_rules": json.dumps(instance.field_rules, ensure_ascii=False, indent=1)},
    )
    if request.method == "POST" and form.is_valid():
        try:
            done = figures.declare(user=request.user, prompt_set=instance, **form.cleaned_data)
        except DomainError as error:
            form.add_error("field_rules", error.detail)
        else:
            messages.success(request, f"Saved. {done:,} responses were matched again.")
            return redirect("evaluation:prompt_set", pk=pk)
    context = {
        "set": instance,
        "form": form,
        "rules": [_described(field, rule) for field, rule in instance.field_rules.items()],
        "checks": instance.leakage_checks.select_related("dataset"),
        "runs": instance.comparisons.order_by("-created_at")[:20],
        "page_obj": Paginator(instance.prompts.all(), 25).get_page(request.GET.get("page")),
    }
    return render(
        request, "evaluation/comparison/prompt_set.html", context, status=400 if form.errors else 200
    )


@roles(*Staff)
@require_GET
def prompt_texts(request: StaffRequest, pk: uuid.UUID, kind: str) -> HttpResponseBase:
    """All prompts as a file that can be uploaded again."""
    return text_files.prompts(access.prompt_set(user=request.user, pk=pk), kind)


_MATCHES = {
    "exact": "exactly equal",
    "text": "equal, ignoring case and spaces",
    "number": "number",
    "set": "same members in any order",
    "one_of": "one of a list",
    "similar": "similar text; wording alone is never wrong",
    "ignored": "ignored",
}


def _described(field: str, rule: dict[str, Any]) -> dict[str, str]:
    """A description of how a field is matched."""
    settings = []
    if rule.get("options"):
        settings.append(plain(rule["options"]))
    if rule.get("tolerance"):
        settings.append(f"within {rule['tolerance']}")
    if rule.get("relative_tolerance"):
        settings.append(f"within {percent(rule['relative_tolerance'], 1)}")
    return {
        "field": field,
        "match": _MATCHES.get(rule["kind"], rule["kind"]),
        "settings": ", ".join(settings),
    }


@roles(*Staff)
@require_POST
def checks_add(request: StaffRequest) -> HttpResponse:
    check = checks.add(user=request.user)
    messages.success(request, f"{len(check)} safety and bias checks added. Compare models on them.")
    return redirect("evaluation:prompt_sets")


@roles(*Staff)
@require_http_methods(["GET", "POST"])
def pairs_import(request: StaffRequest) -> HttpResponse:
    form = PairsForm(request.POST or None, request.FILES or None)
    context: dict[str, Any] = {"form": form}
    if "map" in request.POST and (upload := _staged(request, form)):
        return redirect("evaluation:pairs_file", pk=upload.pk)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            comparison = pair_imports.create(user=request.user, source_name=values["file"].name, **values)
        except DomainError as error:
            context["error"] = error
        else:
            return redirect("evaluation:comparison", pk=comparison.pk)
    wrong = bool(form.errors or context.get("error"))
    return render(request, "evaluation/comparison/pairs_import.html", context, status=400 if wrong else 200)
