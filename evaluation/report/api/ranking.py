"""How more than two models rank, from every campaign that has ended."""

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
        """Davidson strengths with intervals and ranks, group by group of models that campaigns connect."""
        return Response(ranking(user=signed_in(request)))
