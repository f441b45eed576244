"""Endpoints of prompt sets. They call the same services as the pages."""

from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from evaluation import access
from evaluation.comparison import text_files
from evaluation.comparison.api.columns import TEXT_KIND, ColumnsSerializer, taken_columns
from evaluation.comparison.services import checks, figures, prompts
from evaluation.models import PromptSet
from evaluation.staff_api import EvaluationViewSet
from ftplatform.api.endpoints import parse, signed_in
from training import access as training_access
from training.intake import schemas
from training.models import Dataset


class PromptSetSerializer(serializers.ModelSerializer[PromptSet]):
    leakage = serializers.SerializerMethodField()

    def get_leakage(self, prompt_set: PromptSet) -> list[dict[str, Any]]:
        return [
            {"dataset": str(each.dataset_id), "exact": each.exact, "near": each.near, "reason": each.reason}
            for each in prompt_set.leakage_checks.all()
        ]

    class Meta:
        model = PromptSet
        fields = [
            "id",
            "name",
            "dataset",
            "source",
            "size",
            "field_rules",
            "schema",
            "check_name",
            "leakage",
            "created_at",
        ]
        read_only_fields = fields


class _Common(serializers.Serializer[PromptSet]):
    name = serializers.CharField(max_length=100)
    leakage_reason = serializers.CharField(
        required=False,
        default="",
        allow_blank=True,
        max_length=1000,
        help_text="Why prompts in the training data are used. It is shown with the results.",
    )
    leave_out_leaked = serializers.BooleanField(
        required=False, default=False, help_text="Leave out prompts that are in the training data."
    )


class PromptSetCreateSerializer(_Common):
    """Create from a dataset's held-out rows, or from typed `prompts`: objects with the fields of a prompt file, such as
    `prompt` or `messages`. `against` names a dataset to check typed prompts against."""

    dataset = serializers.UUIDField(required=False, default=None, allow_null=True)
    prompts = serializers.ListField(
        child=serializers.DictField(), required=False, default=None, allow_null=True, max_length=10_000
    )
    against = serializers.UUIDField(required=False, default=None, allow_null=True)
    limit = serializers.IntegerField(
        required=False, default=None, min_value=1, max_value=100_000, allow_null=True
    )
    tag_fields = serializers.ListField(
        child=serializers.CharField(max_length=200), required=False, default=None, allow_null=True
    )

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        if (values["dataset"] is None) == (values["prompts"] is None):
            raise serializers.ValidationError("Give either a dataset or prompts.")
        return values


class PromptFileSerializer(ColumnsSerializer, _Common):
    file = serializers.FileField(help_text="JSON, CSV or Parquet, see the guide.")
    against = serializers.UUIDField(required=False, default=None, allow_null=True)
    limit = serializers.IntegerField(
        required=False, default=None, min_value=1, max_value=100_000, allow_null=True
    )


class DeclareSerializer(serializers.Serializer[PromptSet]):
    old_names: ClassVar[dict[str, str]] = {"comparisons": "field_rules"}

    field_rules = serializers.DictField(
        help_text="Field path → {kind, tolerance?, relative_tolerance?, options?}."
    )
    schema = serializers.DictField(required=False, default=None, allow_null=True)


class PromptSetViewSet(EvaluationViewSet):
    queryset = PromptSet.objects.none()  # for the schema only; see get_queryset
    serializer_class = PromptSetSerializer
    filterset_fields = ("name", "dataset")

    def get_queryset(self) -> QuerySet[PromptSet]:
        return access.prompt_sets(user=signed_in(self.request)).prefetch_related("leakage_checks")

    def _created(self, prompt_set: PromptSet) -> Response:
        return Response(PromptSetSerializer(prompt_set).data, status=status.HTTP_201_CREATED)

    def _dataset(self, pk: UUID | None) -> Dataset | None:
        return training_access.dataset(user=signed_in(self.request), pk=pk) if pk else None

    @extend_schema(request=PromptSetCreateSerializer, responses={201: PromptSetSerializer})
    def create(self, request: Request) -> Response:
        values = parse(PromptSetCreateSerializer, request)
        user = signed_in(request)
        common = {name: values[name] for name in ("name", "leakage_reason", "leave_out_leaked")}
        if values["prompts"] is not None:
            against = self._dataset(values["against"])
            return self._created(prompts.typed(user=user, rows=values["prompts"], against=against, **common))
        return self._created(
            prompts.from_dataset(
                user=user,
                dataset=training_access.dataset(user=user, pk=values["dataset"]),
                limit=values["limit"],
                tag_fields=values["tag_fields"],
                **common,
            )
        )

    @extend_schema(request=PromptFileSerializer, responses={201: PromptSetSerializer})
    @action(detail=False, methods=["post"], parser_classes=[MultiPartParser])
    def upload(self, request: Request) -> Response:
        values = parse(PromptFileSerializer, request)
        values["against"] = self._dataset(values["against"])
        columns, source_name = taken_columns(values), values["file"].name
        return self._created(
            prompts.from_file(user=signed_in(request), source_name=source_name, columns=columns, **values)
        )

    @extend_schema(
        operation_id="prompt_sets_prompts",
        parameters=[TEXT_KIND],
        responses={200: OpenApiResponse(description="The file")},
    )
    @action(detail=True, methods=["get"])
    def prompts(self, request: Request, pk: UUID) -> HttpResponseBase:
        """All prompts as a file that can be uploaded again; conversations have `messages` and `tools`."""
        prompt_set = access.prompt_set(user=signed_in(request), pk=pk)
        return text_files.prompts(prompt_set, request.query_params.get("kind", "jsonl"))

    @extend_schema(request=None, responses={200: PromptSetSerializer(many=True)})
    @action(detail=False, methods=["post"])
    def checks(self, request: Request) -> Response:
        """Create the missing prompt sets of the built-in safety and bias checks."""
        return Response(PromptSetSerializer(checks.add(user=signed_in(request)), many=True).data)

    @extend_schema(
        request=DeclareSerializer,
        responses={200: OpenApiResponse(description="{matched}: responses matched again")},
    )
    @action(detail=True, methods=["post"], url_path="field-rules")
    def field_rules(self, request: Request, pk: UUID) -> Response:
        """Set how fields are compared, and match all responses to the prompt set again."""
        values = parse(DeclareSerializer, request)
        user = signed_in(request)
        schema = schemas.check(values["schema"]) if values["schema"] else values["schema"]
        done = figures.declare(
            user=user,
            prompt_set=access.prompt_set(user=user, pk=pk),
            field_rules=values["field_rules"],
            schema=schema,
        )
        return Response({"matched": done})
