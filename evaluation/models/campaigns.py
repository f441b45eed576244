"""A campaign: the review of pairs under one rubric. Its settings are frozen when it opens."""

import secrets
import uuid
from enum import StrEnum
from functools import cached_property
from typing import ClassVar, TypeAlias

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from evaluation.models.pairs import Comparison
from evaluation.models.rubrics import RubricVersion
from evaluation.rubrics import FormDefinition
from ftplatform.jobs.models import Job
from training.models import ModelVersion


class CampaignStatus(models.TextChoices):
    DRAFT = "draft", "Draft"
    OPEN = "open", "Open"
    PAUSED = "paused", "Paused"
    CLOSED = "closed", "Closed"
    ANALYSED = "analysed", "Analysed"


class CampaignAction(StrEnum):
    """Staff actions on a campaign; its state decides which are available."""

    EDIT = "edit"
    CHOOSE_PRACTICE = "choose_practice"
    CHECK_WORDS = "check_words"
    OPEN = "open"
    CANCEL_OPENING = "cancel_opening"
    PAUSE = "pause"
    RESUME = "resume"
    AMEND = "amend"
    INVITE = "invite"
    CLOSE = "close"
    ANALYSE = "analyse"
    EXTEND = "extend"
    CONFIRM = "confirm"


_RUNNING = frozenset({CampaignAction.AMEND, CampaignAction.INVITE, CampaignAction.CLOSE})
_ACTIONS: dict[str, frozenset[CampaignAction]] = {
    CampaignStatus.DRAFT: frozenset(
        {
            CampaignAction.EDIT,
            CampaignAction.CHOOSE_PRACTICE,
            CampaignAction.CHECK_WORDS,
            CampaignAction.OPEN,
        }
    ),
    CampaignStatus.OPEN: _RUNNING | {CampaignAction.PAUSE},
    CampaignStatus.PAUSED: _RUNNING | {CampaignAction.RESUME},
    CampaignStatus.CLOSED: frozenset(),
    CampaignStatus.ANALYSED: frozenset(),
}


def allowed_actions(
    status: str,
    *,
    opening: bool = False,
    analysis_due: bool = False,
    open_result: bool = False,
    extensible: bool = False,
) -> frozenset[CampaignAction]:
    """The actions that a campaign's state allows. Pages, API and services all call this function.

    `opening`: a job is opening the campaign, so the draft can only be cancelled. `analysis_due`: enough ratings are
    stored for the next planned analysis. `open_result`: the final analysis left the question open, and no campaign
    follows yet; `extensible`: its plan allows another stage.
    """
    if status == CampaignStatus.DRAFT:
        return frozenset({CampaignAction.CANCEL_OPENING}) if opening else _ACTIONS[status]
    if status == CampaignStatus.ANALYSED and open_result:
        return frozenset({CampaignAction.EXTEND if extensible else CampaignAction.CONFIRM})
    due = analysis_due and status != CampaignStatus.ANALYSED
    return _ACTIONS[status] | ({CampaignAction.ANALYSE} if due else frozenset())


