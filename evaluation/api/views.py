"""Endpoints of prompt sets, comparisons, campaigns and reports; the same services as the pages."""

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from evaluation import selectors
from evaluation.api import serializers
from evaluation.models import PromptSet
from evaluation.services import prompts
from ftplatform.accounts.models import ApiToken
from ftplatform.accounts.permissions import Staff
from ftplatform.api.endpoints import StaffViewSet, parse, signed_in
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
