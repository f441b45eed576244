"""What a reviewer said."""

from django.db import models
from django.db.models import Q

from evaluation.models.assignments import Assignment, ReviewItem
from evaluation.models.campaigns import Campaign


class Rating(models.Model):
    """A submitted assignment, stored as the reviewer saw it: left and right, never base and tuned."""

    class Preference(models.TextChoices):
        LEFT = "left", "Left is better"
        RIGHT = "right", "Right is better"
        TIE = "tie", "Equally good"
        BOTH_BAD = "both_bad", "Both are bad"

    assignment = models.OneToOneField(Assignment, on_delete=models.CASCADE, related_name="rating")
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="ratings")
    kind = models.CharField(
        max_length=10,
        choices=ReviewItem.Kind,
        default=ReviewItem.Kind.REAL,
        help_text="Its item's; only real ones count.",
    )
    preference = models.CharField(max_length=10, choices=Preference)
    scores = models.JSONField(help_text="criterion → {left, right}")
    answers = models.JSONField(default=dict)
    comment = models.TextField(blank=True)
    active_ms = models.PositiveIntegerField(default=0)
    submitted_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["campaign", "kind"], name="rating_counted")]
        constraints = [
            models.CheckConstraint(
                condition=Q(preference__in=["left", "right", "tie", "both_bad"]),
                name="rating_preference_known",
            )
        ]
