"""What the API says and accepts about datasets, models and training runs."""

from rest_framework import serializers

from training.models import Dataset, ModelVersion, TrainingRun


class DatasetSerializer(serializers.ModelSerializer[Dataset]):
    class Meta:
        model = Dataset
        fields = [
            "id",
            "name",
            "version",
            "content_hash",
            "source_name",
            "train_rows",
            "validation_rows",
            "created_at",
        ]
        read_only_fields = fields


class DatasetUploadSerializer(serializers.Serializer[Dataset]):
    """A multipart upload; the last three fields are for CSV and map `key=column` pairs, comma-separated."""

    name = serializers.CharField(max_length=100)
    file = serializers.FileField()
    validation_percent = serializers.FloatField(default=10, min_value=0.1, max_value=90)
    instruction = serializers.CharField(required=False, default="")
    inputs = serializers.CharField(required=False, default="")
    outputs = serializers.CharField(required=False, default="")


class ModelVersionSerializer(serializers.ModelSerializer[ModelVersion]):
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
            "details",
            "is_demo",
            "created_at",
        ]
        read_only_fields = fields


class BaseModelSerializer(serializers.Serializer[ModelVersion]):
    name = serializers.CharField(max_length=100)
    path = serializers.CharField(max_length=1000)


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
            "attempt",
            "cancel_requested",
            "error_code",
            "error_message",
            "created_at",
            "started_at",
            "finished_at",
        ]
        read_only_fields = fields


class LaunchSerializer(serializers.Serializer[TrainingRun]):
    name = serializers.CharField(max_length=80)
    dataset = serializers.UUIDField()
    base_model = serializers.UUIDField()
    config = serializers.DictField(required=False, default=dict)
    priority = serializers.IntegerField(required=False, default=0, min_value=-100, max_value=100)
