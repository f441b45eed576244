"""Pages of the campaign life cycle: create, open, amend, pause, close."""

import uuid

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_htmx.http import HttpResponseClientRefresh

from evaluation import access
from evaluation.models import Campaign, CampaignAction
from evaluation.review.forms.campaigns import AmendForm, CampaignForm, CloseForm
from evaluation.review.forms.planning import pilot_query
from evaluation.review.selectors import follow_ups, planned_analyses
from evaluation.review.selectors.progress import campaign_progress, campaigns_rated
from evaluation.review.services import amendments, crowd, openings
from evaluation.review.services import campaigns as campaign_services
from evaluation.review.services import follow_ups as follow_up_services
from evaluation.review.views import campaign_facts
from ftplatform.accounts.permissions import Staff, StaffRequest, roles
from ftplatform.api.old_names import with_new_names
from ftplatform.errors import DomainError

PAGE = 50
_ASKED = ("comparison", "candidate", "rubric_version", "pairs", "overlap")


@roles(*Staff)
@require_GET
def campaigns(request: StaffRequest) -> HttpResponse:
    page = Paginator(campaigns_rated(user=request.user), PAGE).get_page(request.GET.get("page"))
    return render(request, "evaluation/review/campaigns.html", {"page_obj": page})


@roles(*Staff)
@require_http_methods(["GET", "POST"])
def campaign_new(request: StaffRequest) -> HttpResponse:
    given = with_new_names(request.GET.dict(), {"run": "comparison"})
    initial = {name: given[name] for name in _ASKED if given.get(name)}
    form = CampaignForm(request.POST or None, user=request.user, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            created = campaign_services.create(user=request.user, **form.values)
        except DomainError as error:
            form.show(error)
        else:
            return redirect("evaluation:campaign", pk=created.pk)
    return render(
        request, "evaluation/review/campaign_new.html", {"form": form}, status=400 if form.errors else 200
    )


@roles(*Staff)
@require_http_methods(["GET", "POST"])
def campaign_edit(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    draft = access.campaign(user=request.user, pk=pk)
    form = CampaignForm(request.POST or None, user=request.user, campaign=draft)
    if request.method == "POST" and form.is_valid():
        try:
            campaign_services.update_draft(campaign=draft, user=request.user, **form.values)
        except DomainError as error:
            form.show(error)
        else:
            return redirect("evaluation:campaign", pk=pk)
    context = {"form": form, "campaign": draft}
    return render(request, "evaluation/review/campaign_new.html", context, status=400 if form.errors else 200)


@roles(*Staff)
@require_GET
def campaign(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    instance = access.campaign(user=request.user, pk=pk)
    opening = instance.openings.first() if instance.status == Campaign.Status.DRAFT else None
    if request.htmx:  # type: ignore[attr-defined]
        if opening is None or opening.is_finished:
            return HttpResponseClientRefresh()
        return render(request, "evaluation/review/campaign_opening.html", {"opening": opening})
    look, progress = planned_analyses.next_look(instance), campaign_progress(instance)
    context = {
        "campaign": instance,
        "actions": instance.actions(analysis_due=look["due"], **follow_ups.state(instance)._asdict()),
        "successor": follow_ups.successor(instance),
        "opening": opening,
        "progress": progress,
        "link": _shared_link(request, instance) if not instance.is_over else "",
        "look": look,
        "shown_reports": access.shown_reports(user=request.user, campaign=instance),
        "close_form": CloseForm(needs_reason=progress["rated"] < progress["planned"]),
        "amendments": instance.amendments.select_related("made_by"),
        "facts": campaign_facts.facts(instance),
        "plan_query": pilot_query(instance) if instance.is_pilot and progress["rated"] else "",
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
    campaign_services.pause(campaign=access.campaign(user=request.user, pk=pk), user=request.user)
    return redirect("evaluation:campaign", pk=pk)


@roles(*Staff)
@require_POST
def campaign_resume(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    campaign_services.resume(campaign=access.campaign(user=request.user, pk=pk), user=request.user)
    return redirect("evaluation:campaign", pk=pk)


@roles(*Staff)
@require_POST
def campaign_close(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    form = CloseForm(request.POST)
    if not form.is_valid():
        raise DomainError(
            "reason_too_long",
            "The reason can have at most 500 characters. The campaign is still open.",
            status=400,
        )
    instance = access.campaign(user=request.user, pk=pk)
    campaign_services.close(campaign=instance, user=request.user, reason=form.cleaned_data["reason"])
    return redirect("evaluation:campaign", pk=pk)


@roles(*Staff)
@require_POST
def campaign_follow(request: StaffRequest, pk: uuid.UUID, action: str) -> HttpResponse:
    """Draft the next stage ("extend") or a confirmation ("confirm")."""
    created = follow_up_services.draft(
        campaign=access.campaign(user=request.user, pk=pk), user=request.user, action=CampaignAction(action)
    )
    return redirect("evaluation:campaign", pk=created.pk)


@roles(*Staff)
@require_http_methods(["GET", "POST"])
def campaign_amend(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    instance = access.campaign(user=request.user, pk=pk)
    current = {name: getattr(instance, name) for name in amendments.AMENDABLE}
    form = AmendForm(request.POST or None, initial=current)
    if request.method == "POST" and form.is_valid():
        try:
            amendments.amend(
                campaign=instance, user=request.user, reason=form.cleaned_data["reason"], **form.changes
            )
        except DomainError as error:
            form.add_error(None, error.detail)
        else:
            messages.success(request, "The campaign was amended. The report will list the change.")
            return redirect("evaluation:campaign", pk=pk)
    context = {"form": form, "campaign": instance}
    return render(
        request, "evaluation/review/campaign_amend.html", context, status=400 if form.errors else 200
    )
