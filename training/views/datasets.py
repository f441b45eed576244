"""Pages of datasets."""

import uuid

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from ftplatform.accounts.permissions import AdminOnly, Staff, StaffRequest, roles
from ftplatform.errors import DomainError
from training import selectors
from training.forms import DatasetForm
from training.services import datasets as dataset_services

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
