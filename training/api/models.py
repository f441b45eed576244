"""Endpoints of model versions; the same services as the pages."""

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from ftplatform.api.endpoints import StaffViewSet, parse, signed_in
from training import selectors
from training.api import serializers
from training.models import ModelVersion
from training.services import models


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
