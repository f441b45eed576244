"""What the API says and accepts about comparisons and reviews."""

from typing import Any

from rest_framework import serializers

from evaluation.models import Rating


class AcceptSerializer(serializers.Serializer[Any]):
    """What joining may say: the platform's parameters as they came with the link, and agreement to the conditions."""

    participant = serializers.DictField(
        child=serializers.CharField(max_length=200, allow_blank=True), required=False, default=dict
    )
    consent = serializers.BooleanField(required=False, default=False)


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
