"""Request and response formats of campaigns and rubrics. The services check the values of settings."""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from evaluation.models import Campaign, CampaignAction, Opening, Reviewer, RubricVersion
from evaluation.review.selectors import follow_ups, planned_analyses
from evaluation.stats.reviewers import ReviewerQuality
from evaluation.stats.stages import MAX_EXTENSIONS


class CampaignSerializer(serializers.ModelSerializer[Campaign]):
    class Meta:
        model = Campaign
        fields = [
            *("id", "title", "comparison", "candidate", "status", "is_pilot", "overlap", "pairs_planned"),
            *("lease_minutes", "max_per_reviewer", "max_per_hour", "edit_minutes", "quality_every"),
            *("instructions", "content_warning", "consent", "language", "allow_markdown", "allow_skip"),
            *("ask_tuned", "practice", "practice_pass", "exclude_flags", "crowd", "hourly_pay", "currency"),
            *("rubric_version", "plan", "plan_hash", "protocol_hash", "created_at", "opened_at", "closed_at"),
            *("close_reason", "follows"),
        ]
        read_only_fields = fields


class CampaignDetailSerializer(CampaignSerializer):
    allowed_actions = serializers.SerializerMethodField(help_text="What the campaign's state allows now.")

    class Meta(CampaignSerializer.Meta):
        fields = [*CampaignSerializer.Meta.fields, "allowed_actions"]
        read_only_fields = fields

    @extend_schema_field(serializers.ListField(child=serializers.ChoiceField(choices=list(CampaignAction))))
    def get_allowed_actions(self, campaign: Campaign) -> list[str]:
        due = planned_analyses.next_look(campaign)["due"]
        return sorted(campaign.actions(analysis_due=due, **follow_ups.state(campaign)._asdict()))


def opening(job: Opening) -> dict[str, Any]:
    """Progress (`step` of `total_steps`), and the reason if it failed."""
    names = ("status", "stage", "step", "total_steps", "seconds_left", "error_code", "error_message")
    return {name: getattr(job, name) for name in names}


class _Settings(serializers.Serializer[Campaign]):
    """Settings of a campaign. All are optional."""

    lease_minutes = serializers.IntegerField(required=False, min_value=1, max_value=1440)
    max_per_reviewer = serializers.IntegerField(
        required=False, min_value=1, max_value=1_000_000, allow_null=True
    )
    max_per_hour = serializers.IntegerField(required=False, min_value=1, max_value=10_000, allow_null=True)
    is_pilot = serializers.BooleanField(required=False)
    instructions = serializers.CharField(required=False, allow_blank=True, max_length=10_000)
    content_warning = serializers.CharField(required=False, allow_blank=True, max_length=10_000)
    consent = serializers.CharField(required=False, allow_blank=True, max_length=10_000)
    language = serializers.CharField(required=False, allow_blank=True, max_length=10)
    allow_markdown = serializers.BooleanField(required=False)
    allow_skip = serializers.BooleanField(required=False)
    ask_tuned = serializers.BooleanField(required=False)
    edit_minutes = serializers.IntegerField(required=False, min_value=0, max_value=525_600, allow_null=True)
    practice = serializers.ListField(child=serializers.DictField(), required=False, max_length=20)
    practice_pass = serializers.IntegerField(required=False, min_value=0, max_value=20)
    quality_every = serializers.IntegerField(required=False, min_value=1, max_value=1000, allow_null=True)
    exclude_flags = serializers.ListField(child=serializers.CharField(), required=False, max_length=20)
    crowd = serializers.DictField(required=False)
    hourly_pay = serializers.DecimalField(
        required=False, allow_null=True, max_digits=8, decimal_places=2, min_value=0
    )
    currency = serializers.CharField(required=False, allow_blank=True, max_length=3)
    rubric_version = serializers.IntegerField(
        required=False, help_text="A version of the library, in place of `rubric_text`."
    )


class CampaignCreateSerializer(_Settings):
    old_names: ClassVar[dict[str, str]] = {"run": "comparison"}

    title = serializers.CharField(max_length=100)
    comparison = serializers.UUIDField()
    candidate = serializers.UUIDField(
        required=False, default=None, allow_null=True, help_text="Only where the comparison has several."
    )
    rubric_text = serializers.CharField(required=False, max_length=100_000)
    overlap = serializers.IntegerField(min_value=1, max_value=100)
    pairs = serializers.IntegerField(
        required=False, default=None, min_value=1, max_value=1_000_000, allow_null=True
    )
    margin = serializers.FloatField(required=False, default=0.05, min_value=0.005, max_value=0.49)
    looks = serializers.ListField(child=serializers.FloatField(min_value=0.01, max_value=1), required=False)
    cluster = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=200,
        help_text="Tag of the prompts that are sampled together, such as topic or customer.",
    )
    watched = serializers.BooleanField(
        required=False, help_text="Results may be seen at any time, as a confidence sequence."
    )
    extensions = serializers.IntegerField(
        required=False,
        min_value=0,
        max_value=MAX_EXTENSIONS,
        help_text="How many stages may follow an open result. All stages share the level, so each is stricter.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("rubric_text" in attrs) == ("rubric_version" in attrs):
            raise serializers.ValidationError(
                {"rubric_text": "Give either `rubric_text` or `rubric_version`."}
            )
        return attrs


class CampaignUpdateSerializer(_Settings):
    title = serializers.CharField(required=False, max_length=100)
    rubric_text = serializers.CharField(required=False, max_length=100_000)
    overlap = serializers.IntegerField(required=False, min_value=1, max_value=100)
    pairs = serializers.IntegerField(required=False, min_value=1, max_value=1_000_000)
    margin = serializers.FloatField(required=False, min_value=0.005, max_value=0.49)
    looks = serializers.ListField(child=serializers.FloatField(min_value=0.01, max_value=1), required=False)
    cluster = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=200,
        help_text="Tag of the prompts that are sampled together, such as topic or customer.",
    )
    watched = serializers.BooleanField(
        required=False, help_text="Results may be seen at any time, as a confidence sequence."
    )
    extensions = serializers.IntegerField(
        required=False,
        min_value=0,
        max_value=MAX_EXTENSIONS,
        help_text="How many stages may follow an open result. All stages share the level, so each is stricter.",
    )


