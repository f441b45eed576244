"""Endpoints of all features. Reviewer endpoints are the most frequent, so they are matched first."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.urls import path

from evaluation.comparison.urls import endpoints as comparison
from evaluation.report.urls import endpoints as report
from evaluation.review.urls import endpoints as review
from ftplatform.accounts.permissions import open_to_all


@open_to_all
def moved(request: HttpRequest, rest: str = "") -> HttpResponse:
    """Redirect (308) a version 0.1 path under `generation-runs/` to the same path under `comparisons/`; kept until
    0.3."""
    rest = rest.replace("/comparison/", "/figures/")
    return _redirect(request, request.path.partition("generation-runs/")[0] + f"comparisons/{rest}")


@open_to_all
def moved_rules(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Redirect (308) the version 0.1 path for declaring field rules to the new path; kept until 0.3."""
    return _redirect(request, request.path.removesuffix("comparisons/") + "field-rules/")


def _redirect(request: HttpRequest, target: str) -> HttpResponse:
    query = request.META.get("QUERY_STRING", "")
    return HttpResponsePermanentRedirect(f"{target}?{query}" if query else target, preserve_request=True)


urlpatterns = [
    *review,
    *comparison,
    *report,
    path("generation-runs/", moved),
    path("generation-runs/<path:rest>", moved),
    path("prompt-sets/<uuid:pk>/comparisons/", moved_rules),
]
