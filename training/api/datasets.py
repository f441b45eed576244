"""Endpoints of datasets; the same services as the pages."""

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from ftplatform.api.endpoints import StaffViewSet, parse, signed_in
from ftplatform.errors import DomainError
from training import selectors
from training.api import serializers
from training.forms import column_pairs
from training.models import Dataset
from training.services import datasets
from training.services.rows import ColumnMapping


class DatasetViewSet(ListModelMixin, RetrieveModelMixin, StaffViewSet):
    queryset = Dataset.objects.none()  # for the schema; the rows come from get_queryset
    serializer_class = serializers.DatasetSerializer
    filterset_fields = ("name",)
    parser_classes = [MultiPartParser]

    def get_queryset(self) -> QuerySet[Dataset]:
        return selectors.datasets(user=signed_in(self.request))

    @extend_schema(
        request=serializers.DatasetUploadSerializer, responses={201: serializers.DatasetSerializer}
    )
    def create(self, request: Request) -> Response:
        values = parse(serializers.DatasetUploadSerializer, request)
        file = values["file"]
        mapping = None
        if file.name.lower().endswith(".csv"):
            inputs, outputs = column_pairs(values["inputs"]), column_pairs(values["outputs"])
            if not (values["instruction"] and inputs and outputs):
                raise DomainError(
                    "mapping_needed", "A CSV needs instruction, inputs and outputs.", status=400
                )
            mapping = ColumnMapping(values["instruction"], inputs, outputs)
        made = datasets.create(
            user=signed_in(request),
            name=values["name"],
            file=file,
            source_name=file.name,
            mapping=mapping,
            validation_share=values["validation_percent"] / 100,
        )
        return Response(serializers.DatasetSerializer(made).data, status=status.HTTP_201_CREATED)
