"""Pages of a campaign's life: plan, open, amend, pause, close."""

import uuid

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_htmx.http import HttpResponseClientRefresh

from evaluation import access
from evaluation.models import Campaign
from evaluation.review.forms.campaigns import FLAG_WORDS, AmendForm, CampaignForm, CloseForm
from evaluation.review.selectors import planned_analyses, progress
from evaluation.review.services import amendments, crowd, openings
from evaluation.review.services import campaigns as campaigns_module
from ftplatform.accounts.permissions import Staff, StaffRequest, roles
from ftplatform.errors import DomainError

PAGE = 50
_ASKED = ("run", "candidate", "rubric_version", "pairs", "overlap")


@roles(*Staff)
@require_GET
def campaigns(request: StaffRequest) -> HttpResponse:
    page = Paginator(progress.campaigns_rated(user=request.user), PAGE).get_page(request.GET.get("page"))
    return render(request, "evaluation/review/campaigns.html", {"page_obj": page})


@roles(*Staff)
@require_http_methods(["GET", "POST"])
def campaign_new(request: StaffRequest) -> HttpResponse:
    asked = {name: request.GET.get(name) for name in _ASKED if request.GET.get(name)}
    form = CampaignForm(request.POST or None, user=request.user, initial=asked)
    if request.method == "POST" and form.is_valid():
        try:
            made = campaigns_module.create(user=request.user, **form.values)
        except DomainError as error:
            form.show(error)
        else:
            return redirect("evaluation:campaign", pk=made.pk)
    return render(
        request, "evaluation/review/campaign_new.html", {"form": form}, status=400 if form.errors else 200
    )


@roles(*Staff)
@require_http_methods(["GET", "POST"])
def campaign_edit(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    found = access.campaign(user=request.user, pk=pk)
    form = CampaignForm(request.POST or None, user=request.user, campaign=found)
    if request.method == "POST" and form.is_valid():
        try:
            campaigns_module.update_draft(campaign=found, user=request.user, **form.values)
        except DomainError as error:
            form.show(error)
        else:
            return redirect("evaluation:campaign", pk=pk)
    context = {"form": form, "campaign": found}
    return render(request, "evaluation/review/campaign_new.html", context, status=400 if form.errors else 200)


@roles(*Staff)
@require_GET
def campaign(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    found = access.campaign(user=request.user, pk=pk)
    opening = found.openings.first() if found.status == Campaign.Status.DRAFT else None
    if request.htmx:  # type: ignore[attr-defined]
        if opening is None or opening.is_finished:
            return HttpResponseClientRefresh()
        return render(request, "evaluation/review/campaign_opening.html", {"opening": opening})
    context = {
        "campaign": found,
        "opening": opening,
        "progress": progress.campaign_progress(found),
        "link": _shared_link(request, found) if not found.is_over else "",
        "look": planned_analyses.next_look(found),
        "shown_reports": access.shown_reports(user=request.user, campaign=found),
        "close_form": CloseForm(),
        "amendments": found.amendments.select_related("made_by"),
        "excluded": [FLAG_WORDS[code] for code in found.exclude_flags],
    }
    return render(request, "evaluation/review/campaign.html", context)


def _shared_link(request: StaffRequest, campaign: Campaign) -> str:
    live = campaign.invites.filter(email="", revoked_at=None).last()
    return crowd.link(live, request.build_absolute_uri("/")) if live and live.is_live else ""


@roles(*Staff)
@require_POST
def campaign_open(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    try:
        openings.start(campaign=access.campaign(user=request.user, pk=pk), user=request.user)
    except DomainError as error:
        if error.code != "identity_words":
            raise
        messages.warning(request, error.detail)
        return redirect("evaluation:blinding", pk=pk)
    return redirect("evaluation:campaign", pk=pk)


@roles(*Staff)
@require_POST
def campaign_open_cancel(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    openings.cancel(campaign=access.campaign(user=request.user, pk=pk), user=request.user)
    return redirect("evaluation:campaign", pk=pk)


@roles(*Staff)
@require_POST
def campaign_pause(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    campaigns_module.pause(campaign=access.campaign(user=request.user, pk=pk), user=request.user)
    return redirect("evaluation:campaign", pk=pk)


@roles(*Staff)
@require_POST
def campaign_resume(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    campaigns_module.resume(campaign=access.campaign(user=request.user, pk=pk), user=request.user)
    return redirect("evaluation:campaign", pk=pk)


@roles(*Staff)
@require_POST
def campaign_close(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    form = CloseForm(request.POST)
    if not form.is_valid():
        raise DomainError(
            "reason_too_long", "The reason may have 500 characters; nothing was closed.", status=400
        )
    found = access.campaign(user=request.user, pk=pk)
    campaigns_module.close(campaign=found, user=request.user, reason=form.cleaned_data["reason"])
    return redirect("evaluation:campaign", pk=pk)


@roles(*Staff)
@require_http_methods(["GET", "POST"])
def campaign_amend(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    found = access.campaign(user=request.user, pk=pk)
    current = {name: getattr(found, name) for name in amendments.AMENDABLE}
    form = AmendForm(request.POST or None, initial=current)
    if request.method == "POST" and form.is_valid():
        try:
            amendments.amend(
                campaign=found, user=request.user, reason=form.cleaned_data["reason"], **form.changes
            )
        except DomainError as error:
            form.add_error(None, error.detail)
        else:
            messages.success(request, "The campaign is amended; the report will list it.")
            return redirect("evaluation:campaign", pk=pk)
    context = {"form": form, "campaign": found}
    return render(
        request, "evaluation/review/campaign_amend.html", context, status=400 if form.errors else 200
    )
