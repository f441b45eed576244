"""What a manager must know of a campaign's blinding: telling words before it opens, what reviewers found wrong, who
looked early, and at the end whether reviewers could tell."""

import uuid

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from evaluation import access
from evaluation.models import Campaign
from evaluation.review.selectors import reviewing
from evaluation.review.services import blinding_check, identity_scan
from ftplatform.accounts.permissions import Staff, StaffRequest, roles

PAGE = 50


@roles(*Staff)
@require_GET
def blinding(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    found = access.campaign(user=request.user, pk=pk)
    hits = Paginator(found.identity_hits.select_related("decided_by"), PAGE)
    remarks = Paginator(reviewing.remarks(found), PAGE)
    context = {
        "campaign": found,
        "hits": hits.get_page(request.GET.get("hits")),
        "waiting": found.identity_hits.filter(decision="open").count(),
        "remarks": remarks.get_page(request.GET.get("page")),
        "often_skipped": reviewing.skipped_by_all(found),
        "guesses": blinding_check.summary(found) if found.is_over else None,
        "looks": reviewing.early_looks(found),
    }
    return render(request, "evaluation/review/blinding.html", context)


@roles(*Staff)
@require_POST
def blinding_scan(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    found = access.campaign(user=request.user, pk=pk)
    if found.status == Campaign.Status.DRAFT:
        waiting = identity_scan.run(campaign=found)
        messages.info(request, f"{waiting:,} pairs with telling words await a decision.")
    return redirect("evaluation:blinding", pk=pk)


@roles(*Staff)
@require_POST
def blinding_decide(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """The chosen pairs, or all that are open when none is chosen."""
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
