"""Endpoints of measurements: lengths of a dataset's rows with a base model's tokenizer."""

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from ftplatform.api.endpoints import StaffViewSet, parse, signed_in
from training import access
from training.models import Measurement
from training.runs.services import measurements


class MeasurementSerializer(serializers.ModelSerializer[Measurement]):
    """`result` has the template's hash, and for each split `counts` ([length in tokens, rows]), the `longest` rows
    and those that cannot be trained on; `preview` shows rows as [text, trained, special] tokens."""

    class Meta:
        model = Measurement
        fields = [
            "id",
            "dataset",
            "base_model",
            "status",
            "step",
            "total_steps",
            "result",
            "error_code",
            "error_message",
            "created_at",
            "finished_at",
        ]
        read_only_fields = fields


class NewMeasurementSerializer(serializers.Serializer[Measurement]):
    dataset = serializers.UUIDField()
    base_model = serializers.UUIDField()


class MeasurementViewSet(ListModelMixin, RetrieveModelMixin, StaffViewSet):
    queryset = Measurement.objects.none()  # for the schema; the rows come from get_queryset
    serializer_class = MeasurementSerializer
    filterset_fields = ("dataset", "base_model", "status")

    def get_queryset(self) -> QuerySet[Measurement]:
        return access.measurements(user=signed_in(self.request))

    @extend_schema(request=NewMeasurementSerializer, responses={201: MeasurementSerializer})
    def create(self, request: Request) -> Response:
        """Queue a measurement, or return the existing one for the same dataset and model."""
        values = parse(NewMeasurementSerializer, request)
        user = signed_in(request)
        measurement = measurements.launch(
            user=user,
            dataset=access.dataset(user=user, pk=values["dataset"]),
            base_model=access.model(user=user, pk=values["base_model"]),
        )
        return Response(MeasurementSerializer(measurement).data, status=status.HTTP_201_CREATED)
