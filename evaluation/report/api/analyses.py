"""Endpoint that analyses uploaded ratings. Nothing is stored."""

import io
from typing import IO, Any

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView

from evaluation.report import analyses
from evaluation.stats.ratings_file import Format
from evaluation.stats.schema import report_schema
from ftplatform.accounts.models import ApiToken
from ftplatform.accounts.permissions import RolePermission, Staff
from ftplatform.api.endpoints import check

MAX_BYTES = 256 * 1024 * 1024


class AnalysisThrottle(SimpleRateThrottle):
    """Limit the analyses per user and minute, because one analysis takes seconds of processor time."""

    scope = "analyses"
    rate = "30/minute"

    def get_cache_key(self, request: Request, view: Any) -> str:
        return f"analyses-{request.user.pk}"


class _Rows(BaseParser):
    """Pass the body on as a stream, so that it is never in memory as a whole."""

    kind: Format

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Any = None
    ) -> dict[str, Any]:
        return {"source": stream, "kind": self.kind}


class CsvParser(_Rows):
    media_type = "text/csv"
    kind = "csv"


class JsonLinesParser(_Rows):
    media_type = "application/x-ndjson"
    kind = "jsonl"


class AnalysisOptions(serializers.Serializer[Any]):
    margin = serializers.FloatField(default=0.05)
    skip_bad_rows = serializers.BooleanField(default=False)


class Analyse(APIView):
    permission_classes = [RolePermission]
    parser_classes = [CsvParser, JsonLinesParser]
    throttle_classes = [AnalysisThrottle]
    read_roles = write_roles = Staff
    write_scope = ApiToken.Scope.EVALUATE

    @extend_schema(
        request={"text/csv": str, "application/x-ndjson": str},
        parameters=[
            OpenApiParameter("margin", float, description="Smallest win-score difference that matters."),
            OpenApiParameter("skip_bad_rows", bool, description="Analyse the rest when some rows are bad."),
        ],
        responses={
            200: OpenApiResponse(
                report_schema() | {"additionalProperties": True},
                description="The report, as `manage.py analyze --json` prints it",
            )
        },
    )
    def post(self, request: Request) -> Response:
        """Analyse the ratings in the body; the columns are those of `manage.py analyze`. Nothing is stored."""
        options = check(AnalysisOptions, request.query_params.dict())
        body: Any = request.data or {"source": io.BytesIO(), "kind": "csv"}
        if int(request.META.get("CONTENT_LENGTH") or 0) > MAX_BYTES:
            raise ValidationError(
                {"body": f"At most {MAX_BYTES // 2**20} MB; use `manage.py analyze` for more."}
            )
        return Response(analyses.analyse_file(**body, **options))
