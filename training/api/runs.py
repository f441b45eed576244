"""Endpoints of training runs; the same services as the pages."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from ftplatform.api.endpoints import StaffViewSet, idempotency_key, parse, signed_in
from ftplatform.jobs import services as jobs
from training import selectors
from training.api import serializers
from training.config import TrainingConfig
from training.models import TrainingRun
from training.services import configs, runs


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
