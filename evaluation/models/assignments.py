"""Who may rate which pair on which side, guarded by constraints rather than by manners."""

import hashlib
import secrets
import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from evaluation.models.campaigns import Campaign, Invite
from evaluation.models.pairs import Pair


class ReviewItem(models.Model):
    """A pair inside a campaign. It has exactly `overlap` slots; slot k shows the candidate on `sides[k]`, drawn in
    balanced blocks of two when the campaign opens, so that no order of events can unbalance a pair."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="items")
    pair = models.ForeignKey(Pair, on_delete=models.PROTECT, related_name="+")
    rank = models.PositiveIntegerField(help_text="Place in the campaign's shuffled order.")
    sides = models.CharField(max_length=100, help_text="One letter per slot: L or R.")
    open_slots = models.PositiveSmallIntegerField(help_text="Slots neither rated nor leased.")

    class Meta:
        ordering = ["rank"]
        indexes = [
            models.Index(
                fields=["campaign", "-open_slots", "rank"], condition=Q(open_slots__gt=0), name="item_next"
            ),
        ]
        constraints = [models.UniqueConstraint(fields=["campaign", "pair"], name="item_once")]


class Reviewer(models.Model):
    """A participant of one campaign, often anonymous: whoever holds the token is the reviewer."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="reviewers")
    invite = models.ForeignKey(Invite, null=True, on_delete=models.SET_NULL, related_name="+")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="reviewing"
    )
    number = models.PositiveIntegerField(help_text="Pseudonym within the campaign.")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    completion_code = models.CharField(max_length=20, editable=False)
    is_simulated = models.BooleanField(default=False, help_text="A program, not a person.")
    joined_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["campaign", "number"], name="reviewer_number"),
            models.UniqueConstraint(fields=["campaign", "user"], name="reviewer_user"),
        ]

    @staticmethod
    def digest_of(token: str) -> str:
        return hashlib.sha256(token.encode()).hexdigest()

    @staticmethod
    def new_token() -> str:
        return secrets.token_urlsafe(32)


class Assignment(models.Model):
    """A reviewer's lease on one slot of an item, with its own left/right order."""

    class Status(models.TextChoices):
        LEASED = "leased", "Leased"
        RATED = "rated", "Rated"
        EXPIRED = "expired", "Expired"

    HOLDING = (Status.LEASED, Status.RATED)

    token = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    item = models.ForeignKey(ReviewItem, on_delete=models.CASCADE, related_name="assignments")
    reviewer = models.ForeignKey(Reviewer, on_delete=models.CASCADE, related_name="assignments")
    slot = models.PositiveSmallIntegerField()
    candidate_left = models.BooleanField()
    status = models.CharField(max_length=10, choices=Status, default=Status.LEASED)
    leased_at = models.DateTimeField(auto_now_add=True)
    lease_expires_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["lease_expires_at"], condition=Q(status="leased"), name="assignment_lease"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["reviewer", "item"], name="assignment_once"),
            # The overlap's hard guarantee: a slot has one holder, and an item has only so many slots.
            models.UniqueConstraint(
                fields=["item", "slot"],
                condition=Q(status__in=["leased", "rated"]),
                name="assignment_slot_held_once",
            ),
        ]
