"""What a reviewer sees. Nothing here may depend on which response is the candidate's."""

import uuid

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_GET, require_http_methods

from evaluation import selectors
from evaluation.models import Reviewer
from evaluation.services import invitations
from ftplatform.accounts.models import User
from ftplatform.accounts.permissions import open_to_all
from ftplatform.api.throttling import InviteThrottle, require_room

COOKIE_AGE = 30 * 24 * 3600
TOKEN_PLACEHOLDER = uuid.UUID(int=0)


def _reviewer(request: HttpRequest, campaign: uuid.UUID) -> Reviewer | None:
    """The reviewer this browser is, if it is one of this very campaign."""
    token = request.COOKIES.get(selectors.reviewer_cookie(campaign), "")
    reviewer = selectors.reviewer_by_token(token) if token else None
    return reviewer if reviewer and reviewer.campaign_id == campaign else None


@open_to_all
@never_cache
@require_http_methods(["GET", "POST"])
def invite(request: HttpRequest, code: str) -> HttpResponse:
    """The welcome page; accepting exchanges the link for a cookie and leads on to a clean address."""
    link = selectors.invite(code)
    campaign = link.campaign
    if campaign.is_over:
        return render(
            request, "evaluation/review/closed.html", {"campaign_title": campaign.title}, status=410
        )
    if _reviewer(request, campaign.pk):
        return redirect("evaluation:review", campaign=campaign.pk)
    invitations.require_live(link)
    if request.method == "GET":
        context = {"campaign": campaign, "campaign_title": campaign.title, "rubric": campaign.rubric}
        return render(request, "evaluation/review/invite.html", context)
    user = request.user if isinstance(request.user, User) else None
    require_room(InviteThrottle(), request)
    _, token = invitations.join(
        code=code, user=user, participant=request.GET.dict(), consent=request.POST.get("consent") == "yes"
    )
    response = redirect("evaluation:review", campaign=campaign.pk)
    response.set_cookie(
        selectors.reviewer_cookie(campaign.pk),
        token,
        max_age=COOKIE_AGE,
        httponly=True,
        secure=settings.HTTPS,
        samesite="Lax",
    )
    return response


@open_to_all
@never_cache
@ensure_csrf_cookie
@require_GET
def review(request: HttpRequest, campaign: uuid.UUID) -> HttpResponse:
    """The review screen; it asks the API for one pair at a time."""
    reviewer = _reviewer(request, campaign)
    if reviewer is None:
        return render(request, "evaluation/review/no_reviewer.html", status=403)
    if reviewer.campaign.is_over:
        return render(
            request, "evaluation/review/closed.html", {"campaign_title": reviewer.campaign.title}, status=410
        )
    context = {
        "campaign_title": reviewer.campaign.title,
        "api_next": reverse("api:assignment-next", args=[campaign]),
        "api_rating_template": reverse("api:rating", args=[TOKEN_PLACEHOLDER]).replace(
            str(TOKEN_PLACEHOLDER), "TOKEN"
        ),
        "done_url": reverse("evaluation:review_done", args=[campaign]),
        "first_assignment": None,
    }
    return render(request, "evaluation/review/review.html", context)


@open_to_all
@never_cache
@require_GET
def review_done(request: HttpRequest, campaign: uuid.UUID) -> HttpResponse:
    reviewer = _reviewer(request, campaign)
    if reviewer is None:
        return render(request, "evaluation/review/no_reviewer.html", status=403)
    context = {
        "campaign_title": reviewer.campaign.title,
        "done": selectors.reviewer_progress(reviewer)["done"],
        "completion_code": reviewer.completion_code,
    }
    return render(request, "evaluation/review/done.html", context)
