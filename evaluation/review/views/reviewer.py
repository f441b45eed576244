"""Reviewer pages other than the review screen, and the files that make the screen installable. Nothing here may
depend on which response is the candidate's."""

from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import translation
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from evaluation.models import Campaign, Rating, Reviewer
from evaluation.review import statements
from evaluation.review.selectors import reviewing
from evaluation.review.services import blinding_check, crowd, erasure, practice, quality, ratings
from ftplatform.accounts.permissions import open_to_all

PAGE = 20
LINKED = ("css/tokens.css", "css/app.css", "css/review.css", "js/app.js", "js/review.js", "icons.svg")
MODULES: tuple[str, ...] = (
    "clock",
    "diff",
    "dom",
    "edit",
    "form",
    "keys",
    "net",
    "post",
    "practice",
    "remarks",
    "said",
    "store",
)
MODULES += ("texts", "urls")


def reviewer_in(request: HttpRequest, campaign: UUID) -> Reviewer | None:
    """The reviewer that this browser's cookie identifies, if it belongs to this campaign."""
    token = request.COOKIES.get(reviewing.reviewer_cookie(campaign), "")
    reviewer = statements.reviewer_by_token(token) if token else None
    return reviewer if reviewer and reviewer.campaign_id == campaign else None


def page(
    request: HttpRequest,
    campaign: Campaign | None,
    name: str,
    context: dict[str, Any] | None = None,
    status: int = 200,
) -> HttpResponse:
    """Render a reviewer's page in the campaign's language, else in the browser's."""
    language = (campaign.language if campaign else "") or translation.get_language()
    values = {"campaign": campaign, "campaign_title": campaign.title if campaign else "", **(context or {})}
    with translation.override(language):
        return render(request, f"evaluation/review/screen/{name}.html", values, status=status)


@open_to_all
@never_cache
@require_GET
def review_done(request: HttpRequest, campaign: UUID) -> HttpResponse:
    """The last page: thanks, the completion code, and, once, the closing question about the tuned model."""
    reviewer = reviewer_in(request, campaign)
    if reviewer is None:
        return page(request, None, "no_reviewer", status=403)
    about = blinding_check.question(reviewer)
    shown = quality.shown_texts(about) if about else None
    done = reviewing.reviewer_progress(reviewer)["done"]
    ending = crowd.ending(reviewer, done=done)
    context = {
        "done": done,
        "unqualified": practice.missed(reviewer),
        "practice_right": practice.right(reviewer),
        "completion_code": ending.code if ending else "",
        "hand_in": ending.url if ending else "",
        "hand_in_at": urlsplit(ending.url).hostname if ending else "",
        "question": {"left": shown[0], "right": shown[1]} if shown else None,
        "answered": "answered" in request.GET,
    }
    return page(request, reviewer.campaign, "done", context)


@open_to_all
@never_cache
@require_POST
def review_guess(request: HttpRequest, campaign: UUID) -> HttpResponse:
    reviewer = reviewer_in(request, campaign)
    if reviewer is None:
        return page(request, None, "no_reviewer", status=403)
    blinding_check.guess(reviewer=reviewer, side=request.POST.get("side", ""))
    return redirect(reverse("evaluation:review_done", args=[campaign]) + "?answered")


@open_to_all
@never_cache
@ensure_csrf_cookie
@require_GET
def review_own(request: HttpRequest, campaign: UUID) -> HttpResponse:
    """This reviewer's ratings, their figures, and their code."""
    reviewer = reviewer_in(request, campaign)
    if reviewer is None:
        return page(request, None, "no_reviewer", status=403)
    listed = Paginator(reviewing.own_ratings(reviewer), PAGE).get_page(request.GET.get("page"))
    context = {
        "reviewer": reviewer,
        "progress": reviewing.reviewer_progress(reviewer),
        "ratings": listed,
        "rows": [_row(reviewer.campaign, rating) for rating in listed],
        "figures": reviewing.own_figures(reviewer),
    }
    return page(request, reviewer.campaign, "own", context)


def _row(campaign: Campaign, rating: Rating) -> dict[str, Any]:
    return {
        "token": rating.assignment.token,
        "prompt": reviewing.prompt_line(rating.assignment.item),
        "preference": rating.preference,
        "seconds": round(rating.active_ms / 1000),
        "revised": rating.revised_at is not None,
        "editable": ratings.may_edit(campaign, rating.submitted_at),
    }


@open_to_all
@never_cache
@require_POST
def review_erase(request: HttpRequest, campaign: UUID) -> HttpResponse:
    """Erase the reviewer's personal data at their request, and clear this browser's data."""
    reviewer = reviewer_in(request, campaign)
    if reviewer is None:
        return page(request, None, "no_reviewer", status=403)
    erasure.erase(reviewer=reviewer, user=None)
    response = page(request, reviewer.campaign, "erased")
    response.delete_cookie(reviewing.reviewer_cookie(campaign))
    response["Clear-Site-Data"] = '"storage"'  # drafts and unsent ratings on this device
    return response


@open_to_all
@require_GET
def review_manifest(request: HttpRequest, campaign: UUID) -> HttpResponse:
    """The web app manifest for installing the screen on a phone. It is the same for all campaigns, so it reveals
    nothing about one."""
    start = reverse("evaluation:review", args=[campaign])
    icons = [
        {"src": staticfiles_storage.url(f"icons/{size}.png"), "sizes": f"{size}x{size}", "type": "image/png"}
        for size in (192, 512)
    ]
    manifest = {
        "name": translation.gettext("Review"),
        "short_name": translation.gettext("Review"),
        "lang": translation.get_language(),
        "id": start,
        "start_url": start,
        "scope": WORKER_SCOPE,
        "display": "standalone",
        "background_color": "#fafaf8",
        "theme_color": "#1b57b1",
        "icons": icons,
    }
    return JsonResponse(manifest, content_type="application/manifest+json")


WORKER_SCOPE = "/review/"


@open_to_all
@require_http_methods(["GET", "HEAD"])
def review_worker(request: HttpRequest) -> HttpResponse:
    """The service worker. The modules keep file names without hashes because they import each other by those names."""
    shell = [staticfiles_storage.url(name) for name in LINKED]
    shell += [f"{settings.STATIC_URL}js/review/{name}.js" for name in MODULES]
    context = {"shell": shell, "static": settings.STATIC_URL}
    return render(request, "evaluation/review/screen/worker.js", context, content_type="text/javascript")
