"""Endpoints for ratings made elsewhere: analyse them without storing them, or import them as a campaign."""

import io
import shutil
import tempfile
from typing import IO, Any, BinaryIO, ClassVar

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView

from evaluation.report import analyses
from evaluation.report.services import rating_imports
from evaluation.stats.ratings_file import Reading
from evaluation.stats.schema import report_schema
from ftplatform.accounts.models import ApiToken
from ftplatform.accounts.permissions import RolePermission, Staff
from ftplatform.api.endpoints import check, signed_in

MAX_BYTES = 256 * 1024 * 1024


class AnalysisThrottle(SimpleRateThrottle):
    """Limit the analyses per user and minute, because one analysis takes seconds of processor time."""

    scope = "analyses"
    rate = "30/minute"

    def get_cache_key(self, request: Request, view: Any) -> str:
        return f"analyses-{request.user.pk}"


class RatingsParser(BaseParser):
    """Keep the body in a temporary file, so that it is never in memory as a whole. Its format is recognised later."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Any = None
    ) -> dict[str, Any]:
        kept = tempfile.TemporaryFile()  # noqa: SIM115 (closed when the request is gone)
        shutil.copyfileobj(stream, kept, 1 << 20)
        kept.seek(0)
        return {"source": kept}


class CsvParser(RatingsParser):
    media_type = "text/csv"


class JsonLinesParser(RatingsParser):
    media_type = "application/x-ndjson"


class JsonParser(RatingsParser):
    media_type = "application/json"


class ParquetParser(RatingsParser):
    media_type = "application/vnd.apache.parquet"


RATINGS_PARSERS = [CsvParser, JsonLinesParser, JsonParser, ParquetParser]
_BINARY = {"application/vnd.apache.parquet": bytes}
RATINGS_BODIES: dict[str, Any] = {parser.media_type: str for parser in RATINGS_PARSERS} | _BINARY
READING_PARAMETERS = [
    OpenApiParameter("map", str, many=True, description="NEW=OLD: read our column NEW from the file's OLD."),
    OpenApiParameter(
        "answer",
        str,
        many=True,
        description="ANSWER=TEXT: the file's text for win, tie, both_bad, loss, left, right.",
    ),
    OpenApiParameter("ignore", str, many=True, description="A column not to read."),
    OpenApiParameter(
        "left_is", str, description="candidate or baseline: who left, A and first are throughout."
    ),
    OpenApiParameter("baseline", str, description="Name of the system that is the baseline."),
    OpenApiParameter("candidate", str, description="Name of the system that is the candidate."),
    OpenApiParameter("lowest_score", float),
    OpenApiParameter("highest_score", float),
    OpenApiParameter("skip_bad_rows", bool, description="Use the rest when some rows are bad."),
]


class ReadingOptions(serializers.Serializer[Any]):
    """How to read the file; see `analyses.reading_of`."""

    several: ClassVar = ("map", "answer", "ignore")
    map = serializers.ListField(child=serializers.CharField(max_length=300), default=list, max_length=100)
    answer = serializers.ListField(child=serializers.CharField(max_length=300), default=list, max_length=20)
    ignore = serializers.ListField(child=serializers.CharField(max_length=300), default=list, max_length=100)
    left_is = serializers.ChoiceField(choices=["candidate", "baseline"], default="", allow_blank=True)
    baseline = serializers.CharField(max_length=100, default="", allow_blank=True)
    candidate = serializers.CharField(max_length=100, default="", allow_blank=True)
    lowest_score = serializers.FloatField(default=1.0)
    highest_score = serializers.FloatField(default=10.0)
    skip_bad_rows = serializers.BooleanField(default=False)


def read_options(kind: type[ReadingOptions], request: Request) -> tuple[Reading, dict[str, Any]]:
    """The reading that the query asks for, and the other options."""
    query = request.query_params
    given = {name: query.getlist(name) if name in kind.several else query[name] for name in query}
    options = check(kind, given)
    reading = analyses.reading_of(
        columns=options.pop("map"),
        answers=options.pop("answer"),
        ignore=options.pop("ignore"),
        left_is=options.pop("left_is"),
        baseline=options.pop("baseline"),
        candidate=options.pop("candidate"),
        score_range=(options.pop("lowest_score"), options.pop("highest_score")),
    )
    return reading, options


def require_size(request: Request) -> None:
    if int(request.META.get("CONTENT_LENGTH") or 0) > MAX_BYTES:
        raise ValidationError({"body": f"At most {MAX_BYTES // 2**20} MB; use the command for more."})


def body_of(request: Request) -> BinaryIO:
    data: Any = request.data
    found: BinaryIO = data["source"] if data else io.BytesIO()
    return found


class _RatingsView(APIView):
    """Takes a ratings file as its body."""

    permission_classes = [RolePermission]
    parser_classes = RATINGS_PARSERS
    throttle_classes = [AnalysisThrottle]
    read_roles = write_roles = Staff
    write_scope = ApiToken.Scope.EVALUATE


class AnalysisOptions(ReadingOptions):
    margin = serializers.FloatField(default=0.05)


class Analyse(_RatingsView):
    @extend_schema(
        request=RATINGS_BODIES,
        parameters=[
            OpenApiParameter("margin", float, description="Smallest win-score difference that matters."),
            *READING_PARAMETERS,
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
        require_size(request)
        reading, options = read_options(AnalysisOptions, request)
        return Response(analyses.analyse_file(source=body_of(request), reading=reading, **options))


class ImportOptions(ReadingOptions):
    title = serializers.CharField(max_length=100)
    file = serializers.CharField(max_length=200, default="the API")
    margin = serializers.FloatField(default=0.05)


class ImportRatings(_RatingsView):
    @extend_schema(
        request=RATINGS_BODIES,
        parameters=[
            OpenApiParameter("title", str, required=True, description="Of the campaign and its comparison."),
            OpenApiParameter("file", str, description="Where the ratings come from, as the report names it."),
            OpenApiParameter("margin", float, description="Smallest win-score difference that matters."),
            *READING_PARAMETERS,
        ],
        responses={201: OpenApiResponse(description="{id, title, ratings, reviewers, pairs}")},
    )
    def post(self, request: Request) -> Response:
        """Store the ratings in the body as a closed campaign, labelled as rated elsewhere in all its results."""
        require_size(request)
        reading, options = read_options(ImportOptions, request)
        name = options.pop("file")
        made = rating_imports.create(
            user=signed_in(request), source=body_of(request), source_name=name, reading=reading, **options
        )
        content = {
            "id": str(made.pk),
            "title": made.title,
            "ratings": made.ratings_planned,
            "reviewers": made.reviewers.count(),
            "pairs": made.pairs_planned,
        }
        return Response(content, status=201)
