"""The blinding of a campaign: words that may reveal a model, skipped and reported pairs, early access to results, and
whether reviewers could tell the models apart."""

import uuid

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from evaluation import access
from evaluation.models import CampaignAction
from evaluation.review.selectors import reviewing
from evaluation.review.services import blinding_check, identity_scan
from ftplatform.accounts.permissions import Staff, StaffRequest, roles

PAGE = 50
LEVEL = 0.05  # significance level of the test whether reviewers guessed better or worse than chance


@roles(*Staff)
@require_GET
def blinding(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    instance = access.campaign(user=request.user, pk=pk)
    hits = Paginator(instance.identity_hits.select_related("decided_by"), PAGE)
    remarks = Paginator(reviewing.remarks(instance), PAGE)
    guessed = blinding_check.summary(instance) if instance.is_over else None
    context = {
        "campaign": instance,
        "actions": instance.actions(),
        "hits": hits.get_page(request.GET.get("hits")),
        "waiting": instance.identity_hits.filter(decision="open").count(),
        "remarks": remarks.get_page(request.GET.get("page")),
        "often_skipped": reviewing.skipped_by_all(instance),
        "guesses": guessed,
        "could_tell": bool(guessed and guessed["definite"] and guessed["p_value"] < LEVEL),
        "looks": reviewing.early_looks(instance),
    }
    return render(request, "evaluation/review/blinding.html", context)


@roles(*Staff)
@require_POST
def blinding_scan(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    campaign = access.campaign(user=request.user, pk=pk)
    if campaign.allows(CampaignAction.CHECK_WORDS):
        waiting = identity_scan.run(campaign=campaign)
        pairs = "1 pair needs" if waiting == 1 else f"{waiting:,} pairs need"
        messages.info(request, f"{pairs} a decision: words in the responses may reveal a model.")
    return redirect("evaluation:blinding", pk=pk)


@roles(*Staff)
@require_POST
def blinding_decide(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Decide on the chosen pairs, or on all open pairs if none is chosen."""
    chosen = [int(key) for key in request.POST.getlist("pair") if key.isdecimal()]
    decision = request.POST.get("decision", "")
    number = identity_scan.decide(
        campaign=access.campaign(user=request.user, pk=pk),
        user=request.user,
        decision=decision,
        reason=request.POST.get("reason", ""),
        pairs=chosen or None,
    )
    messages.success(request, f"{number:,} pair{'s are' if number != 1 else ' is'} {decision}.")
    return redirect("evaluation:blinding", pk=pk)
