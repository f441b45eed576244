"""Serializers for datasets, models and training runs."""

from dataclasses import asdict
from typing import Any

from rest_framework import serializers

from ftplatform.jobs.models import JobEvent
from training.actions import RunAction
from training.checkpoints import Checkpoint
from training.models import TrainingRun


class TrainingRunSerializer(serializers.ModelSerializer[TrainingRun]):
    actions = serializers.ListField(
        child=serializers.ChoiceField(choices=[str(action) for action in RunAction]),
        read_only=True,
        help_text="What can be done with the run now.",
    )

    class Meta:
        model = TrainingRun
        fields = [
            "id",
            "name",
            "dataset",
            "base_model",
            "config",
            "status",
            "stage",
            "step",
            "total_steps",
            "seconds_left",
            "seconds_left_low",
            "seconds_left_high",
            "attempt",
            "priority",
            "cancel_requested",
            "pause_requested",
            "actions",
            "retry_of",
            "from_step",
            "estimate",
            "facts",
            "error_code",
            "error_message",
            "created_at",
            "started_at",
            "finished_at",
        ]
        read_only_fields = fields


class RunEventSerializer(serializers.ModelSerializer[JobEvent]):
    class Meta:
        model = JobEvent
        fields = ["at", "attempt", "old", "new", "message"]
        read_only_fields = fields


def checkpoint(saved: Checkpoint) -> dict[str, Any]:
    """A checkpoint without its path, which must not be visible outside the server."""
    return {name: value for name, value in asdict(saved).items() if name != "path"}


class LaunchSerializer(serializers.Serializer[TrainingRun]):
    name = serializers.CharField(max_length=80)
    dataset = serializers.UUIDField()
    base_model = serializers.UUIDField()
    config = serializers.DictField(required=False, default=dict)
    priority = serializers.IntegerField(required=False, default=0, min_value=-100, max_value=100)


class EstimateSerializer(serializers.Serializer[TrainingRun]):
    dataset = serializers.UUIDField()
    base_model = serializers.UUIDField()
    config = serializers.DictField(required=False, default=dict)


class PrioritySerializer(serializers.Serializer[TrainingRun]):
    priority = serializers.IntegerField(min_value=-100, max_value=100)


class RetrySerializer(serializers.Serializer[TrainingRun]):
    """`from_step` names a checkpoint, 0 restarts from the beginning; `config` has only the settings to change."""

    from_step = serializers.IntegerField(required=False, default=0, min_value=0)
    config = serializers.DictField(required=False, default=dict)
    priority = serializers.IntegerField(required=False, default=0, min_value=-100, max_value=100)
