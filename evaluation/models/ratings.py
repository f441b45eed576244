"""Ratings and other answers of reviewers."""

from django.db import models
from django.db.models import Q

from evaluation.models.assignments import Assignment, Reviewer, ReviewItem
from evaluation.models.campaigns import Campaign


class Rating(models.Model):
    """A submitted assignment, stored as the reviewer saw it: left and right, never baseline and candidate."""

    class Preference(models.TextChoices):
        LEFT = "left", "Left is better"
        RIGHT = "right", "Right is better"
        TIE = "tie", "Equally good"
        BOTH_BAD = "both_bad", "Both are bad"

    assignment = models.OneToOneField(Assignment, on_delete=models.CASCADE, related_name="rating")
    # No index of its own: the index below starts with the campaign.
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="ratings", db_index=False)
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
    hidden_ms = models.PositiveIntegerField(default=0, help_text="The page was in the background so long.")
    submitted_at = models.DateTimeField(auto_now_add=True)
    revised_at = models.DateTimeField(null=True, help_text="When its reviewer last changed it.")

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["campaign", "kind"], name="rating_counted")]
        constraints = [
            models.CheckConstraint(
                condition=Q(preference__in=["left", "right", "tie", "both_bad"]),
                name="rating_preference_known",
            )
        ]


class Revision(models.Model):
    """The earlier content of a rating that its reviewer changed. The rating itself holds the current content."""

    rating = models.ForeignKey(Rating, on_delete=models.CASCADE, related_name="revisions")
    preference = models.CharField(max_length=10, choices=Rating.Preference)
    scores = models.JSONField()
    answers = models.JSONField(default=dict)
    comment = models.TextField(blank=True)
    active_ms = models.PositiveIntegerField(default=0)
    hidden_ms = models.PositiveIntegerField(default=0)
    written_at = models.DateTimeField(help_text="When this was the rating's last word.")
    replaced_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]


class Draft(models.Model):
    """The reviewer's unfinished rating, stored so that they can continue on another device. Only the latest is kept."""

    reviewer = models.OneToOneField(Reviewer, on_delete=models.CASCADE, related_name="draft")
    assignment = models.ForeignKey(Assignment, on_delete=models.CASCADE, related_name="+")
    content = models.JSONField()
    saved_at = models.DateTimeField(auto_now=True)


class Remark(models.Model):
    """Why a reviewer skipped a pair, or the problem they reported with a pair that they still rated."""

    class Reason(models.TextChoices):
        UNREADABLE = "unreadable", "Cannot be read or displayed"
        LANGUAGE = "language", "In a language I do not know"
        KNOWLEDGE = "knowledge", "Needs knowledge that I do not have"
        HARMFUL = "harmful", "Upsetting or harmful"
        PERSONAL = "personal", "Contains personal data"
        REVEALS = "reveals", "Tells where a response comes from"
        OTHER = "other", "Something else"

    assignment = models.ForeignKey(Assignment, on_delete=models.CASCADE, related_name="remarks")
    skipped = models.BooleanField(help_text="The pair was given back, unrated.")
    reason = models.CharField(max_length=12, choices=Reason)
    text = models.TextField(blank=True)
    made_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["assignment", "skipped"], name="remark_once")]


class TunedGuess(models.Model):
    """The closing question: which response of the last pair came from the tuned model? Asked once per reviewer."""

    class Side(models.TextChoices):
        LEFT = "left", "Left"
        RIGHT = "right", "Right"
        UNSURE = "unsure", "Cannot tell"

    reviewer = models.OneToOneField(Reviewer, on_delete=models.CASCADE, related_name="tuned_guess")
    assignment = models.ForeignKey(Assignment, on_delete=models.CASCADE, related_name="+")
    side = models.CharField(max_length=10, choices=Side)
    made_at = models.DateTimeField(auto_now_add=True)
