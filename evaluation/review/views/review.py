"""The review pages. Nothing here may depend on which response is the candidate's."""

import uuid
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_GET, require_http_methods

from evaluation.models import Campaign, Remark
from evaluation.review.selectors import follow_ups, reviewing
from evaluation.review.services import crowd, invitations
from evaluation.review.views.reviewer import WORKER_SCOPE, page, reviewer_in
from ftplatform.accounts.models import User
from ftplatform.accounts.permissions import Staff, has_role, open_to_all
from ftplatform.api.throttling import InviteThrottle, require_room
from ftplatform.text.values import paragraphs

COOKIE_AGE = 30 * 24 * 3600
MINUTES = 1.5  # per pair, as the invitation says
TOKEN_PLACEHOLDER = uuid.UUID(int=0)


@open_to_all
@never_cache
@require_http_methods(["GET", "POST"])
def invite(request: HttpRequest, code: str) -> HttpResponse:
    """The welcome page. Accepting exchanges the link for a cookie and redirects to a URL without the code."""
    link = reviewing.invite(code)
    campaign = link.campaign
    if campaign.is_over:
        return page(request, campaign, "closed", status=410)
    if reviewer_in(request, campaign.pk):
        return redirect("evaluation:review", campaign=campaign.pk)
    invitations.require_live(link)
    follow_ups.require_newcomer(
        campaign, known=any(reviewer_in(request, earlier.pk) for earlier in follow_ups.before(campaign))
    )
    # A link without the participant's number is rejected before the page is shown.
    crowd.participant(campaign, link, request.GET.dict())
    if request.method == "GET":
        return page(request, campaign, "invite", _welcome(request, campaign))
    user = request.user if isinstance(request.user, User) else None
    require_room(InviteThrottle(), request)
    _, token = invitations.join(
        code=code, user=user, participant=request.GET.dict(), consent=request.POST.get("consent") == "yes"
    )
    response = redirect("evaluation:review", campaign=campaign.pk)
    response.set_cookie(
        reviewing.reviewer_cookie(campaign.pk),
        token,
        max_age=COOKIE_AGE,
        httponly=True,
        secure=settings.HTTPS,
        samesite="Lax",
    )
    return response


def _welcome(request: HttpRequest, campaign: Campaign) -> dict[str, Any]:
    pairs = min(campaign.max_per_reviewer or campaign.pairs_planned, campaign.pairs_planned)
    instructions = campaign.rubric.get("instructions") or ""
    # Rubrics that were stored before texts were Markdown are shown as plain paragraphs.
    plain = "" if campaign.rubric.get("markdown") else instructions
    return {
        "open": campaign.status == Campaign.Status.OPEN,
        "pairs": pairs,
        "minutes": round(pairs * MINUTES),
        "instructions": instructions,
        "paragraphs": paragraphs(plain),
        "loses_report": isinstance(request.user, User) and has_role(request.user, Staff),
    }


@open_to_all
@never_cache
@ensure_csrf_cookie
@require_GET
def review(request: HttpRequest, campaign: uuid.UUID) -> HttpResponse:
    """The review screen, which requests one pair at a time from the API. With ?edit it starts by changing a stored
    rating."""
    reviewer = reviewer_in(request, campaign)
    if reviewer is None:
        return page(request, None, "no_reviewer", status=403)
    if reviewer.campaign.is_over:
        return page(request, reviewer.campaign, "closed", status=410)
    context = {
        "api_next": reverse("api:assignment-next", args=[campaign]),
        "api_practice": reverse("api:practice", args=[campaign]),
        "api_assignment": reverse("api:rating", args=[TOKEN_PLACEHOLDER])
        .replace(str(TOKEN_PLACEHOLDER), "TOKEN")
        .removesuffix("rating"),
        "done_url": reverse("evaluation:review_done", args=[campaign]),
        "worker_scope": WORKER_SCOPE,
        "reasons": [(value, gettext(label)) for value, label in Remark.Reason.choices],
    }
    return page(request, reviewer.campaign, "review", context)
