"""Reads the document of a comparison: its stored figures with the text about them."""

from datetime import UTC
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet
from django.http import Http404

from evaluation import access
from evaluation.comparison import present
from evaluation.comparison.document import ComparisonDocument
from evaluation.comparison.selectors import responses
from evaluation.comparison.selectors.comparison_facts import provenance, stream
from evaluation.models import Comparison, ComparisonFigures
from ftplatform.accounts.models import User
from training.models import ModelVersion


def comparison_document(
    comparison: Comparison, candidate: ModelVersion | None = None
) -> ComparisonDocument | None:
    """The comparison of the baseline and one candidate, the first by default; None until figures exist."""
    chosen = candidate or comparison.candidate
    stored = ComparisonFigures.objects.filter(comparison=comparison, candidate=chosen).first()
    if stored is None or not stored.figures:
        return None
    measured = stream(comparison, chosen)
    made_at = stored.made_at.astimezone(UTC).isoformat(timespec="seconds")
    return present.build(
        stored.figures,
        provenance(comparison, chosen, made_at=made_at, measured=bool(measured)),
        stream=measured,
        safety=safety(comparison, chosen),
    )


def open_comparison(*, user: User, comparison: Comparison, candidate: ModelVersion) -> ComparisonDocument:
    """The comparison for this user. Closed to a user who reviews its pairs; 404 until figures exist."""
    responses.pairs(user=user, comparison=comparison, candidate=candidate)
    document = comparison_document(comparison, candidate)
    if document is None:
        raise Http404
    return document


def safety(comparison: Comparison, candidate: ModelVersion) -> list[dict[str, Any]]:
    """The newest figure of each safety check for this baseline and candidate, with the comparison it comes from."""
    done = (
        ComparisonFigures.objects.filter(comparison__baseline=comparison.baseline_id, candidate=candidate)
        .exclude(comparison__prompt_set__check_name="")
        .select_related("comparison__prompt_set")
        .order_by("comparison__prompt_set__check_name", "-made_at")
    )
    newest: dict[str, dict[str, Any]] = {}
    for stored in done:
        name = stored.comparison.prompt_set.check_name
        metrics = stored.figures.get("metrics", ())
        figure = next((metric for metric in metrics if metric["name"] == "passed"), None)
        if name not in newest and figure:
            newest[name] = {"check": name, "comparison": str(stored.comparison_id), **figure}
    return list(newest.values())


def with_figures(runs: QuerySet[Comparison]) -> QuerySet[Comparison]:
    """Annotate comparisons, in one query, with whether their figures are stored; see `Comparison.has_figures`."""
    stored = ComparisonFigures.objects.filter(comparison=OuterRef("pk")).exclude(figures={})
    return runs.annotate(has_figures=Exists(stored))  # type: ignore[no-redef] # fills the cached property


def comparison(*, user: User, pk: UUID) -> Comparison:
    """One comparison, annotated with whether its figures are stored; 404 if this user may not see it."""
    comparison = with_figures(access.comparisons(user=user)).filter(pk=pk).first()
    if comparison is None:
        raise Http404
    return comparison
