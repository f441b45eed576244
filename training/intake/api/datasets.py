"""Endpoints of datasets and uploads, on the same services as the pages."""

from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import FileResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from ftplatform.api.endpoints import StaffViewSet, parse, signed_in
from ftplatform.api.parsers import TextJSONParser
from ftplatform.errors import DomainError
from ftplatform.jobs import services as jobs
from training import access
from training.actions import UploadAction
from training.intake import mappings, schemas, selectors
from training.intake.api.serializers import (
    DatasetSerializer,
    DatasetUploadSerializer,
    NewUploadSerializer,
    UploadSerializer,
    UploadWishesSerializer,
)
from training.intake.checking import Wishes
from training.intake.column_mapping import ColumnMapping
from training.intake.forms import column_pairs
from training.intake.services import imports, uploads
from training.models import Dataset, DatasetImport, SavedMapping, Upload


class DatasetViewSet(ListModelMixin, RetrieveModelMixin, StaffViewSet):
    queryset = Dataset.objects.none()  # for the schema; the rows come from get_queryset
    serializer_class = DatasetSerializer
    filterset_fields = ("name",)
    parser_classes = [MultiPartParser]

    def get_queryset(self) -> QuerySet[Dataset]:
        return access.datasets(user=signed_in(self.request))

    @extend_schema(request=DatasetUploadSerializer, responses={201: DatasetSerializer, 202: UploadSerializer})
    def create(self, request: Request) -> Response:
        """Upload and check in one request. If rows are refused, `upload` in the response can be reused without
        sending the file again."""
        values = parse(DatasetUploadSerializer, request)
        user, file = signed_in(request), values["file"]
        upload = uploads.stage(user=user, name=values["name"], file=file, source_name=file.name)
        values["mapping"] = _mapping(request, values) or _short_mapping(values)
        return _answer(
            imports.start(user=user, upload=upload, name=values["name"], wishes=_wishes(values)), upload
        )


def _answer(made: Dataset | DatasetImport, upload: Upload) -> Response:
    """The dataset or, for a large file, the upload, whose `check` has the worker's progress."""
    if isinstance(made, Dataset):
        return Response(DatasetSerializer(made).data, status=status.HTTP_201_CREATED)
    return Response(UploadSerializer(upload).data, status=status.HTTP_202_ACCEPTED)


def _mapping(request: Request, values: dict[str, Any]) -> ColumnMapping | None:
    """The mapping of the request, or the saved one that it names."""
    if values["saved_mapping"]:
        saved = {"kind": SavedMapping.Kind.DATASET.value, "name": values["saved_mapping"]}
        return mappings.from_json(selectors.saved_mapping(user=signed_in(request), **saved))
    return mappings.from_json(values["mapping"]) if values["mapping"] else None


def _short_mapping(values: dict[str, Any]) -> ColumnMapping | None:
    inputs, outputs = column_pairs(values["inputs"]), column_pairs(values["outputs"])
    if not (values["instruction"] or inputs or outputs):
        return None
    if not (values["instruction"] and outputs):
        raise DomainError("mapping_needed", "Give instruction and outputs, or a mapping.", status=400)
    return ColumnMapping(values["instruction"], inputs, outputs)


def _wishes(values: dict[str, Any]) -> Wishes:
    return Wishes(
        mapping=values["mapping"],
        validation_share=values["validation_percent"] / 100,
        test_share=values["test_percent"] / 100,
        schema=schemas.check(values["schema"]) if values["schema"] is not None else None,
        skip_bad_rows=values["skip_bad_rows"],
    )


class UploadViewSet(StaffViewSet):
    """A file that is stored once, previewed and mapped, and then becomes a dataset."""

    queryset = Upload.objects.none()
    serializer_class = UploadSerializer
    parser_classes = [MultiPartParser, TextJSONParser]

    @extend_schema(request=NewUploadSerializer, responses={201: UploadSerializer})
    def create(self, request: Request) -> Response:
        values = parse(NewUploadSerializer, request)
        file = values["file"]
        made = uploads.stage(user=signed_in(request), name=values["name"], file=file, source_name=file.name)
        return Response(UploadSerializer(made).data, status=status.HTTP_201_CREATED)

    @extend_schema(responses={200: OpenApiTypes.OBJECT})
    def retrieve(self, request: Request, pk: UUID) -> Response:
        """The upload with its columns, first rows, and the mapping suggested by the column names (null: none is
        needed)."""
        found = selectors.upload(user=signed_in(request), pk=pk)
        seen = asdict(uploads.look(found)) if found.dataset is None else {}
        return Response({**UploadSerializer(found).data, **seen})

    @extend_schema(request=UploadWishesSerializer, responses={201: DatasetSerializer, 202: UploadSerializer})
    @action(detail=True, methods=["post"])
    def dataset(self, request: Request, pk: UUID) -> Response:
        """Check every row and store the dataset. Repeating the request returns the same dataset. A large file is
        checked by a worker: the response is then 202 with the upload, which you poll until its `check` has ended."""
        values = parse(UploadWishesSerializer, request)
        user = signed_in(request)
        found = selectors.upload(user=user, pk=pk)
        values["name"] = values["name"] or found.name
        values["mapping"] = _mapping(request, values)
        return _answer(
            imports.start(user=user, upload=found, name=values["name"], wishes=_wishes(values)), found
        )

    @extend_schema(request=None, responses={200: UploadSerializer})
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: UUID) -> Response:
        """Stop the check of a large file. Nothing is stored; the file is kept."""
        user = signed_in(request)
        found = selectors.upload(user=user, pk=pk)
        last = selectors.newest_import(found)
        if last is not None and UploadAction.CANCEL_CHECK in found.actions:
            jobs.cancel(job=last, user=user)
        return Response(UploadSerializer(found).data)

    @extend_schema(responses={(200, "text/csv"): OpenApiTypes.BINARY})
    @action(detail=True, methods=["get"])
    def problems(self, request: Request, pk: UUID) -> FileResponse:
        """Every problem of the last check as CSV: line, field, reason."""
        report = uploads.report_of(selectors.upload(user=signed_in(request), pk=pk))
        return FileResponse(
            report.open("rb"), as_attachment=True, filename="problems.csv", content_type="text/csv"
        )
