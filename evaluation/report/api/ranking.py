"""Endpoint that ranks more than two models across all finished campaigns."""

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from evaluation.report.selectors.ranking import ranking
from ftplatform.accounts.models import ApiToken
from ftplatform.accounts.permissions import RolePermission, Staff
from ftplatform.api.endpoints import signed_in


class RankingView(APIView):
    permission_classes = [RolePermission]
    read_roles = write_roles = Staff
    write_scope = ApiToken.Scope.EVALUATE

    @extend_schema(
        responses={200: OpenApiResponse(description="{groups: [{models, names, …}], campaigns, simulated}")}
    )
    def get(self, request: Request) -> Response:
        """Return Davidson log-strengths with intervals and ranks for each group of models that campaigns connect."""
        return Response(ranking(user=signed_in(request)))
