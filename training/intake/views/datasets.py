"""Pages of datasets."""

import uuid

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from ftplatform.accounts.permissions import Staff, StaffRequest, roles
from training import access
from training.intake import selectors, sentences

PAGE = 50


@roles(*Staff)
@require_GET
def datasets(request: StaffRequest) -> HttpResponse:
    page = Paginator(access.datasets(user=request.user), PAGE).get_page(request.GET.get("page"))
    context = {"page_obj": page, "imports": selectors.open_imports(user=request.user)}
    return render(request, "training/intake/datasets.html", context)


@roles(*Staff)
@require_GET
def dataset(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    found = access.dataset(user=request.user, pk=pk)
    examples = [
        ("Training", selectors.examples(found, "train", limit=3)),
        ("Validation", selectors.examples(found, "validation", limit=2)),
    ]
    if found.test_rows:
        examples.append(("Test", selectors.examples(found, "test", limit=2)))
    context = {
        "dataset": found,
        "examples": examples,
        "reading": sentences.reading(found.facts.get("source", {})),
        "measurements": access.measurements(user=request.user).filter(dataset=found)[:20],
        "base_models": access.base_models(user=request.user)[:200],
    }
    return render(request, "training/intake/dataset.html", context)
