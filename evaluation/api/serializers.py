"""What the API says and accepts about comparisons and reviews."""

from typing import Any

from rest_framework import serializers

from evaluation.models import Campaign, PromptSet, Rating


class PromptSetSerializer(serializers.ModelSerializer[PromptSet]):
    class Meta:
        model = PromptSet
        fields = ["id", "name", "dataset", "size", "created_at"]
        read_only_fields = fields


class PromptSetCreateSerializer(serializers.Serializer[PromptSet]):
    name = serializers.CharField(max_length=100)
    dataset = serializers.UUIDField()
    limit = serializers.IntegerField(
        required=False, default=None, min_value=1, max_value=100_000, allow_null=True
    )


class CampaignSerializer(serializers.ModelSerializer[Campaign]):
    class Meta:
        model = Campaign
        fields = [
            "id",
            "title",
            "run",
            "candidate",
            "status",
            "overlap",
            "pairs_planned",
            "lease_minutes",
            "max_per_reviewer",
            "plan",
            "plan_hash",
            "created_at",
            "opened_at",
            "closed_at",
        ]
        read_only_fields = fields


class CampaignCreateSerializer(serializers.Serializer[Campaign]):
    title = serializers.CharField(max_length=100)
    run = serializers.UUIDField()
    candidate = serializers.UUIDField(
        required=False, default=None, allow_null=True, help_text="Only where the comparison has several."
    )
    rubric_text = serializers.CharField(max_length=100_000)
    overlap = serializers.IntegerField(min_value=1, max_value=100)
    pairs = serializers.IntegerField(
        required=False, default=None, min_value=1, max_value=1_000_000, allow_null=True
    )
    margin = serializers.FloatField(required=False, default=0.05, min_value=0.005, max_value=0.49)
    looks = serializers.ListField(child=serializers.FloatField(min_value=0.01, max_value=1), required=False)
    lease_minutes = serializers.IntegerField(required=False, default=30, min_value=1, max_value=1440)
    max_per_reviewer = serializers.IntegerField(
        required=False, default=None, min_value=1, max_value=1_000_000, allow_null=True
    )


class CloseSerializer(serializers.Serializer[Campaign]):
    reason = serializers.CharField(required=False, default="", allow_blank=True, max_length=500)


class AcceptSerializer(serializers.Serializer[Any]):
    """What joining may say: the platform's parameters as they came with the link, and agreement to the conditions."""

    participant = serializers.DictField(
        child=serializers.CharField(max_length=200, allow_blank=True), required=False, default=dict
    )
    consent = serializers.BooleanField(required=False, default=False)


class ExportSerializer(serializers.Serializer[Campaign]):
    """What is asked for in the address of an export."""

    kind = serializers.ChoiceField(
        choices=["csv", "parquet", "json", "md", "html", "pdf", "zip"], default="csv"
    )
    variant = serializers.ChoiceField(choices=["blinded", "unblinded"], default="blinded")
    look = serializers.IntegerField(min_value=1, required=False, default=None, allow_null=True)


class RatingSerializer(serializers.Serializer[Rating]):
    """What a reviewer sends."""

    preference = serializers.ChoiceField(choices=Rating.Preference.choices)
    scores = serializers.DictField(required=False, default=dict)
    answers = serializers.DictField(required=False, default=dict)
    comment = serializers.CharField(required=False, default="", allow_blank=True)
    active_ms = serializers.IntegerField(required=False, default=0, min_value=0, max_value=2**31 - 1)
    hidden_ms = serializers.IntegerField(required=False, default=0, min_value=0, max_value=2**31 - 1)


class AfterSerializer(serializers.Serializer[Any]):
    """Which pair a reviewer has in hand when they ask for the one to show after it."""

    after = serializers.UUIDField(required=False, default=None, allow_null=True)
