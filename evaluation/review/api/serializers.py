"""Request formats of the reviewer endpoints."""

from typing import Any

from rest_framework import serializers

from evaluation.models import Rating


class AcceptSerializer(serializers.Serializer[Any]):
    """The platform's parameters as they came with the link, and consent to the conditions."""

    participant = serializers.DictField(
        child=serializers.CharField(max_length=200, allow_blank=True), required=False, default=dict
    )
    consent = serializers.BooleanField(required=False, default=False)


class RatingSerializer(serializers.Serializer[Rating]):
    """A rating as sent by a reviewer."""

    preference = serializers.ChoiceField(choices=Rating.Preference.choices)
    scores = serializers.DictField(required=False, default=dict)
    answers = serializers.DictField(required=False, default=dict)
    comment = serializers.CharField(required=False, default="", allow_blank=True)
    active_ms = serializers.IntegerField(required=False, default=0, min_value=0, max_value=2**31 - 1)
    hidden_ms = serializers.IntegerField(required=False, default=0, min_value=0, max_value=2**31 - 1)


class AfterSerializer(serializers.Serializer[Any]):
    """The pair that the reviewer is rating when they request the one after it."""

    after = serializers.UUIDField(required=False, default=None, allow_null=True)
