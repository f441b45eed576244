"""Models and model jobs as JSON."""

from uuid import UUID

from rest_framework import serializers

from training.models import ModelJob, ModelVersion


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


class ConversionSerializer(serializers.Serializer[ModelJob]):
    """`file` is the absolute path of a single GGUF file on the workers' machine."""

    name = serializers.CharField(max_length=100)
    file = serializers.CharField(max_length=1000)
    licence = serializers.CharField(max_length=100, required=False, default="", allow_blank=True)


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
