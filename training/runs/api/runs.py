"""Endpoints of training runs, on the same services as the pages."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from ftplatform.api.endpoints import StaffViewSet, idempotency_key, parse, signed_in
from ftplatform.jobs import services as jobs
from training import access
from training.config import TrainingConfig
from training.models import TrainingRun
from training.runs import configs, markdown
from training.runs.api import serializers
from training.runs.selectors import comparing, estimates, progress
from training.runs.services import runs

_RUN = OpenApiParameter(
    "run", UUID, many=True, required=True, description="One of the runs; give it 2 to 8 times."
)


class TrainingRunViewSet(ListModelMixin, RetrieveModelMixin, StaffViewSet):
    queryset = TrainingRun.objects.none()  # for the schema; the rows come from get_queryset
    serializer_class = serializers.TrainingRunSerializer
    filterset_fields = ("status", "dataset", "base_model", "retry_of")

    def get_queryset(self) -> QuerySet[TrainingRun]:
        return access.runs(user=signed_in(self.request))

    @extend_schema(request=serializers.LaunchSerializer, responses={201: serializers.TrainingRunSerializer})
    def create(self, request: Request) -> Response:
        values = parse(serializers.LaunchSerializer, request)
        user = signed_in(request)
        run = runs.launch(
            user=user,
            name=values["name"],
            dataset=access.dataset(user=user, pk=values["dataset"]),
            base_model=access.model(user=user, pk=values["base_model"]),
            config=configs.check(TrainingConfig, values["config"]),
            priority=values["priority"],
            idempotency_key=idempotency_key(request),
        )
        return Response(serializers.TrainingRunSerializer(run).data, status=status.HTTP_201_CREATED)

    def _now(self, request: Request, pk: UUID) -> Response:
        run = access.run(user=signed_in(request), pk=pk)
        return Response(serializers.TrainingRunSerializer(run).data)

    @extend_schema(request=None, responses={200: serializers.TrainingRunSerializer})
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: UUID) -> Response:
        user = signed_in(request)
        jobs.cancel(job=access.run(user=user, pk=pk), user=user)
        return self._now(request, pk)

    @extend_schema(request=None, responses={200: serializers.TrainingRunSerializer})
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: UUID) -> Response:
        user = signed_in(request)
        jobs.pause(job=access.run(user=user, pk=pk), user=user)
        return self._now(request, pk)

    @extend_schema(request=None, responses={200: serializers.TrainingRunSerializer})
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: UUID) -> Response:
        user = signed_in(request)
        jobs.resume(job=access.run(user=user, pk=pk), user=user)
        return self._now(request, pk)

    @extend_schema(request=serializers.PrioritySerializer, responses={200: serializers.TrainingRunSerializer})
    @action(detail=True, methods=["post"])
    def priority(self, request: Request, pk: UUID) -> Response:
        user = signed_in(request)
        values = parse(serializers.PrioritySerializer, request)
        jobs.prioritise(job=access.run(user=user, pk=pk), user=user, priority=values["priority"])
        return self._now(request, pk)

    @extend_schema(request=serializers.RetrySerializer, responses={201: serializers.TrainingRunSerializer})
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: UUID) -> Response:
        """A new run with the data and base of one that has ended, from one of its checkpoints or from the start."""
        user = signed_in(request)
        values = parse(serializers.RetrySerializer, request)
        run = access.run(user=user, pk=pk)
        new_run = runs.retry(
            user=user,
            run=run,
            from_step=values["from_step"],
            config=configs.check(TrainingConfig, run.config | values["config"]),
            priority=values["priority"],
            idempotency_key=idempotency_key(request),
        )
        return Response(serializers.TrainingRunSerializer(new_run).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=serializers.EstimateSerializer, responses={200: dict[str, Any]})
    @action(detail=False, methods=["post"])
    def estimate(self, request: Request) -> Response:
        """Estimated seconds, memory and cost of a run, with ranges; `runs` is the number of past runs used. Stores
        nothing.

        `seconds` is null while no run has finished here; the whole response is null when the base's size is unknown.
        """
        user = signed_in(request)
        values = parse(serializers.EstimateSerializer, request)
        forecast = estimates.forecast(
            dataset=access.dataset(user=user, pk=values["dataset"]),
            base_model=access.model(user=user, pk=values["base_model"]),
            config=configs.check(TrainingConfig, values["config"]),
        )
        return Response({"estimate": forecast.to_json() if forecast else None})

    @extend_schema(responses={200: dict[str, Any]}, parameters=[_RUN])
    @action(detail=False, methods=["get"])
    def compare(self, request: Request) -> Response:
        """Two or more runs: every setting in each run, whether it differs, and the first and last metrics."""
        chosen = comparing.comparable_runs(user=signed_in(request), ids=request.query_params.getlist("run"))
        results = comparing.results_compared(chosen)
        return Response(
            {
                "runs": [str(run.pk) for run in chosen],
                "settings": comparing.settings_compared(chosen),
                "results": [
                    {
                        "run": str(each["run"].pk),
                        "status": each["run"].status,
                        "metrics": each["metrics"],
                        **{split: _ends(row) for split, row in each["summary"].items()},
                    }
                    for each in results
                ],
            }
        )

    @extend_schema(request=None, responses={200: dict[str, Any]})
    @action(detail=True, methods=["get"])
    def metrics(self, request: Request, pk: UUID) -> Response:
        """The curves: for each split a list of steps with loss, token accuracy, tokens, learning rate, throughput and
        memory."""
        return Response(progress.curve(access.run(user=signed_in(request), pk=pk)))

    @extend_schema(request=None, responses={200: serializers.RunEventSerializer(many=True)})
    @action(detail=True, methods=["get"], pagination_class=None)
    def events(self, request: Request, pk: UUID) -> Response:
        """The run's newest hundred events, newest first."""
        events = progress.events(access.run(user=signed_in(request), pk=pk))
        return Response(serializers.RunEventSerializer(events, many=True).data)

    @extend_schema(request=None, responses={200: dict[str, Any]})
    @action(detail=True, methods=["get"])
    def samples(self, request: Request, pk: UUID) -> Response:
        """Answers to fixed validation prompts, by prompt and step."""
        samples = progress.samples(access.run(user=signed_in(request), pk=pk))
        answers = ("step", "text", "truncated")
        return Response(
            {
                "samples": [
                    {
                        **each,
                        "answers": [{name: getattr(a, name) for name in answers} for a in each["answers"]],
                    }
                    for each in samples
                ]
            }
        )

    @extend_schema(request=None, responses={200: dict[str, Any]})
    @action(detail=True, methods=["get"])
    def log(self, request: Request, pk: UUID) -> Response:
        """The last lines of the worker's log."""
        return Response({"lines": progress.log_tail(access.run(user=signed_in(request), pk=pk))})

    @extend_schema(request=None, responses={200: dict[str, Any]})
    @action(detail=True, methods=["get"])
    def checkpoints(self, request: Request, pk: UUID) -> Response:
        """The checkpoints now on disk, by step."""
        stored = access.run(user=signed_in(request), pk=pk).checkpoints
        return Response({"checkpoints": [serializers.checkpoint(each) for each in stored]})

    @extend_schema(request=None, responses={200: dict[str, Any]})
    @action(detail=True, methods=["get"])
    def summary(self, request: Request, pk: UUID) -> Response:
        """The run's facts in words, by name, and the same as Markdown."""
        run = access.run(user=signed_in(request), pk=pk)
        summary = comparing.run_summary(run)
        return Response(
            {
                "facts": dict(markdown.facts(run, summary)),
                "estimate_error": progress.estimate_error(run),
                "markdown": markdown.markdown(run, summary),
            }
        )


def _ends(row: dict[str, Any]) -> dict[str, Any]:
    names = ("step", "loss", "token_accuracy")
    return {end: {name: getattr(row[end], name) for name in names} for end in ("first", "last")}
