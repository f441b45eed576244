"""Query parameters of exports."""

from typing import Any

from rest_framework import serializers


class ExportSerializer(serializers.Serializer[Any]):
    """Query parameters of the export endpoint."""

    kind = serializers.ChoiceField(
        choices=["csv", "parquet", "json", "md", "html", "pdf", "zip"], default="csv"
    )
    variant = serializers.ChoiceField(choices=["blinded", "unblinded"], default="blinded")
    look = serializers.IntegerField(min_value=1, required=False, default=None, allow_null=True)
