"""Endpoints of datasets, models and training runs; the same services as the pages."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from ftplatform.api.endpoints import StaffViewSet, idempotency_key, parse, signed_in
from ftplatform.errors import DomainError
from ftplatform.jobs import services as jobs
from training import selectors
from training.api import serializers
from training.config import TrainingConfig
from training.forms import column_pairs
from training.models import Dataset, ModelVersion, TrainingRun
from training.services import configs, datasets, models, runs
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


class ModelViewSet(ListModelMixin, RetrieveModelMixin, StaffViewSet):
    queryset = ModelVersion.objects.none()  # for the schema; the rows come from get_queryset
    serializer_class = serializers.ModelVersionSerializer
    filterset_fields = ("kind", "stage")

    def get_queryset(self) -> QuerySet[ModelVersion]:
        return selectors.models(user=signed_in(self.request))

    @extend_schema(
        request=serializers.BaseModelSerializer, responses={201: serializers.ModelVersionSerializer}
    )
    def create(self, request: Request) -> Response:
        values = parse(serializers.BaseModelSerializer, request)
        made = models.register_base(user=signed_in(request), **values)
        return Response(serializers.ModelVersionSerializer(made).data, status=status.HTTP_201_CREATED)


class TrainingRunViewSet(ListModelMixin, RetrieveModelMixin, StaffViewSet):
    queryset = TrainingRun.objects.none()  # for the schema; the rows come from get_queryset
    serializer_class = serializers.TrainingRunSerializer
    filterset_fields = ("status", "dataset", "base_model")

    def get_queryset(self) -> QuerySet[TrainingRun]:
        return selectors.runs(user=signed_in(self.request))

    @extend_schema(request=serializers.LaunchSerializer, responses={201: serializers.TrainingRunSerializer})
    def create(self, request: Request) -> Response:
        values = parse(serializers.LaunchSerializer, request)
        user = signed_in(request)
        run = runs.launch(
            user=user,
            name=values["name"],
            dataset=selectors.dataset(user=user, pk=values["dataset"]),
            base_model=selectors.model(user=user, pk=values["base_model"]),
            config=configs.check(TrainingConfig, values["config"]),
            priority=values["priority"],
            idempotency_key=idempotency_key(request),
        )
        return Response(serializers.TrainingRunSerializer(run).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=None, responses={200: serializers.TrainingRunSerializer})
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: UUID) -> Response:
        user = signed_in(request)
        jobs.cancel(job=selectors.run(user=user, pk=pk), user=user)
        return Response(serializers.TrainingRunSerializer(selectors.run(user=user, pk=pk)).data)

    @extend_schema(request=None, responses={200: dict[str, Any]})
    @action(detail=True, methods=["get"])
    def metrics(self, request: Request, pk: UUID) -> Response:
        """The curves: for each split a list of steps with loss, token accuracy, tokens, learning rate."""
        return Response(selectors.curve(selectors.run(user=signed_in(request), pk=pk)))
