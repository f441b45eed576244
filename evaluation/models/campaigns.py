"""A campaign: a review of pairs under one rubric, everything that matters frozen when it opens."""

import secrets
import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from evaluation.models.pairs import GenerationRun


class Campaign(models.Model):
    class Status(models.TextChoices):
        DRAFT = "draft", "Draft"
        OPEN = "open", "Open"
        PAUSED = "paused", "Paused"
        CLOSED = "closed", "Closed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    title = models.CharField(max_length=100, help_text="Reviewers see it: do not name a model.")
    run = models.ForeignKey(GenerationRun, on_delete=models.PROTECT, related_name="campaigns")
    status = models.CharField(max_length=10, choices=Status, default=Status.DRAFT)
    rubric_text = models.TextField(help_text="Markdown in the form dialect.")
    rubric = models.JSONField(help_text="The form parsed from it.")
    overlap = models.PositiveSmallIntegerField(help_text="Ratings per pair, exactly.")
    pairs_planned = models.PositiveIntegerField()
    lease_minutes = models.PositiveSmallIntegerField(default=30)
    max_per_reviewer = models.PositiveIntegerField(null=True, blank=True)
    plan = models.JSONField(default=dict, help_text="The analysis, frozen at opening.")
    plan_hash = models.CharField(max_length=64, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    opened_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    close_reason = models.TextField(blank=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(status="draft", opened_at__isnull=True)
                | ~Q(status="draft") & Q(opened_at__isnull=False) & ~Q(plan_hash=""),
                name="campaign_plan_frozen",
            ),
            models.CheckConstraint(
                condition=Q(overlap__gte=1, overlap__lte=100), name="campaign_overlap_range"
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def ratings_planned(self) -> int:
        return self.pairs_planned * self.overlap


def _invite_code() -> str:
    return secrets.token_urlsafe(16)


class Invite(models.Model):
    """A link that makes its holder a reviewer of one campaign, and nothing else."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="invites")
    code = models.CharField(max_length=40, unique=True, default=_invite_code)
    max_reviewers = models.PositiveIntegerField(default=1000)
    reviewers_joined = models.PositiveIntegerField(default=0)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(reviewers_joined__lte=F("max_reviewers")), name="invite_not_overfull"
            )
        ]

    @property
    def is_live(self) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > timezone.now())