class CloseSerializer(serializers.Serializer[Campaign]):
    reason = serializers.CharField(
        required=False,
        default="",
        allow_blank=True,
        max_length=500,
        help_text="Needed before the planned end.",
    )


class AmendSerializer(serializers.Serializer[Campaign]):
    """Only the given settings change. Overlap and pairs can only grow, and only before the first planned analysis."""

    reason = serializers.CharField(max_length=500)
    lease_minutes = serializers.IntegerField(required=False, min_value=1, max_value=1440)
    max_per_reviewer = serializers.IntegerField(
        required=False, min_value=1, max_value=1_000_000, allow_null=True
    )
    max_per_hour = serializers.IntegerField(required=False, min_value=1, max_value=10_000, allow_null=True)
    overlap = serializers.IntegerField(required=False, min_value=1, max_value=100)
    pairs_planned = serializers.IntegerField(required=False, min_value=1, max_value=1_000_000)


class InviteSerializer(serializers.Serializer[Any]):
    """`addresses` creates a personal link for each address. Without it, one shared link is created."""

    addresses = serializers.ListField(
        child=serializers.CharField(max_length=254), required=False, max_length=1000
    )
    max_reviewers = serializers.IntegerField(required=False, min_value=1, max_value=100_000)
    days = serializers.IntegerField(required=False, default=None, allow_null=True, min_value=1, max_value=365)


class ReturnedSerializer(serializers.Serializer[Any]):
    participants = serializers.ListField(child=serializers.CharField(max_length=200), max_length=10_000)


class PaySerializer(serializers.Serializer[Any]):
    reviewer = serializers.IntegerField(min_value=1)
    pay = serializers.ChoiceField(choices=Reviewer.Pay.choices)
    note = serializers.CharField(required=False, default="", allow_blank=True, max_length=200)


class EraseSerializer(serializers.Serializer[Any]):
    reviewer = serializers.IntegerField(min_value=1)


class PlanSerializer(serializers.Serializer[Any]):
    """A design to evaluate. Differences are shares of the win score (0.1 is ten percentage points)."""

    pairs = serializers.IntegerField(min_value=2, max_value=1_000_000)
    overlap = serializers.IntegerField(min_value=1, max_value=100)
    reviewers = serializers.IntegerField(min_value=2, max_value=100_000)
    effect = serializers.FloatField(required=False, default=0.1, min_value=0.01, max_value=0.45)
    panel = serializers.ChoiceField(required=False, default="crowd", choices=["experts", "crowd"])
    seconds = serializers.FloatField(required=False, default=90, min_value=1, max_value=7200)
    hourly_pay = serializers.FloatField(
        required=False, default=None, allow_null=True, min_value=0, max_value=10_000
    )


class RubricSaveSerializer(serializers.Serializer[RubricVersion]):
    name = serializers.CharField(max_length=100)
    text = serializers.CharField(max_length=100_000, trim_whitespace=False)


class RubricVersionSerializer(serializers.ModelSerializer[RubricVersion]):
    name = serializers.CharField(source="rubric.name", read_only=True)

    class Meta:
        model = RubricVersion
        fields = ["id", "rubric", "name", "number", "text", "content_hash", "created_at"]
        read_only_fields = fields


def reviewer_row(reviewer: Reviewer, quality: ReviewerQuality | None) -> dict[str, Any]:
    """A reviewer as shown to staff: how they worked, never what they chose."""
    return {
        "number": reviewer.number,
        "participant": reviewer.external_id,
        "status": reviewer.status,
        "is_simulated": reviewer.is_simulated,
        "ratings": reviewer.rated,  # type: ignore[attr-defined]
        "quality_items": reviewer.met,  # type: ignore[attr-defined]
        "active_ms": reviewer.active_ms or 0,  # type: ignore[attr-defined]
        "agreement": quality.agreement if quality else None,
        "words_per_minute": quality.words_per_minute if quality else None,
        "checks": quality.checks if quality else 0,
        "checks_failed": quality.checks_failed if quality else 0,
        "flags": [{"code": flag.code, "reason": flag.reason} for flag in quality.flags] if quality else [],
        "pay": reviewer.pay,
        "erased_at": reviewer.erased_at,
    }
