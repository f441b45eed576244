"""The life of a campaign: plan, open (everything freezes), invite, close."""

import random
import secrets
from dataclasses import asdict
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from evaluation import rubrics
from evaluation.models import Campaign, GenerationRun, Invite, Pair, ReviewItem
from evaluation.services import identity_scan
from evaluation.stats import Plan
from ftplatform.accounts import audit
from ftplatform.accounts.models import User
from ftplatform.errors import DomainError
from training.models import ModelVersion

MAX_LOOKS = 6


def create(
    *,
    user: User,
    title: str,
    run: GenerationRun,
    candidate: ModelVersion | None = None,
    rubric_text: str,
    overlap: int,
    pairs: int | None = None,
    margin: float = 0.05,
    looks: tuple[float, ...] = (1.0,),
    lease_minutes: int = 30,
    max_per_reviewer: int | None = None,
) -> Campaign:
    """Draft a campaign over `pairs` (all unless told) of one candidate of a finished generation run."""
    candidate = _candidate(run, candidate)
    available = reviewable(run, candidate).count()
    if run.status != run.Status.SUCCEEDED or not available:
        raise DomainError(
            "run_incomplete", "Both sides must be complete: wait until the comparison has succeeded."
        )
    wanted = available if pairs is None else pairs
    if not 1 <= wanted <= available:
        raise DomainError(
            "too_many_pairs", f"The comparison has {available:,} pairs; ask for 1 to that.", status=400
        )
    form = _parse_rubric(rubric_text)
    plan = read_plan(
        {
            "margin": margin,
            "looks": looks,
            "criteria": criteria(form.to_json()),
            "planned_ratings": wanted * overlap,
        }
    )
    with transaction.atomic():
        campaign = Campaign.objects.create(
            title=title,
            run=run,
            candidate=candidate,
            rubric_text=rubric_text,
            rubric=form.to_json(),
            overlap=overlap,
            pairs_planned=wanted,
            lease_minutes=lease_minutes,
            max_per_reviewer=max_per_reviewer,
            plan=asdict(plan),
            created_by=user,
        )
        audit.record(actor=user, action="campaign.create", target=campaign)
        return campaign


def _candidate(run: GenerationRun, candidate: ModelVersion | None) -> ModelVersion:
    if candidate is None and len(run.candidates) > 1:
        names = ", ".join(model.name for model in run.candidates)
        raise DomainError(
            "choose_candidate", f"The comparison has several candidates; choose one of {names}.", status=400
        )
    if candidate is not None and candidate not in run.candidates:
        raise DomainError(
            "foreign_candidate", f"The comparison {run} has no candidate {candidate}.", status=400
        )
    return candidate or run.candidate


def reviewable(run: GenerationRun, candidate: ModelVersion) -> QuerySet[Pair]:
    """The pairs that people may review: the first sample, so that every prompt counts once."""
    return Pair.objects.filter(run=run, candidate_model=candidate, sample=0)


def read_plan(values: dict[str, Any]) -> Plan:
    """The plan with these values, also from JSON; raises DomainError `invalid_plan` for values that make none."""
    plain: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
    }
    try:
        plan = Plan(**plain)
    except ValueError as error:
        raise DomainError("invalid_plan", f"This makes no plan: {error}.", status=400) from error
    if not plan.looks or plan.looks[-1] != 1 or len(plan.looks) > MAX_LOOKS:
        raise DomainError(
            "invalid_plan", f"Plan one to {MAX_LOOKS} looks, the last of them at 1, the end.", status=400
        )
    return plan


def _parse_rubric(text: str) -> rubrics.FormDefinition:
    try:
        form = rubrics.parse(text)
    except rubrics.RubricError as error:
        raise DomainError("invalid_rubric", str(error), status=400) from error
    if not criteria(form.to_json()):
        raise DomainError(
            "no_criteria", "The rubric needs at least one scale that rates each side.", status=400
        )
    return form


def criteria(rubric: dict[str, Any]) -> list[str]:
    """Keys of the per-side scales, in the rubric's order: what the report analyses."""
    return [field["key"] for field in rubric["fields"] if field["kind"] == "scale" and field["per"] == "side"]


