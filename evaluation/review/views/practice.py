"""The practice round of a draft: the pairs, and why each answer is right."""

import secrets
import uuid
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from evaluation import access, rubrics
from evaluation.models import Campaign
from evaluation.review.forms.campaigns import PracticeForm
from evaluation.review.selectors import reviewers
from evaluation.review.services import campaigns
from ftplatform.accounts.permissions import Staff, StaffRequest, roles
from ftplatform.errors import DomainError


@roles(*Staff)
@require_http_methods(["GET", "POST"])
def items(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    campaign = access.campaign(user=request.user, pk=pk)
    adding_shipped = "shipped" in request.POST
    form = PracticeForm(
        None if adding_shipped else request.POST or None, initial=_from_pair(request, campaign)
    )
    if request.method == "POST" and (adding_shipped or form.is_valid()):
        shipped = rubrics.practice("customer_support", campaign.language) if adding_shipped else []
        added = shipped or [_item(form, campaign)]
        try:
            campaigns.update_draft(
                campaign=campaign, user=request.user, practice=[*campaign.practice, *added]
            )
        except DomainError as error:
            form.add_error(None, error.problems[0]["message"] if error.problems else error.detail)
        else:
            return redirect("evaluation:practice", pk=pk)
    context = {"campaign": campaign, "actions": campaign.actions(), "form": form}
    return render(request, "evaluation/review/practice.html", context, status=400 if form.errors else 200)


def _from_pair(request: StaffRequest, campaign: Campaign) -> dict[str, Any]:
    """The form filled with a pair of the comparison, with sides drawn at random. The pair itself is then never drawn
    for review."""
    number = request.GET.get("pair", "")
    if not number.isdecimal():
        return {}
    pair = reviewers.practice_pair(campaign=campaign, pk=int(number))
    texts = [pair.baseline_response.text, pair.candidate_response.text]
    secrets.SystemRandom().shuffle(texts)
    return {
        "pair": pair.pk,
        "instruction": pair.prompt.instruction,
        "left": texts[0],
        "right": texts[1],
    }


def _item(form: PracticeForm, campaign: Campaign) -> dict[str, Any]:
    """The item of the form. A pair whose prompt is a conversation keeps it, because the form has no turns."""
    key = form.cleaned_data["pair"]
    if not key:
        return form.item
    prompt = reviewers.practice_pair(campaign=campaign, pk=key).prompt
    return form.item | {"pair": key} | ({"prompt": prompt.content} if prompt.messages else {})


@roles(*Staff)
@require_POST
def remove(request: StaffRequest, pk: uuid.UUID, number: int) -> HttpResponse:
    campaign = access.campaign(user=request.user, pk=pk)
    kept = [item for place, item in enumerate(campaign.practice) if place != number]
    qualifying = min(campaign.practice_pass, len(kept))
    campaigns.update_draft(campaign=campaign, user=request.user, practice=kept, practice_pass=qualifying)
    return redirect("evaluation:practice", pk=pk)
