"""Endpoints of comparisons. They call the same services as the pages."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django_filters.rest_framework import FilterSet, ModelChoiceFilter
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from evaluation import access
from evaluation.comparison.api.figures import ComparisonActions
from evaluation.comparison.selectors import comparison_document, responses
from evaluation.comparison.services import comparisons, figures
from evaluation.models import Comparison, Failure, Timing
from evaluation.models.comparison_actions import ComparisonAction
from evaluation.staff_api import EvaluationViewSet
from ftplatform.api.endpoints import idempotency_key, parse, signed_in
from ftplatform.jobs import services as jobs
from training import access as training_access
from training.config import DecodingConfig
from training.runs import configs


class ComparisonSerializer(serializers.ModelSerializer[Comparison]):
    candidate = serializers.UUIDField(source="candidate.pk", read_only=True, help_text="The first candidate.")
    candidates = serializers.SerializerMethodField()
    actions = serializers.ListField(
        child=serializers.ChoiceField(choices=[action.value for action in ComparisonAction]),
        read_only=True,
        help_text="What can be done with it now.",
    )

    def get_candidates(self, comparison: Comparison) -> list[str]:
        return [str(model.pk) for model in comparison.candidates]

    class Meta:
        model = Comparison
        fields = [
            *(
                "id",
                "name",
                "prompt_set",
                "baseline",
                "candidate",
                "candidates",
                "engine",
                "parameters",
                "decoding",
                "facts",
            ),
            *("status", "stage", "step", "total_steps", "seconds_left", "error_code", "error_message"),
            *("created_at", "finished_at", "actions"),
        ]
        read_only_fields = fields


class GenerationLaunchSerializer(serializers.Serializer[Comparison]):
    name = serializers.CharField(max_length=100)
    prompt_set = serializers.UUIDField()
    candidate = serializers.UUIDField(required=False, help_text="Short for `candidates` of one.")
    candidates = serializers.ListField(child=serializers.UUIDField(), required=False, max_length=8)
    baseline = serializers.UUIDField(
        required=False, default=None, allow_null=True, help_text="The first candidate's base unless told."
    )
    engine = serializers.CharField(
        required=False, default="local", max_length=60, help_text="local, or a configured endpoint's name."
    )
    parameters = serializers.DictField(
        child=serializers.CharField(allow_blank=True),
        required=False,
        default=dict,
        help_text="Request parameter → its name at the endpoint; an empty name leaves it out.",
    )
    decoding = serializers.DictField(required=False, default=dict)
    leakage_reason = serializers.CharField(
        required=False,
        default="",
        allow_blank=True,
        max_length=1000,
        help_text="Why prompts that a model was trained on are used. It is shown with the results.",
    )
    leave_out_leaked = serializers.BooleanField(
        required=False,
        default=False,
        help_text="Leave out prompts that a model was trained on: the comparison has a new prompt set without them.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("candidate" in attrs) == ("candidates" in attrs):
            raise serializers.ValidationError({"candidates": "Give either candidate or candidates."})
        return attrs


class TimingSerializer(serializers.ModelSerializer[Timing]):
    prompt = serializers.CharField(source="prompt.key")
    token_ms = serializers.FloatField(help_text="For each output token after the first.")

    class Meta:
        model = Timing
        fields = [
            *("prompt", "model", "place", "input_tokens", "output_tokens"),
            *("first_token_ms", "token_ms", "total_ms"),
        ]


class FailureSerializer(serializers.ModelSerializer[Failure]):
    prompt = serializers.CharField(source="prompt.key")

    class Meta:
        model = Failure
        fields = ["prompt", "model", "sample", "code", "message", "at"]


class ComparisonFilter(FilterSet):  # type: ignore[misc]
    candidate = ModelChoiceFilter(
        field_name="comparison_candidates__model",
        queryset=lambda request: training_access.models(user=signed_in(request)),
    )

    class Meta:
        model = Comparison
        fields = ("status", "prompt_set")


class ComparisonViewSet(ComparisonActions, EvaluationViewSet):
    queryset = Comparison.objects.none()  # for the schema only; see get_queryset
    serializer_class = ComparisonSerializer
    filterset_class = ComparisonFilter
    filterset_fields = ("status", "prompt_set", "candidate")

    def get_queryset(self) -> QuerySet[Comparison]:
        return comparison_document.with_figures(access.comparisons(user=signed_in(self.request)))

    def _run(self, pk: UUID) -> Comparison:
        return comparison_document.comparison(user=signed_in(self.request), pk=pk)

    @extend_schema(request=GenerationLaunchSerializer, responses={201: ComparisonSerializer})
    def create(self, request: Request) -> Response:
        values = parse(GenerationLaunchSerializer, request)
        user = signed_in(request)
        candidates = values.get("candidates") or [values["candidate"]]
        comparison = comparisons.launch(
            user=user,
            name=values["name"],
            prompt_set=access.prompt_set(user=user, pk=values["prompt_set"]),
            candidates=[training_access.model(user=user, pk=pk) for pk in candidates],
            baseline=training_access.model(user=user, pk=values["baseline"]) if values["baseline"] else None,
            engine=values["engine"],
            parameters=values["parameters"],
            decoding=configs.check(DecodingConfig, values["decoding"]),
            idempotency_key=idempotency_key(request),
            leakage_reason=values["leakage_reason"],
            leave_out_leaked=values["leave_out_leaked"],
        )
        return Response(ComparisonSerializer(comparison).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=None, responses={200: ComparisonSerializer})
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: UUID) -> Response:
        jobs.cancel(job=self._run(pk), user=signed_in(request))
        return Response(ComparisonSerializer(self._run(pk)).data)

    @extend_schema(request=None, responses={200: ComparisonSerializer})
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: UUID) -> Response:
        """Stop after the current step and free the device. Stored responses are kept."""
        jobs.pause(job=self._run(pk), user=signed_in(request))
        return Response(ComparisonSerializer(self._run(pk)).data)

    @extend_schema(request=None, responses={200: ComparisonSerializer})
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: UUID) -> Response:
        jobs.resume(job=self._run(pk), user=signed_in(request))
        return Response(ComparisonSerializer(self._run(pk)).data)

    @extend_schema(request=None, responses={200: ComparisonSerializer})
    @action(detail=True, methods=["post"], url_path="try-again")
    def try_again(self, request: Request, pk: UUID) -> Response:
        """Queue a failed comparison again. Stored responses are kept; only missing ones are generated."""
        comparisons.try_again(user=signed_in(request), comparison=self._run(pk))
        return Response(ComparisonSerializer(self._run(pk)).data)

    @extend_schema(request=None, responses={202: ComparisonSerializer})
    @action(detail=True, methods=["post"], url_path="work-out")
    def work_out(self, request: Request, pk: UUID) -> Response:
        """Queue the computation of figures for a comparison that was created before figures were stored."""
        comparison = self._run(pk)
        figures.ask_for_figures(user=signed_in(request), comparison=comparison)
        return Response(ComparisonSerializer(comparison).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=None, responses={200: ComparisonSerializer})
    @action(detail=True, methods=["post"], url_path="leave-out-missing")
    def leave_out_missing(self, request: Request, pk: UUID) -> Response:
        """Compare only the prompts that every model answered. The comparison lists the prompts that were left out."""
        comparisons.leave_out_missing(user=signed_in(request), comparison=self._run(pk))
        return Response(ComparisonSerializer(self._run(pk)).data)

    @extend_schema(responses={200: TimingSerializer(many=True)}, filters=False)
    @action(detail=True, methods=["get"], filterset_class=None, filterset_fields=())
    def timings(self, request: Request, pk: UUID) -> Response:
        """Single-stream latencies in milliseconds, in the order of measurement."""
        rows = responses.timings(user=signed_in(request), comparison=self._run(pk))
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(TimingSerializer(page, many=True).data)

    @extend_schema(responses={200: FailureSerializer(many=True)}, filters=False)
    @action(detail=True, methods=["get"], filterset_class=None, filterset_fields=())
    def failures(self, request: Request, pk: UUID) -> Response:
        """Responses that have failed so far, with the reasons."""
        rows = responses.failures(user=signed_in(request), comparison=self._run(pk))
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(FailureSerializer(page, many=True).data)
