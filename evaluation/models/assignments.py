"""Assignments: which reviewer rates which pair on which side, enforced by database constraints."""

import hashlib
import secrets
import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q

from evaluation.models.campaigns import Campaign, Invite
from evaluation.models.pairs import Pair


class ReviewItem(models.Model):
    """A pair inside a campaign.

    It has exactly `overlap` slots. Slot k shows the candidate on `sides[k]`. Sides are drawn in balanced blocks of
    two when the campaign opens, so that a pair stays balanced in any order of events.

    A quality item is not part of the overlap or of any report. It has no slots to fill (`open_slots` 0, `sides` ""),
    and each reviewer sees it at most once, in the slot with the reviewer's number. Its `content` holds the texts: `a`
    and `b` take the places of candidate and baseline (`candidate_left` says whether `a` is left), an optional
    `prompt` replaces the pair's own, and `expected` lists the right answers out of a, b, tie, both_bad. A repeat has
    no `content`: it shows its pair again, with sides swapped, to a reviewer who has rated it.
    """

    class Kind(models.TextChoices):
        REAL = "real", "Real pair"
        DEGRADED = "degraded", "One side broken"
        REPEAT = "repeat", "Swapped repeat"
        IDENTICAL = "identical", "Identical sides"
        CHECK = "check", "Instruction check"

    kind = models.CharField(max_length=10, choices=Kind, default=Kind.REAL)
    # No index of its own: an index below starts with the campaign.
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="items", db_index=False)
    pair = models.ForeignKey(Pair, on_delete=models.PROTECT, related_name="+")
    rank = models.PositiveIntegerField(help_text="Place in the campaign's shuffled order.")
    sides = models.CharField(max_length=100, blank=True, help_text="One letter per slot: L or R.")
    open_slots = models.PositiveSmallIntegerField(help_text="Slots neither rated nor leased.")
    content = models.JSONField(null=True, help_text="{a, b, expected, prompt?} of a quality item.")

    class Meta:
        ordering = ["rank"]
        indexes = [
            models.Index(
                fields=["campaign", "-open_slots", "rank"], condition=Q(open_slots__gt=0), name="item_next"
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["campaign", "kind", "pair"], name="item_once"),
            models.CheckConstraint(
                condition=Q(kind="real") | Q(open_slots=0), name="item_quality_has_no_slots"
            ),
        ]

    @property
    def prompt(self) -> dict[str, Any]:
        """The prompt that its reviewers read: its own or the pair's, in the form of `Prompt.content`."""
        own: dict[str, Any] | None = (self.content or {}).get("prompt")
        return own or self.pair.prompt.content


class Reviewer(models.Model):
    """A participant of one campaign, often anonymous. The token identifies the reviewer."""

    class Status(models.TextChoices):
        ACTIVE = "active", "Active"
        COMPLETED = "completed", "Completed"
        SCREENED_OUT = "screened_out", "Screened out"
        FAILED = "failed", "Failed instruction checks"
        RETURNED = "returned", "Returned or timed out"

    class Pay(models.TextChoices):
        OPEN = "open", "Open"
        APPROVED = "approved", "Approved"
        REFUSED = "refused", "Refused"

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
    status = models.CharField(max_length=12, choices=Status, default=Status.ACTIVE)
    ended_at = models.DateTimeField(null=True, blank=True, help_text="When the status left active.")
    external_id = models.CharField(max_length=200, blank=True, help_text="The crowd platform's participant.")
    captured = models.JSONField(default=dict, help_text="Other parameters that the platform sent.")
    practice = models.JSONField(default=list, help_text="[{preference, right}] in the order of the items.")
    pay = models.CharField(max_length=10, choices=Pay, default=Pay.OPEN)
    pay_note = models.CharField(max_length=200, blank=True)
    erased_at = models.DateTimeField(null=True, blank=True)
    done: int | None = None  # real pairs rated, if already counted

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(
                fields=["campaign", "external_id"], condition=~Q(external_id=""), name="reviewer_external_id"
            ),
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
        SKIPPED = "skipped", "Skipped"

    HOLDING = (Status.LEASED, Status.RATED)

    token = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    item = models.ForeignKey(ReviewItem, on_delete=models.CASCADE, related_name="assignments")
    kind = models.CharField(
        max_length=10, choices=ReviewItem.Kind, default=ReviewItem.Kind.REAL, help_text="Its item's."
    )
    # No index of its own: two indexes below start with the reviewer.
    reviewer = models.ForeignKey(
        Reviewer, on_delete=models.CASCADE, related_name="assignments", db_index=False
    )
    slot = models.PositiveIntegerField()
    candidate_left = models.BooleanField()
    status = models.CharField(max_length=10, choices=Status, default=Status.LEASED)
    leased_at = models.DateTimeField(auto_now_add=True)
    lease_expires_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["lease_expires_at"], condition=Q(status="leased"), name="assignment_lease"),
            # Lets everything that decides a reviewer's next pair be counted in the index alone, which stays
            # fast for thousands of ratings.
            models.Index(fields=["reviewer", "status", "kind", "candidate_left"], name="assignment_behind"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["reviewer", "item"], name="assignment_once"),
            # Enforces the overlap: a slot has at most one holder, and an item has a fixed number of slots.
            models.UniqueConstraint(
                fields=["item", "slot"],
                condition=Q(status__in=["leased", "rated"]),
                name="assignment_slot_held_once",
            ),
        ]
