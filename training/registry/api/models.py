"""Endpoints of model versions and of jobs on their files, on the same services as the pages."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from ftplatform.accounts.permissions import AdminOnly
from ftplatform.api.endpoints import StaffViewSet, idempotency_key, parse, signed_in
from ftplatform.jobs import services as jobs
from ftplatform.zip_stream import attachment
from training import access
from training.models import ModelJob, ModelVersion
from training.registry import card as model_card
from training.registry import exports, selectors
from training.registry.api import serializers
from training.registry.services import merges, model_jobs, models


class ModelViewSet(ListModelMixin, RetrieveModelMixin, StaffViewSet):
    queryset = ModelVersion.objects.none()  # for the schema; the rows come from get_queryset
    serializer_class = serializers.ModelVersionSerializer
    filterset_fields = ("kind", "stage")

    def get_queryset(self) -> QuerySet[ModelVersion]:
        return access.models(user=signed_in(self.request))

    @extend_schema(
        request=serializers.BaseModelSerializer, responses={201: serializers.ModelVersionSerializer}
    )
    def create(self, request: Request) -> Response:
        values = parse(serializers.BaseModelSerializer, request)
        model = models.register_base(user=signed_in(request), **values)
        return Response(serializers.ModelVersionSerializer(model).data, status=status.HTTP_201_CREATED)

    @extend_schema(
        request=serializers.ExternalModelSerializer, responses={201: serializers.ModelVersionSerializer}
    )
    @action(detail=False, methods=["post"])
    def external(self, request: Request) -> Response:
        """Register an external system, known by its name only, served by a configured endpoint or used in imported
        responses."""
        values = parse(serializers.ExternalModelSerializer, request)
        model = models.register_external(user=signed_in(request), **values)
        return Response(serializers.ModelVersionSerializer(model).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=serializers.StageSerializer, responses={200: serializers.ModelVersionSerializer})
    @action(detail=True, methods=["post"])
    def stage(self, request: Request, pk: UUID) -> Response:
        """Move a model to another stage, with the reason."""
        user = signed_in(request)
        values = parse(serializers.StageSerializer, request)
        models.set_stage(user=user, model=access.model(user=user, pk=pk), **values)
        return Response(serializers.ModelVersionSerializer(access.model(user=user, pk=pk)).data)

    @extend_schema(request=serializers.LicenceSerializer, responses={200: serializers.ModelVersionSerializer})
    @action(detail=True, methods=["post"])
    def licence(self, request: Request, pk: UUID) -> Response:
        user = signed_in(request)
        values = parse(serializers.LicenceSerializer, request)
        models.set_licence(user=user, model=access.model(user=user, pk=pk), licence=values["licence"])
        return Response(serializers.ModelVersionSerializer(access.model(user=user, pk=pk)).data)

    @extend_schema(request=None, responses={202: serializers.ModelJobSerializer})
    @action(detail=True, methods=["post"])
    def verify(self, request: Request, pk: UUID) -> Response:
        """Queue a comparison of every file with its hash; follow the job under `model-jobs`."""
        user = signed_in(request)
        job = model_jobs.request_verification(user=user, model=access.model(user=user, pk=pk))
        return Response(serializers.ModelJobSerializer(job).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=None, responses={202: dict[str, Any]})
    @action(detail=True, methods=["post"])
    def merge(self, request: Request, pk: UUID) -> Response:
        """Queue a merge of an adapter into a 16-bit copy of its base; afterwards the model's `merged` names the
        result."""
        user = signed_in(request)
        adapter = access.model(user=user, pk=pk)
        job = merges.launch(user=user, adapter=adapter, idempotency_key=idempotency_key(request))
        return Response({"id": str(job.pk), "status": job.status}, status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=serializers.DownloadSerializer, responses={202: serializers.ModelJobSerializer})
    @action(detail=False, methods=["post"])
    def download(self, request: Request) -> Response:
        """Queue the download and registration of a hub model at a pinned commit, where an operator allows it."""
        values = parse(serializers.DownloadSerializer, request)
        job = model_jobs.request_download(user=signed_in(request), **values)
        return Response(serializers.ModelJobSerializer(job).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=serializers.ConversionSerializer, responses={202: serializers.ModelJobSerializer})
    @action(detail=False, methods=["post"])
    def convert(self, request: Request) -> Response:
        """Queue the unpacking of a single GGUF file to 16-bit safetensors, and their registration."""
        values = parse(serializers.ConversionSerializer, request)
        job = model_jobs.request_conversion(user=signed_in(request), **values)
        return Response(serializers.ModelJobSerializer(job).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=None, responses={200: dict[str, str]})
    @action(detail=True, methods=["get"])
    def card(self, request: Request, pk: UUID) -> Response:
        """The model card as Markdown."""
        model = access.model(user=signed_in(request), pk=pk)
        return Response({"markdown": model_card.markdown(model, selectors.model_summary(model))})


class ModelExportViewSet(StaffViewSet):
    """Archives of a model. Only admins may export weights and rows, and each export is logged."""

    queryset = ModelVersion.objects.none()
    read_roles = AdminOnly

    @extend_schema(
        responses={(200, "application/zip"): OpenApiResponse(description="The files with the card.")}
    )
    @action(detail=True, methods=["get"])
    def files(self, request: Request, pk: UUID) -> StreamingHttpResponse:
        export = exports.files(**self._export_values(request, pk))
        return attachment(export.file_name, export.blocks)

    @extend_schema(
        parameters=[OpenApiParameter("rows", bool, description="Whether the dataset's rows go with it.")],
        responses={
            (200, "application/zip"): OpenApiResponse(description="What is needed to train it again.")
        },
    )
    @action(detail=True, methods=["get"])
    def reproduction(self, request: Request, pk: UUID) -> StreamingHttpResponse:
        rows = request.query_params.get("rows", "") in ("1", "true")
        export = exports.reproduction(**self._export_values(request, pk), with_rows=rows)
        return attachment(export.file_name, export.blocks)

    def _export_values(self, request: Request, pk: UUID) -> dict[str, Any]:
        user = signed_in(request)
        model = access.model(user=user, pk=pk)
        return {"user": user, "model": model, "summary": selectors.model_summary(model)}


class ModelJobViewSet(ListModelMixin, RetrieveModelMixin, StaffViewSet):
    queryset = ModelJob.objects.none()  # for the schema; the rows come from get_queryset
    serializer_class = serializers.ModelJobSerializer
    filterset_fields = ("status", "kind", "model")

    def get_queryset(self) -> QuerySet[ModelJob]:
        return selectors.model_jobs(user=signed_in(self.request))

    @extend_schema(request=None, responses={200: serializers.ModelJobSerializer})
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: UUID) -> Response:
        user = signed_in(request)
        jobs.cancel(job=selectors.model_job(user=user, pk=pk), user=user)
        return Response(serializers.ModelJobSerializer(selectors.model_job(user=user, pk=pk)).data)
