"""Endpoints of prompt sets, comparisons, campaigns and reports; the same services as the pages."""

from uuid import UUID

from django.db.models import QuerySet
from django.http import FileResponse
from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from evaluation import selectors
from evaluation.api import serializers
from evaluation.models import Campaign, PromptSet
from evaluation.services import campaigns, prompts, reports
from evaluation.services.exports import bundle, files, ratings
from ftplatform.accounts.models import ApiToken
from ftplatform.accounts.permissions import Staff
from ftplatform.api.endpoints import StaffViewSet, check, parse, signed_in
from training import selectors as training


class EvaluationViewSet(ListModelMixin, RetrieveModelMixin, StaffViewSet):
    write_roles = Staff
    write_scope = ApiToken.Scope.EVALUATE


class PromptSetViewSet(EvaluationViewSet):
    queryset = PromptSet.objects.none()  # for the schema; the rows come from get_queryset
    serializer_class = serializers.PromptSetSerializer
    filterset_fields = ("name", "dataset")

    def get_queryset(self) -> QuerySet[PromptSet]:
        return selectors.prompt_sets(user=signed_in(self.request))

    @extend_schema(
        request=serializers.PromptSetCreateSerializer, responses={201: serializers.PromptSetSerializer}
    )
    def create(self, request: Request) -> Response:
        values = parse(serializers.PromptSetCreateSerializer, request)
        user = signed_in(request)
        dataset = training.dataset(user=user, pk=values["dataset"])
        made = prompts.from_dataset(user=user, name=values["name"], dataset=dataset, limit=values["limit"])
        return Response(serializers.PromptSetSerializer(made).data, status=status.HTTP_201_CREATED)


class CampaignViewSet(EvaluationViewSet):
    queryset = Campaign.objects.none()  # for the schema; the rows come from get_queryset
    serializer_class = serializers.CampaignSerializer
    filterset_fields = ("status", "run")

    def get_queryset(self) -> QuerySet[Campaign]:
        return selectors.campaigns(user=signed_in(self.request))

    def _campaign(self, pk: UUID) -> Campaign:
        return selectors.campaign(user=signed_in(self.request), pk=pk)

    def _answer(self, pk: UUID) -> Response:
        return Response(serializers.CampaignSerializer(self._campaign(pk)).data)

    @extend_schema(
        request=serializers.CampaignCreateSerializer, responses={201: serializers.CampaignSerializer}
    )
    def create(self, request: Request) -> Response:
        values = parse(serializers.CampaignCreateSerializer, request)
        user = signed_in(request)
        run = selectors.generation_run(user=user, pk=values.pop("run"))
        chosen = values.pop("candidate")
        candidate = selectors.candidate(run=run, pk=str(chosen)) if chosen else None
        looks = tuple(values.pop("looks", [1.0]))
        made = campaigns.create(user=user, run=run, candidate=candidate, looks=looks, **values)
        return Response(serializers.CampaignSerializer(made).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=None, responses={200: OpenApiResponse(description="{invite_code, invite_url}")})
    @action(detail=True, methods=["post"])
    def open(self, request: Request, pk: UUID) -> Response:
        invite = campaigns.open_campaign(campaign=self._campaign(pk), user=signed_in(request))
        return Response(
            {"invite_code": invite.code, "invite_url": request.build_absolute_uri(f"/r/{invite.code}/")}
        )

    @extend_schema(request=serializers.CloseSerializer, responses={200: serializers.CampaignSerializer})
    @action(detail=True, methods=["post"])
    def close(self, request: Request, pk: UUID) -> Response:
        reason = parse(serializers.CloseSerializer, request)["reason"]
        campaigns.close(campaign=self._campaign(pk), user=signed_in(request), reason=reason)
        return self._answer(pk)

    @extend_schema(request=None, responses={200: OpenApiResponse(description="The report")})
    @action(detail=True, methods=["get", "post"])
    def report(self, request: Request, pk: UUID) -> Response:
        """GET answers with the latest report; POST takes the planned look that is due."""
        campaign, user = self._campaign(pk), signed_in(request)
        if request.method == "POST":
            return Response(reports.take_look(campaign=campaign, user=user).result)
        return Response(selectors.latest_report(user=user, campaign=campaign).result)

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "kind", str, description="csv, parquet, json, md, html, pdf or zip; csv unless told."
            ),
            OpenApiParameter(
                "variant", str, description="Of csv and parquet: blinded (unless told) or unblinded."
            ),
            OpenApiParameter("look", int, description="Of the others; the latest unless told."),
        ],
        responses={200: OpenApiResponse(description="The file")},
    )
    @action(detail=True, methods=["get"])
    def export(self, request: Request, pk: UUID) -> HttpResponseBase:
        """The ratings as a table, or a report as a document, or everything as a zip."""
        values = check(serializers.ExportSerializer, request.query_params.dict())
        campaign, user, kind = self._campaign(pk), signed_in(request), values["kind"]
        if kind in ("csv", "parquet"):
            return ratings.download(campaign=campaign, user=user, variant=values["variant"], kind=kind)
        found = selectors.latest_report(user=user, campaign=campaign)
        if values["look"] is not None:
            found = selectors.report(user=user, campaign=campaign, look=values["look"])
        if kind == "zip":
            made = bundle.bundle(report=found, user=user)
            return FileResponse(made, as_attachment=True, filename=f"report-look-{found.look}.zip")
        return files.response(files.report_file(report=found, user=user, kind=kind))
