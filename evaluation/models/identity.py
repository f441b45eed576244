"""Responses that may reveal which model wrote them, found before a campaign opens."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from evaluation.models.campaigns import Campaign
from evaluation.models.pairs import Pair


class IdentityHit(models.Model):
    """A pair in which the scan found words that may reveal a model.

    The side is deliberately not stored: a pair is quarantined or accepted as a whole, by the same rule for both
    sides.
    """

    class Decision(models.TextChoices):
        OPEN = "open", "Not decided"
        QUARANTINED = "quarantined", "Quarantined"
        ACCEPTED = "accepted", "Accepted"

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="identity_hits")
    pair = models.ForeignKey(Pair, on_delete=models.CASCADE, related_name="+")
    words = models.JSONField(help_text="What was found, in order of appearance.")
    decision = models.CharField(max_length=12, choices=Decision, default=Decision.OPEN)
    reason = models.TextField(blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    decided_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["pair_id"]
        constraints = [
            models.UniqueConstraint(fields=["campaign", "pair"], name="identity_hit_once"),
            models.CheckConstraint(
                condition=Q(decision="open") | Q(decided_at__isnull=False), name="identity_decision_dated"
            ),
        ]
