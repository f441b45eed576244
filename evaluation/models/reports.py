"""Frozen analyses."""

import uuid

from django.conf import settings
from django.db import models

from evaluation.models.campaigns import Campaign


class Report(models.Model):
    """The result of one planned analysis of a campaign, computed once and never changed."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="reports")
    look = models.PositiveSmallIntegerField(help_text="1 is the first planned look; the last one is final.")
    is_final = models.BooleanField()
    fraction = models.FloatField(help_text="Share of the planned ratings at this look; 1 for the final one.")
    result = models.JSONField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-look"]
        constraints = [models.UniqueConstraint(fields=["campaign", "look"], name="report_look")]
