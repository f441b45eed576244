"""Pages for staff: prompt sets, comparisons, campaigns."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from evaluation import selectors
from evaluation.forms import PromptSetForm
from evaluation.services import prompts as prompt_services
from ftplatform.accounts.permissions import Staff, StaffRequest, roles
from ftplatform.errors import DomainError

PAGE = 50


@roles(*Staff)
@require_GET
def overview(request: StaffRequest) -> HttpResponse:
    return render(request, "evaluation/overview.html", selectors.needs_attention(user=request.user))


@roles(*Staff)
@require_GET
def prompt_sets(request: StaffRequest) -> HttpResponse:
    page = Paginator(selectors.prompt_sets(user=request.user), PAGE).get_page(request.GET.get("page"))
    return render(request, "evaluation/prompt_sets.html", {"page_obj": page})


@roles(*Staff)
@require_http_methods(["GET", "POST"])
def prompt_set_new(request: StaffRequest) -> HttpResponse:
    form = PromptSetForm(
        request.POST or None, user=request.user, initial={"dataset": request.GET.get("dataset")}
    )
    if request.method == "POST" and form.is_valid():
        try:
            made = prompt_services.from_dataset(user=request.user, **form.cleaned_data)
        except DomainError as error:
            form.add_error(None, error.detail)
        else:
            messages.success(request, f"{made.name} has {made.size:,} prompts.")
            return redirect("evaluation:prompt_sets")
    return render(
        request, "evaluation/prompt_set_new.html", {"form": form}, status=400 if form.errors else 200
    )