class Campaign(models.Model):
    Status: TypeAlias = CampaignStatus

    OVER = (CampaignStatus.CLOSED, CampaignStatus.ANALYSED)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    title = models.CharField(max_length=100, help_text="Reviewers see it: do not name a model.")
    comparison = models.ForeignKey(Comparison, on_delete=models.PROTECT, related_name="campaigns")
    candidate = models.ForeignKey(
        ModelVersion, on_delete=models.PROTECT, related_name="+", help_text="Which of the run's candidates."
    )
    status = models.CharField(max_length=10, choices=CampaignStatus, default=CampaignStatus.DRAFT)
    rubric_text = models.TextField(help_text="Markdown in the form dialect.")
    rubric = models.JSONField(help_text="The form parsed from it.")
    overlap = models.PositiveSmallIntegerField(help_text="Ratings per pair, exactly.")
    pairs_planned = models.PositiveIntegerField()
    lease_minutes = models.PositiveSmallIntegerField(default=30)
    max_per_reviewer = models.PositiveIntegerField(null=True, blank=True)
    max_per_hour = models.PositiveIntegerField(null=True, blank=True, help_text="Pairs per reviewer.")
    is_pilot = models.BooleanField(
        default=False, help_text="Calibrates a plan; its ratings never enter a main analysis."
    )
    rubric_version = models.ForeignKey(
        RubricVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="campaigns"
    )
    instructions = models.TextField(blank=True, help_text="Shown before the rubric's own; plain text.")
    content_warning = models.TextField(blank=True, help_text="Shown before anything else when not empty.")
    consent = models.TextField(blank=True, help_text="Must be agreed to before joining when not empty.")
    language = models.CharField(
        max_length=10, blank=True, help_text="Of the review pages; the browser's if empty."
    )
    allow_markdown = models.BooleanField(default=False, help_text="Responses are rendered, sanitised.")
    allow_skip = models.BooleanField(default=True, help_text="Reviewers may skip a pair with a reason.")
    ask_tuned = models.BooleanField(default=True, help_text="Ask at the end which side was tuned.")
    edit_minutes = models.PositiveIntegerField(
        null=True, default=0, help_text="A rating may be edited so long; 0 never, empty until the close."
    )
    practice = models.JSONField(
        default=list,
        help_text="[{prompt: {instruction, input}, left, right, expected: [preference], explanation}]",
    )
    practice_pass = models.PositiveSmallIntegerField(
        default=0, help_text="Practice answers that must be right to qualify; 0 lets everybody in."
    )
    quality_every = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="One quality item after about so many pairs; none if empty."
    )
    exclude_flags = models.JSONField(
        default=list, help_text="Flags of evaluation.stats.reviewers that exclude in the second analysis."
    )
    crowd = models.JSONField(
        default=dict, help_text="A crowd platform, see evaluation.review.platforms; {} for none."
    )
    hourly_pay = models.DecimalField(max_digits=8, decimal_places=2, null=True, blank=True)
    currency = models.CharField(max_length=3, blank=True)
    plan = models.JSONField(default=dict, help_text="The analysis, frozen at opening.")
    plan_hash = models.CharField(max_length=64, blank=True)
    protocol_hash = models.CharField(
        max_length=64,
        blank=True,
        help_text="Of everything that a reviewer meets and how the analysis is done.",
    )
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    opened_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    close_reason = models.TextField(blank=True)
    follows = models.OneToOneField(
        "self",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="followed_by",
        help_text="The campaign that this one extends by a stage or confirms.",
    )
    elsewhere = models.JSONField(
        default=dict,
        help_text="Of ratings that were made elsewhere and imported: {file, ratings, sides_known, texts}; else {}.",
    )

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
        if self.elsewhere:
            return int(self.elsewhere["ratings"])
        return self.pairs_planned * self.overlap

    @property
    def sides_known(self) -> bool:
        """Whether the side on which each rating's reviewer saw the candidate is known."""
        return bool(self.elsewhere.get("sides_known", True))

    @property
    def has_texts(self) -> bool:
        """Whether prompts and responses are stored; imported ratings may come without."""
        return bool(self.elsewhere.get("texts", True))

    @property
    def is_over(self) -> bool:
        return self.status in self.OVER

    @cached_property
    def form(self) -> FormDefinition:
        """The form parsed from `rubric`."""
        return FormDefinition.from_json(self.rubric)

    @property
    def opening_under_way(self) -> "Opening | None":
        return self.openings.exclude(status__in=Job.TERMINAL).first()

    def actions(
        self, *, analysis_due: bool = False, open_result: bool = False, extensible: bool = False
    ) -> frozenset[CampaignAction]:
        """The actions that the campaign's state allows now. Before writing, lock the campaign's row and check again."""
        opening = self.status == CampaignStatus.DRAFT and self.opening_under_way is not None
        return allowed_actions(
            self.status,
            opening=opening,
            analysis_due=analysis_due,
            open_result=open_result,
            extensible=extensible,
        )

    def allows(self, action: CampaignAction) -> bool:
        return action in self.actions()


class Opening(Job):
    """A job that opens a campaign too large to open within a request.

    The campaign stays a draft, which nothing can change, until all pairs are drawn and hashed. If the job fails, the
    draft is unchanged.
    """

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="openings")

    class Meta:
        ordering: ClassVar[list[str]] = ["-created_at"]


class Amendment(models.Model):
    """A change to an open campaign, recorded with its reason; the report lists all amendments."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="amendments")
    changes = models.JSONField(help_text="field → [old, new]")
    reason = models.TextField()
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]


def _invite_code() -> str:
    return secrets.token_urlsafe(16)


class Invite(models.Model):
    """A link that makes its holder a reviewer of one campaign. It gives no other access."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="invites")
    code = models.CharField(max_length=40, unique=True, default=_invite_code)
    email = models.EmailField(blank=True, help_text="Of the one person it was sent to, else empty.")
    sent_at = models.DateTimeField(null=True, blank=True)
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
            ),
            models.UniqueConstraint(
                fields=["campaign", "email"],
                condition=~Q(email="") & Q(revoked_at__isnull=True),
                name="invite_once_per_address",
            ),
        ]

    @property
    def is_live(self) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > timezone.now())
