"""Endpoints of a campaign's reports: the latest report, the planned analysis that is due, and exports."""

from uuid import UUID

from django.http import FileResponse
from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from evaluation import access
from evaluation.models import Report
from evaluation.report.api.serializers import ExportSerializer
from evaluation.report.exports import bundle, files, ratings
from evaluation.report.selectors import reports as reads
from evaluation.report.services import early_reads, reports
from evaluation.staff_api import EvaluationViewSet
from ftplatform.api.endpoints import StaffViewSet, check, signed_in


class ReportViewSet(StaffViewSet):
    write_roles = EvaluationViewSet.write_roles
    write_scope = EvaluationViewSet.write_scope
    queryset = Report.objects.none()  # needed for the schema only; the rows come from the selectors

    @extend_schema(request=None, responses={200: OpenApiResponse(description="The report")})
    @action(detail=True, methods=["get", "post"])
    def report(self, request: Request, pk: UUID) -> Response:
        """GET returns the latest report. POST runs the planned analysis that is due."""
        campaign, user = access.campaign(user=signed_in(request), pk=pk), signed_in(request)
        if request.method == "POST":
            return Response(reports.take_look(campaign=campaign, user=user).result)
        latest = reads.latest_report(user=user, campaign=campaign)
        early_reads.note(report=latest, user=user)
        return Response(latest.result)

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
        """Export the ratings as a table, a report as a document, or everything as a zip."""
        values = check(ExportSerializer, request.query_params.dict())
        campaign, user, kind = (
            access.campaign(user=signed_in(request), pk=pk),
            signed_in(request),
            values["kind"],
        )
        if kind in ("csv", "parquet"):
            return ratings.download(campaign=campaign, user=user, variant=values["variant"], kind=kind)
        stored = reads.latest_report(user=user, campaign=campaign)
        if values["look"] is not None:
            stored = reads.report(user=user, campaign=campaign, look=values["look"])
        if kind == "zip":
            archive = bundle.bundle(report=stored, user=user)
            return FileResponse(archive, as_attachment=True, filename=f"report-look-{stored.look}.zip")
        return files.response(files.report_file(report=stored, user=user, kind=kind))
