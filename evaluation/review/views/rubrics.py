"""The rubric library, with an editor that previews the form."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from evaluation.review.forms.rubrics import RubricForm
from evaluation.review.selectors import library as reads
from evaluation.review.services import rubric_library
from evaluation.rubrics import RubricError, parse
from ftplatform.accounts.permissions import Staff, StaffRequest, roles
from ftplatform.errors import DomainError


@roles(*Staff)
@require_GET
def library(request: StaffRequest) -> HttpResponse:
    page = Paginator(reads.rubrics(user=request.user), 50).get_page(request.GET.get("page"))
    context = {"page_obj": page, "shipped": rubric_library.shipped()}
    return render(request, "evaluation/rubrics/library.html", context)


@roles(*Staff)
@require_http_methods(["GET", "POST"])
def edit(request: StaffRequest) -> HttpResponse:
    """Write a rubric, starting from an empty text, a built-in rubric or a library version."""
    form = RubricForm(request.POST or None, initial=_starting_point(request))
    if request.method == "POST" and form.is_valid():
        try:
            saved = rubric_library.save(user=request.user, **form.cleaned_data)
        except DomainError as error:
            form.add_error("text", error.detail)
        else:
            messages.success(request, f"{saved} saved.")
            return redirect("evaluation:rubric", pk=saved.pk)
    text = request.POST.get("text") or form.initial.get("text", "")
    context = {"form": form, **_preview(text)}
    return render(request, "evaluation/rubrics/edit.html", context, status=400 if form.errors else 200)


def _starting_point(request: StaffRequest) -> dict[str, str]:
    if shipped := request.GET.get("shipped"):
        return {"name": "", "text": rubric_library.shipped_text(shipped)}
    if (pk := request.GET.get("version", "")).isdecimal():
        instance = reads.version(user=request.user, pk=int(pk))
        return {"name": instance.rubric.name, "text": instance.text}
    return {}


@roles(*Staff)
@require_POST
def preview(request: StaffRequest) -> HttpResponse:
    """The preview part of the editor, updated while the user types."""
    return render(request, "evaluation/rubrics/preview.html", _preview(request.POST.get("text", "")))


def _preview(text: str) -> dict[str, object]:
    if not text.strip():
        return {"form_definition": None, "mistake": None}
    try:
        form = parse(text)
    except RubricError as error:
        return {"form_definition": None, "mistake": error}
    return {
        "form_definition": form,
        "mistake": None,
        "lacking": form.lacking(),
        "asked": form.for_review().fields,
        "for_campaign": [field for field in form.fields if field.per == "campaign"],
    }


@roles(*Staff)
@require_GET
def version(request: StaffRequest, pk: int) -> HttpResponse:
    instance = reads.version(user=request.user, pk=pk)
    context = {
        "version": instance,
        "versions": instance.rubric.versions.select_related("created_by"),
        **_preview(instance.text),
    }
    return render(request, "evaluation/rubrics/version.html", context)
