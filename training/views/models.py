"""Pages of model versions."""

import uuid

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from ftplatform.accounts.permissions import AdminOnly, Staff, StaffRequest, roles
from ftplatform.errors import DomainError
from training import selectors
from training.forms import BaseModelForm
from training.services import models as model_services

PAGE = 50


@roles(*Staff)
@require_GET
def models(request: StaffRequest) -> HttpResponse:
    page = Paginator(selectors.models(user=request.user), PAGE).get_page(request.GET.get("page"))
    return render(request, "training/models.html", {"page_obj": page})


@roles(*AdminOnly)
@require_http_methods(["GET", "POST"])
def model_new(request: StaffRequest) -> HttpResponse:
    form = BaseModelForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            model = model_services.register_base(user=request.user, **form.cleaned_data)
        except DomainError as error:
            form.add_error("name" if error.code == "name_taken" else "path", error.detail)
        else:
            return redirect("training:model", pk=model.pk)
    return render(request, "training/model_new.html", {"form": form}, status=400 if form.errors else 200)


@roles(*Staff)
@require_GET
def model(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    return render(request, "training/model.html", {"model": selectors.model(user=request.user, pk=pk)})
