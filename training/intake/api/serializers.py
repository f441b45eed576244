"""Serializers for datasets and uploads."""

import json
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from training.intake import selectors
from training.intake.readers import Format
from training.models import Dataset, DatasetImport, Upload


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
            "test_rows",
            "output_schema",
            "facts",
            "created_at",
        ]
        read_only_fields = fields


class JSONText(serializers.JSONField):
    """A JSON value; in a multipart body, where every field is text, JSON text."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, str):
            try:
                data = json.loads(data)
            except (ValueError, RecursionError) as error:
                raise serializers.ValidationError(f"Not JSON: {error}.") from None
        return super().to_internal_value(data)


class WishesSerializer(serializers.Serializer[Dataset]):
    """How a dataset is made from a file. `mapping` has the fields of `ColumnMapping`, `saved_mapping` is the name of
    one that was saved; without `schema` it is inferred."""

    validation_percent = serializers.FloatField(default=10, min_value=0.1, max_value=90)
    test_percent = serializers.FloatField(default=0, min_value=0, max_value=90)
    mapping = JSONText(required=False, default=None)
    saved_mapping = serializers.CharField(required=False, default="", max_length=100)
    schema = JSONText(required=False, default=None)
    skip_bad_rows = serializers.BooleanField(default=False)


class DatasetUploadSerializer(WishesSerializer):
    """A multipart upload; the last three fields are a short mapping of `key=column` pairs, comma-separated."""

    name = serializers.CharField(max_length=100)
    file = serializers.FileField()
    instruction = serializers.CharField(required=False, default="")
    inputs = serializers.CharField(required=False, default="")
    outputs = serializers.CharField(required=False, default="")


class UploadWishesSerializer(WishesSerializer):
    name = serializers.CharField(max_length=100, required=False, default="")


class NewUploadSerializer(serializers.Serializer[Upload]):
    name = serializers.CharField(max_length=100)
    file = serializers.FileField()


class CheckSerializer(serializers.ModelSerializer[DatasetImport]):
    """The worker's progress with a large file; `step` of `total_steps` is in thousandths of the work."""

    class Meta:
        model = DatasetImport
        fields = [
            "id",
            "status",
            "stage",
            "step",
            "total_steps",
            "seconds_left",
            "error_code",
            "error_message",
            "problems",
            "created_at",
            "finished_at",
        ]
        read_only_fields = fields


class UploadSerializer(serializers.ModelSerializer[Upload]):
    format = serializers.ChoiceField(choices=Format.choices)
    check = serializers.SerializerMethodField(method_name="newest_check")

    class Meta:
        model = Upload
        fields = [
            "id",
            "name",
            "source_name",
            "format",
            "size_bytes",
            "dataset",
            "check",
            "created_at",
            "expires_at",
        ]
        read_only_fields = fields

    @extend_schema_field(CheckSerializer(allow_null=True))
    def newest_check(self, upload: Upload) -> Any:
        last = selectors.newest_import(upload)
        return CheckSerializer(last).data if last else None
