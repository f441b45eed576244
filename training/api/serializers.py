"""What the API says and accepts about datasets, models and training runs."""

from dataclasses import asdict
from typing import Any
from uuid import UUID

from rest_framework import serializers

from ftplatform.jobs.models import JobEvent
from training.checkpoints import Checkpoint
from training.models import ModelJob, ModelVersion, TrainingRun


class ModelVersionSerializer(serializers.ModelSerializer[ModelVersion]):
    merged = serializers.SerializerMethodField(help_text="The model that this adapter was merged into.")

    def get_merged(self, model: ModelVersion) -> UUID | None:
        merged = getattr(model, "merged", None)
        return merged.pk if merged else None

    class Meta:
        model = ModelVersion
        fields = [
            "id",
            "name",
            "kind",
            "stage",
            "weights_hash",
            "base",
            "run",
            "source",
            "merged",
            "hub_reference",
            "licence",
            "verified_at",
            "details",
            "is_demo",
            "created_at",
        ]
        read_only_fields = fields


class ExternalModelSerializer(serializers.Serializer[ModelVersion]):
    name = serializers.CharField(
        max_length=100, help_text="As the endpoint serves it, or as it is mapped there."
    )


class BaseModelSerializer(serializers.Serializer[ModelVersion]):
    name = serializers.CharField(max_length=100)
    path = serializers.CharField(max_length=1000)
    licence = serializers.CharField(max_length=100, required=False, default="", allow_blank=True)


class DownloadSerializer(serializers.Serializer[ModelJob]):
    """`reference` is organisation/name@commit with the commit's 40 digits; `confirmed` must be true."""

    name = serializers.CharField(max_length=100)
    reference = serializers.CharField(max_length=200)
    licence = serializers.CharField(max_length=100, required=False, default="", allow_blank=True)
    confirmed = serializers.BooleanField(default=False)


class StageSerializer(serializers.Serializer[ModelVersion]):
    stage = serializers.ChoiceField(choices=ModelVersion.Stage.choices)
    reason = serializers.CharField(max_length=2000)


class LicenceSerializer(serializers.Serializer[ModelVersion]):
    licence = serializers.CharField(max_length=100, allow_blank=True)


class ModelJobSerializer(serializers.ModelSerializer[ModelJob]):
    class Meta:
        model = ModelJob
        fields = [
            *("id", "kind", "name", "reference", "licence", "model", "status", "stage", "attempt"),
            *("error_code", "error_message", "created_at", "started_at", "finished_at"),
        ]
        read_only_fields = fields


class TrainingRunSerializer(serializers.ModelSerializer[TrainingRun]):
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


def checkpoint(found: Checkpoint) -> dict[str, Any]:
    """A checkpoint without its path, which is nobody's business outside the machine."""
    return {name: value for name, value in asdict(found).items() if name != "path"}


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
    """`from_step` names a checkpoint, 0 starts anew; `config` has only what is to change."""

    from_step = serializers.IntegerField(required=False, default=0, min_value=0)
    config = serializers.DictField(required=False, default=dict)
    priority = serializers.IntegerField(required=False, default=0, min_value=-100, max_value=100)
