"""Pay of participants: amounts, decisions, and the files for settling them with a platform."""

from collections.abc import Iterator
from typing import Any

from django.db import transaction
from django.db.models import Count, Q, Sum

from evaluation.models import Campaign, Rating, Reviewer
from evaluation.review.services import crowd, quality
from ftplatform.accounts import audit
from ftplatform.accounts.models import User
from ftplatform.errors import DomainError


def decisions(reviewer: Reviewer, checks_failed: int) -> frozenset[str]:
    """The possible decisions on a reviewer's pay. Refusing requires failed instruction checks."""
    if reviewer.is_simulated:
        return frozenset()
    possible = {Reviewer.Pay.APPROVED.value}
    if checks_failed >= quality.CHECKS_FAILED:
        possible.add(Reviewer.Pay.REFUSED.value)
    return frozenset(possible - {reviewer.pay})


@transaction.atomic
def set_pay(*, reviewer: Reviewer, user: User, pay: str, note: str = "") -> None:
    """Record that a participant's pay is approved, refused or open again.

    Refusing requires two failed instruction checks. Opinions, speed and agreement never affect pay.
    """
    if pay not in Reviewer.Pay.values:
        raise DomainError("invalid_pay", f"Choose from {', '.join(Reviewer.Pay.values)}.", status=400)
    if pay == Reviewer.Pay.REFUSED:
        failed = quality.checks_failed(reviewer)
        if failed < quality.CHECKS_FAILED:
            raise DomainError(
                "pay_is_due",
                f"You can refuse pay only after {quality.CHECKS_FAILED} failed instruction checks. "
                f"Reviewer {reviewer.number} failed {failed}.",
            )
    old = reviewer.pay
    reviewer.pay, reviewer.pay_note = pay, note.strip()[:200]
    reviewer.save(update_fields=["pay", "pay_note"])
    audit.record(actor=user, action="reviewer.pay", target=reviewer, old=old, new=pay)


@transaction.atomic
def approve_completed(*, campaign: Campaign, user: User) -> int:
    """Approve the open pay of all reviewers who completed; returns their number."""
    done = campaign.reviewers.filter(
        status=Reviewer.Status.COMPLETED, pay=Reviewer.Pay.OPEN, is_simulated=False
    ).update(pay=Reviewer.Pay.APPROVED)
    audit.record(actor=user, action="campaign.approve_pay", target=campaign, number=done)
    return done


def reconciliation(campaign: Campaign) -> Iterator[dict[str, Any]]:
    """One row for each reviewer who is not simulated: participant, ratings, time, code, amount, pay status."""
    rows = campaign.reviewers.filter(is_simulated=False).annotate(
        rated=Count("assignments__rating", filter=Q(assignments__rating__kind="real")),
        quality=Count("assignments__rating", filter=~Q(assignments__rating__kind="real")),
        active_ms=Sum("assignments__rating__active_ms"),
    )
    for reviewer in rows.order_by("number").iterator(chunk_size=500):
        reviewer.campaign = campaign
        end = crowd.ending(reviewer, done=reviewer.rated)
        minutes = (reviewer.active_ms or 0) / 60_000
        amount = round(float(campaign.hourly_pay) * minutes / 60, 2) if campaign.hourly_pay else None
        yield {
            "reviewer": reviewer.number,
            "participant": reviewer.external_id,
            **{name: reviewer.captured.get(name, "") for name in campaign.crowd.get("captured", [])},
            "status": reviewer.status,
            "ratings": reviewer.rated,
            "quality_items": reviewer.quality,
            "active_minutes": round(minutes, 1),
            "code": end.code if end else "",
            "amount": amount,
            "currency": campaign.currency,
            "pay": reviewer.pay,
            "note": reviewer.pay_note,
        }


Table = tuple[list[str], Iterator[list[Any]]]


def reconciliation_table(campaign: Campaign) -> Table:
    """Header and rows of `reconciliation`."""
    captured = campaign.crowd.get("captured", [])
    columns = ["reviewer", "participant", *captured, "status", "ratings", "quality_items", "active_minutes"]
    columns += ["code", "amount", "currency", "pay", "note"]
    return columns, ([row[name] for name in columns] for row in reconciliation(campaign))


def ratings_table(campaign: Campaign) -> Table:
    """One row per rating: participant, time, status and pay. No answers."""
    columns = ["rating", "reviewer", "participant", "kind", "submitted_at", "active_s", "status", "pay"]
    return columns, _rating_rows(campaign)


def _rating_rows(campaign: Campaign) -> Iterator[list[Any]]:
    rows = Rating.objects.filter(campaign=campaign, assignment__reviewer__is_simulated=False).order_by("pk")
    related = rows.select_related("assignment__reviewer")
    for rating in related.iterator(chunk_size=2000):
        who = rating.assignment.reviewer
        at = rating.submitted_at.isoformat(timespec="seconds")
        seconds = round(rating.active_ms / 1000, 1)
        yield [rating.pk, who.number, who.external_id, rating.kind, at, seconds, who.status, who.pay]
