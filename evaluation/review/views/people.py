"""Reviewers of a campaign: invitations, quality flags, returned participants, pay, erasure."""

import uuid
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from evaluation import access
from evaluation.models import Campaign, Reviewer
from evaluation.review.forms.campaigns import InvitePeopleForm, LinkForm, ReturnedForm
from evaluation.review.selectors import reviewers
from evaluation.review.services import campaigns, crowd, erasure, invitations, pay
from evaluation.stats.reviewers import ReviewerQuality
from ftplatform import queues
from ftplatform.accounts.permissions import Staff, StaffRequest, roles
from ftplatform.csv_export import csv_response
from ftplatform.errors import DomainError

PAGE = 50


@roles(*Staff)
@never_cache
@require_GET
def people(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    return _page(request, access.campaign(user=request.user, pk=pk))


def _page(
    request: StaffRequest,
    campaign: Campaign,
    *,
    invite_form: InvitePeopleForm | None = None,
    returned_form: ReturnedForm | None = None,
) -> HttpResponse:
    """The page, showing a submitted form with errors instead of the empty form."""
    page = Paginator(reviewers.table(campaign), PAGE).get_page(request.GET.get("page"))
    flags = reviewers.recent_quality(campaign)
    links = campaign.invites.filter(email="").order_by("-pk")[:20]
    context = {
        "campaign": campaign,
        "actions": campaign.actions(),
        "page_obj": page,
        "rows": [_row(one, flags.get(one.pk)) for one in page],
        "links": [(link, crowd.link(link, request.build_absolute_uri("/"))) for link in links],
        "personal": campaign.invites.exclude(email="").order_by("-pk")[:100],
        "unsent": campaign.invites.filter(sent_at=None, revoked_at=None).exclude(email="").count(),
        "can_send": invitations.can_send(),
        "invite_form": invite_form or InvitePeopleForm(),
        "link_form": LinkForm(),
        "returned_form": returned_form or ReturnedForm(),
    }
    complaints = any(form is not None and form.errors for form in (invite_form, returned_form))
    return render(request, "evaluation/review/people.html", context, status=400 if complaints else 200)


def _row(reviewer: Reviewer, quality: ReviewerQuality | None) -> dict[str, Any]:
    failed = quality.checks_failed if quality else 0
    return {"reviewer": reviewer, "quality": quality, "decisions": pay.decisions(reviewer, failed)}


@roles(*Staff)
@require_POST
def invite_people(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    campaign = access.campaign(user=request.user, pk=pk)
    form = InvitePeopleForm(request.POST)
    if form.is_valid():
        lines = [line for line in form.cleaned_data["addresses"].splitlines() if line.strip()]
        try:
            invites = invitations.invite_people(
                campaign=campaign, user=request.user, addresses=lines, days=form.cleaned_data["days"]
            )
        except DomainError as error:
            for problem in error.problems or [{"message": error.detail}]:
                form.add_error("addresses", problem["message"])
        else:
            ready = (
                f"{len(invites):,} personal links are ready."
                if invites
                else "Every address already has a link."
            )
            messages.success(request, ready)
            return redirect("evaluation:people", pk=pk)
    return _page(request, campaign, invite_form=form)


@roles(*Staff)
@require_POST
def send(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    campaign = access.campaign(user=request.user, pk=pk)
    if not invitations.can_send():
        raise DomainError("no_mail_server", "This site has no mail server. Download the links instead.")
    queues.send_invitations(str(campaign.pk), request.build_absolute_uri("/"))
    messages.success(request, "The invitations are being sent. This page shows which have been sent.")
    return redirect("evaluation:people", pk=pk)


@roles(*Staff)
@require_POST
def add_link(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    campaign = access.campaign(user=request.user, pk=pk)
    form = LinkForm(request.POST)
    if not form.is_valid():
        raise DomainError(
            "invalid_link",
            "A link can admit 1 to 100,000 reviewers and be valid for 1 to 365 days.",
            status=400,
        )
    invitations.add_link(campaign=campaign, user=request.user, **form.cleaned_data)
    return redirect("evaluation:people", pk=pk)


@roles(*Staff)
@require_POST
def replace_invite(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    campaigns.replace_invite(campaign=access.campaign(user=request.user, pk=pk), user=request.user)
    return redirect("evaluation:people", pk=pk)


@roles(*Staff)
@require_POST
def withdraw(request: StaffRequest, pk: uuid.UUID, invite: int) -> HttpResponse:
    campaign = access.campaign(user=request.user, pk=pk)
    invitations.withdraw(invite=reviewers.invite_of(campaign=campaign, pk=invite), user=request.user)
    return redirect("evaluation:people", pk=pk)


@roles(*Staff)
@require_POST
def returned(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    campaign = access.campaign(user=request.user, pk=pk)
    form = ReturnedForm(request.POST)
    if not form.is_valid():
        return _page(request, campaign, returned_form=form)
    marked = crowd.mark_returned(
        campaign=campaign, user=request.user, participants=form.cleaned_data["participants"].splitlines()
    )
    result = (
        "Slots released: {released}. Participants who had already finished: {unchanged}. Unknown: {unknown}."
    )
    messages.success(request, result.format(**marked))
    return redirect("evaluation:people", pk=pk)


@roles(*Staff)
@require_POST
def set_pay(request: StaffRequest, pk: uuid.UUID, number: int) -> HttpResponse:
    campaign = access.campaign(user=request.user, pk=pk)
    reviewer = reviewers.reviewer(campaign=campaign, number=number)
    pay.set_pay(reviewer=reviewer, user=request.user, pay=request.POST.get("pay", ""))
    return redirect("evaluation:people", pk=pk)


@roles(*Staff)
@require_POST
def approve_pay(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    campaign = access.campaign(user=request.user, pk=pk)
    done = pay.approve_completed(campaign=campaign, user=request.user)
    messages.success(request, f"Pay approved for {done:,} reviewers.")
    return redirect("evaluation:people", pk=pk)


@roles(*Staff)
@require_POST
def erase(request: StaffRequest, pk: uuid.UUID, number: int) -> HttpResponse:
    campaign = access.campaign(user=request.user, pk=pk)
    erasure.erase(reviewer=reviewers.reviewer(campaign=campaign, number=number), user=request.user)
    messages.success(request, f"The identity of reviewer {number} was erased. The ratings stay.")
    return redirect("evaluation:people", pk=pk)


@roles(*Staff)
@never_cache
@require_GET
def links_csv(request: StaffRequest, pk: uuid.UUID) -> HttpResponseBase:
    campaign = access.campaign(user=request.user, pk=pk)
    return csv_response("links.csv", *invitations.links_table(campaign, request.build_absolute_uri("/")))


@roles(*Staff)
@never_cache
@require_GET
def reconciliation_csv(request: StaffRequest, pk: uuid.UUID) -> HttpResponseBase:
    campaign = access.campaign(user=request.user, pk=pk)
    return csv_response("reconciliation.csv", *pay.reconciliation_table(campaign))


@roles(*Staff)
@never_cache
@require_GET
def participants_csv(request: StaffRequest, pk: uuid.UUID) -> HttpResponseBase:
    campaign = access.campaign(user=request.user, pk=pk)
    return csv_response("participants.csv", *pay.ratings_table(campaign))