def open_campaign(*, campaign: Campaign, user: User) -> Invite:
    """Freeze the plan, draw pairs and sides, make the first invite link. Opening twice changes nothing.

    Raises DomainError `identity_words` while the scan's hits await a decision, `too_many_pairs` when quarantine has
    left fewer than planned.
    """
    if campaign.status == Campaign.Status.DRAFT:
        identity_scan.require_decided(campaign=campaign)  # what it finds stays, though the opening fails
    return _open(campaign, user)


@transaction.atomic
def _open(campaign: Campaign, user: User) -> Invite:
    campaign = Campaign.objects.select_for_update().get(pk=campaign.pk)
    if campaign.status != Campaign.Status.DRAFT:
        return campaign.invites.earliest("id")
    campaign.plan_hash = read_plan(campaign.plan).hash()
    campaign.status, campaign.opened_at = Campaign.Status.OPEN, timezone.now()
    campaign.save(update_fields=["plan_hash", "status", "opened_at"])
    _draw_items(campaign)
    audit.record(actor=user, action="campaign.open", target=campaign, plan_hash=campaign.plan_hash)
    return Invite.objects.create(campaign=campaign)


def _draw_items(campaign: Campaign) -> None:
    """Choose and shuffle the pairs and draw each slot's side, all from the system's secure generator."""
    rng = secrets.SystemRandom()
    held_back = identity_scan.quarantined(campaign)
    usable = reviewable(campaign.run, campaign.candidate).exclude(pk__in=held_back)
    pairs = list(usable.values_list("pk", flat=True))
    if len(pairs) < campaign.pairs_planned:
        raise DomainError(
            "too_many_pairs",
            f"{len(held_back):,} pairs are quarantined, which leaves {len(pairs):,} of the "
            f"{campaign.pairs_planned:,} planned. Plan fewer pairs, or accept some of the quarantined ones.",
        )
    chosen = rng.sample(pairs, campaign.pairs_planned)
    ReviewItem.objects.bulk_create(
        [
            ReviewItem(
                campaign=campaign,
                pair_id=pair,
                rank=rank,
                sides=draw_sides(campaign.overlap, rng),
                open_slots=campaign.overlap,
            )
            for rank, pair in enumerate(chosen)
        ],
        batch_size=1000,
    )


def draw_sides(overlap: int, rng: random.Random) -> str:
    """`overlap` letters in blocks of two, each block LR or RL at random; an odd last letter is a fair coin."""
    blocks = "".join(rng.choice(("LR", "RL")) for _ in range((overlap + 1) // 2))
    return blocks[:overlap]


@transaction.atomic
def replace_invite(*, campaign: Campaign, user: User) -> Invite:
    """Withdraw every link and make a new one; who has joined stays a reviewer."""
    campaign.invites.filter(revoked_at__isnull=True).update(revoked_at=timezone.now())
    audit.record(actor=user, action="campaign.replace_invite", target=campaign)
    return Invite.objects.create(campaign=campaign)


@transaction.atomic
def pause(*, campaign: Campaign, user: User) -> None:
    _move(campaign, user, to=Campaign.Status.PAUSED, allowed=(Campaign.Status.OPEN,))


@transaction.atomic
def resume(*, campaign: Campaign, user: User) -> None:
    _move(campaign, user, to=Campaign.Status.OPEN, allowed=(Campaign.Status.PAUSED,))


@transaction.atomic
def close(*, campaign: Campaign, user: User, reason: str) -> None:
    """End the campaign for good. Ratings that are being stored at this moment are waited for; none comes after."""
    open_or_paused = (Campaign.Status.OPEN, Campaign.Status.PAUSED)
    _move(campaign, user, to=Campaign.Status.CLOSED, allowed=open_or_paused, reason=reason)


def _move(
    campaign: Campaign,
    user: User,
    *,
    to: Campaign.Status,
    allowed: tuple[Campaign.Status, ...],
    reason: str = "",
) -> None:
    # FOR UPDATE conflicts with the key-share lock that every insert of a rating takes on its campaign.
    locked = Campaign.objects.select_for_update().get(pk=campaign.pk)
    if locked.status == to:
        return
    if locked.status not in allowed:
        raise DomainError(
            "wrong_status", f"A campaign that is {locked.get_status_display().lower()} cannot do that."
        )
    old, locked.status = locked.status, to
    if to == Campaign.Status.CLOSED:
        locked.closed_at, locked.close_reason = timezone.now(), reason
    locked.save(update_fields=["status", "closed_at", "close_reason"])
    audit.record(actor=user, action=f"campaign.{to}", target=locked, old=old, reason=reason)
