"""Reads responses, pairs, timings and failures of a comparison."""

from django.db.models import QuerySet
from django.http import Http404

from evaluation.access import get_or_404, require_not_reviewing_run, visible
from evaluation.models import Comparison, Failure, Pair, Timing
from ftplatform.accounts.models import User
from ftplatform.jobs.models import JobEvent
from training.models import ModelVersion


def candidate(*, comparison: Comparison, pk: str | None) -> ModelVersion:
    """The comparison's candidate with this id, or the first one without an id; 404 for any other model."""
    match = next((model for model in comparison.candidates if pk in (None, str(model.pk))), None)
    if match is None:
        raise Http404
    return match


def timings(*, user: User, comparison: Comparison) -> QuerySet[Timing]:
    """Single-stream measurements in the order of measurement."""
    return visible(
        Timing.objects.filter(comparison=comparison).select_related("prompt").order_by("place", "pk"), user
    )


def failures(*, user: User, comparison: Comparison) -> QuerySet[Failure]:
    """Responses that have failed so far, with the reasons."""
    rows = Failure.objects.filter(comparison=comparison).select_related("prompt", "model").order_by("pk")
    return visible(rows, user)


def events(comparison: Comparison) -> QuerySet[JobEvent]:
    return comparison.events.order_by("-id")[:100]


def pairs(*, user: User, comparison: Comparison, candidate: ModelVersion | None = None) -> QuerySet[Pair]:
    """The pairs, optionally of one candidate, with both model names. Closed to a user who reviews them blind."""
    require_not_reviewing_run(comparison.pk, user)
    related = ("prompt", "candidate_model", "baseline_response", "candidate_response")
    rows = Pair.objects.filter(comparison=comparison).select_related(*related).order_by("pk")
    return visible(rows.filter(candidate_model=candidate) if candidate else rows, user)


def pair(*, user: User, comparison: Comparison, pk: int) -> Pair:
    return get_or_404(pairs(user=user, comparison=comparison), pk=pk)
