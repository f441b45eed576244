"""Endpoints for the figures and pairs of a comparison, and for importing pairs."""

from typing import Any
from uuid import UUID

from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from evaluation import access
from evaluation.comparison import text_files
from evaluation.comparison.api.columns import TEXT_KIND, ColumnsSerializer, taken_columns
from evaluation.comparison.document import SIDES
from evaluation.comparison.exports import comparison_json, pair_json
from evaluation.comparison.selectors import pair_table, responses
from evaluation.comparison.selectors.comparison_document import open_comparison
from evaluation.comparison.selectors.pair_document import pair_document
from evaluation.comparison.services import pair_imports
from evaluation.models import Comparison, Pair
from ftplatform.accounts.models import User
from ftplatform.api.endpoints import StaffViewSet, parse, signed_in
from ftplatform.api.lists import Pagination
from ftplatform.key_pages import KeyPaginator
from training.models import ModelVersion

_CANDIDATE = OpenApiParameter("candidate", UUID, description="Which candidate; the first by default.")
_QUERY = [
    _CANDIDATE,
    OpenApiParameter("change", str, enum=list(pair_table.CHANGES)),
    OpenApiParameter(
        "field", str, description="Pairs in which this field became worse (or, with change, better)."
    ),
    OpenApiParameter("tag", str, description="name:value"),
    OpenApiParameter("order", str, enum=["worst"]),
]


class PairsImportSerializer(ColumnsSerializer):
    name = serializers.CharField(max_length=100)
    file = serializers.FileField(help_text="JSON, CSV or Parquet, see the guide.")
    baseline = serializers.CharField(max_length=100)
    candidate = serializers.CharField(max_length=100)


class _PairPages(Pagination):
    django_paginator_class = KeyPaginator


class ComparisonActions(StaffViewSet):
    """Endpoints of a comparison that return its figures and pairs."""

    def _compared(self, pk: UUID) -> tuple[User, Comparison, ModelVersion]:
        user = signed_in(self.request)
        comparison = access.comparison(user=user, pk=pk)
        return (
            user,
            comparison,
            responses.candidate(comparison=comparison, pk=self.request.query_params.get("candidate")),
        )

    def _require_known(self, known: tuple[str, ...]) -> None:
        unknown = sorted(set(self.request.query_params) - {*known, "candidate", "format"})
        if unknown:
            raise serializers.ValidationError(dict.fromkeys(unknown, "Not a parameter here."))

    @extend_schema(parameters=[_CANDIDATE], responses={200: OpenApiResponse(description="The comparison")})
    @action(detail=True, methods=["get"])
    def figures(self, request: Request, pk: UUID) -> Response:
        """All figures with intervals and text, fields, slices (regressions first), and how the comparison was made."""
        self._require_known(())
        user, comparison, candidate = self._compared(pk)
        return Response(
            comparison_json(open_comparison(user=user, comparison=comparison, candidate=candidate))
        )

    @extend_schema(
        operation_id="comparisons_pairs_list",
        parameters=_QUERY,
        responses={200: OpenApiResponse(description="A page of pairs")},
    )
    @action(detail=True, methods=["get"])
    def pairs(self, request: Request, pk: UUID) -> Response:
        self._require_known((*pair_table.FILTERS, "page", "page_size"))
        user, comparison, candidate = self._compared(pk)
        filters = {name: request.query_params.get(name, "") for name in pair_table.FILTERS}
        chosen = pair_table.pairs(user=user, comparison=comparison, candidate=candidate, **filters)
        pages = _PairPages()
        page = pages.paginate_queryset(chosen, request, view=self)
        return pages.get_paginated_response([_line(pair) for pair in page or ()])

    @extend_schema(
        operation_id="comparisons_pair_texts",
        parameters=[_CANDIDATE, TEXT_KIND],
        responses={200: OpenApiResponse(description="The file")},
    )
    @action(detail=True, methods=["get"], url_path="pairs-with-texts")
    def pair_texts(self, request: Request, pk: UUID) -> HttpResponseBase:
        """All pairs with their texts as a file that can be imported again."""
        self._require_known(("kind",))
        user, comparison, candidate = self._compared(pk)
        chosen = responses.pairs(user=user, comparison=comparison, candidate=candidate)
        return text_files.pairs(chosen, request.query_params.get("kind", "jsonl"))

    @extend_schema(responses={200: OpenApiResponse(description="The pair in full")})
    @action(detail=True, methods=["get"], url_path="pairs/<int:pair>")
    def pair(self, request: Request, pk: UUID, pair: int) -> Response:
        """One prompt with both responses, matched by the prompt set's current field rules."""
        user, comparison, _ = self._compared(pk)
        shown = responses.pair(user=user, comparison=comparison, pk=pair)
        return Response(pair_json(pair_document(comparison=comparison, pair=shown)))

    @extend_schema(
        request=PairsImportSerializer, responses={201: OpenApiResponse(description="The finished run")}
    )
    @action(detail=False, methods=["post"], url_path="import", parser_classes=[MultiPartParser])
    def import_pairs(self, request: Request) -> Response:
        """Import responses generated elsewhere as a finished comparison."""
        values = parse(PairsImportSerializer, request)
        columns, source_name = taken_columns(values), values["file"].name
        comparison = pair_imports.create(
            user=signed_in(request), source_name=source_name, columns=columns, **values
        )
        return Response(self.get_serializer(comparison).data, status=status.HTTP_201_CREATED)


def _line(pair: Pair) -> dict[str, Any]:
    return {
        "id": pair.pk,
        "prompt": pair.prompt.key,
        "sample": pair.sample,
        "tags": pair.prompt.tags,
        "score_change": pair.score_change,
        **{
            side: {
                "output_tokens": pair.response(side).output_tokens,
                "latency_ms": pair.response(side).batch_latency_ms,
                "match": pair.response(side).match,
                "measures": pair.response(side).measures,
            }
            for side in SIDES
        },
    }
