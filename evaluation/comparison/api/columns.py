"""The mapping of columns in requests that upload prompts or pairs."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from evaluation.comparison.readers import Columns
from evaluation.comparison.text_files import KINDS
from evaluation.models import PromptSet
from training.intake.api.serializers import JSONText

TEXT_KIND = OpenApiParameter("kind", str, enum=KINDS, description="jsonl unless told.")


class ColumnsSerializer(serializers.Serializer[PromptSet]):
    """Which column is which field, for files with other column names."""

    columns = JSONText(required=False, default=None, help_text="Object of field: column.")
    ignore_other_columns = serializers.BooleanField(
        default=False, help_text="Ignore columns that are no field; otherwise they are an error."
    )

    def validate_columns(self, value: Any) -> dict[str, str]:
        if value is None:
            return {}
        if not isinstance(value, dict) or not all(isinstance(column, str) for column in value.values()):
            raise serializers.ValidationError("Enter an object of field: column.")
        return value


def taken_columns(values: dict[str, Any]) -> Columns:
    """The mapping of a request, taken out of its values."""
    return Columns(values.pop("columns"), ignore_others=values.pop("ignore_other_columns"))
