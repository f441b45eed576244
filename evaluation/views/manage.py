"""Pages for staff: prompt sets, comparisons, campaigns."""

import uuid

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from evaluation import selectors
from evaluation.forms import CampaignForm, CloseForm, PromptSetForm
from evaluation.services import campaigns as campaign_services
from evaluation.services import prompts as prompt_services
from evaluation.services import reports as report_services
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


@roles(*Staff)
@require_GET
def campaigns(request: StaffRequest) -> HttpResponse:
    page = Paginator(selectors.campaigns_rated(user=request.user), PAGE).get_page(request.GET.get("page"))
    return render(request, "evaluation/campaigns.html", {"page_obj": page})


@roles(*Staff)
@require_http_methods(["GET", "POST"])
def campaign_new(request: StaffRequest) -> HttpResponse:
    form = CampaignForm(
        request.POST or None,
        user=request.user,
        initial={name: request.GET.get(name) for name in ("run", "candidate")},
    )
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        names = (
            "title",
            "run",
            "candidate",
            "pairs",
            "overlap",
            "rubric_text",
            "lease_minutes",
            "max_per_reviewer",
        )
        try:
            made = campaign_services.create(
                user=request.user,
                margin=values["margin"] / 100,
                looks=form.looks,
                **{name: values[name] for name in names},
            )
        except DomainError as error:
            form.add_error(
                "rubric_text" if error.code in ("invalid_rubric", "no_criteria") else None, error.detail
            )
        else:
            return redirect("evaluation:campaign", pk=made.pk)
    return render(request, "evaluation/campaign_new.html", {"form": form}, status=400 if form.errors else 200)


@roles(*Staff)
@require_GET
def campaign(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    found = selectors.campaign(user=request.user, pk=pk)
    context = {
        "campaign": found,
        "progress": selectors.campaign_progress(found),
        "invites": [
            (invite, request.build_absolute_uri(f"/r/{invite.code}/")) for invite in found.invites.all()
        ],
        "reviewers": selectors.reviewer_table(found)[:200],
        "look": report_services.next_look(found),
        "shown_reports": selectors.shown_reports(user=request.user, campaign=found),
        "close_form": CloseForm(),
    }
    return render(request, "evaluation/campaign.html", context)


@roles(*Staff)
@require_POST
def campaign_open(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    campaign_services.open_campaign(campaign=selectors.campaign(user=request.user, pk=pk), user=request.user)
    return redirect("evaluation:campaign", pk=pk)


@roles(*Staff)
@require_POST
def campaign_replace_invite(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    campaign_services.replace_invite(campaign=selectors.campaign(user=request.user, pk=pk), user=request.user)
    return redirect("evaluation:campaign", pk=pk)


@roles(*Staff)
@require_POST
def campaign_pause(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    campaign_services.pause(campaign=selectors.campaign(user=request.user, pk=pk), user=request.user)
    return redirect("evaluation:campaign", pk=pk)


@roles(*Staff)
@require_POST
def campaign_resume(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    campaign_services.resume(campaign=selectors.campaign(user=request.user, pk=pk), user=request.user)
    return redirect("evaluation:campaign", pk=pk)


@roles(*Staff)
@require_POST
def campaign_close(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    form = CloseForm(request.POST)
    if not form.is_valid():
        raise DomainError(
            "reason_too_long", "The reason may have 500 characters; nothing was closed.", status=400
        )
    found = selectors.campaign(user=request.user, pk=pk)
    campaign_services.close(campaign=found, user=request.user, reason=form.cleaned_data["reason"])
    return redirect("evaluation:campaign", pk=pk)
