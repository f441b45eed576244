"""Skipped pairs and reported problems."""

from uuid import UUID

from django.db import transaction
from django.db.models import F

from evaluation.models import Assignment, Remark, Reviewer, ReviewItem
from evaluation.review.services.ratings import lock_own, require_accepting
from ftplatform.errors import DomainError

MAX_TEXT = 2000


@transaction.atomic
def skip(*, reviewer: Reviewer, token: UUID, reason: str, text: str) -> Remark:
    """Give a pair back, unrated: its slot is free at once, and this reviewer never gets it again.

    A second call changes nothing. Locks the assignment, then its item. Raises DomainError `skip_not_allowed`,
    `already_rated`, `invalid_remark`, `unknown_assignment`, `campaign_closed`, `campaign_paused`.
    """
    _check(reason, text)
    assignment = lock_own(reviewer, token)
    stored = assignment.remarks.filter(skipped=True).first()
    if stored is not None:
        return stored
    campaign = assignment.item.campaign
    campaign.refresh_from_db(fields=["status", "allow_skip"])
    require_accepting(campaign.status)
    if not campaign.allow_skip:
        raise DomainError(
            "skip_not_allowed",
            "In this review every pair is to be rated; choose “both bad” or “tie” instead.",
        )
    if assignment.status == Assignment.Status.RATED:
        raise DomainError("already_rated", "You have rated this pair; it cannot be skipped any more.")
    if assignment.status == Assignment.Status.LEASED and assignment.item.kind == ReviewItem.Kind.REAL:
        ReviewItem.objects.filter(pk=assignment.item_id).update(open_slots=F("open_slots") + 1)
    assignment.status = Assignment.Status.SKIPPED
    assignment.save(update_fields=["status"])
    return Remark.objects.create(assignment=assignment, skipped=True, reason=reason, text=text.strip())


@transaction.atomic
def report_problem(*, reviewer: Reviewer, token: UUID, reason: str, text: str) -> Remark:
    """Store a reported problem for the manager. The reviewer can still rate the pair.

    A later report replaces an earlier one. Locks the assignment. Raises DomainError `invalid_remark`,
    `unknown_assignment`.
    """
    _check(reason, text)
    assignment = lock_own(reviewer, token)
    values = {"reason": reason, "text": text.strip()}
    return Remark.objects.update_or_create(assignment=assignment, skipped=False, defaults=values)[0]


def _check(reason: str, text: str) -> None:
    if reason not in Remark.Reason.values:
        field, message = "reason", "Choose one of the reasons."
    elif len(text) > MAX_TEXT:
        field, message = "text", f"Keep it under {MAX_TEXT:,} characters."
    elif reason == Remark.Reason.OTHER and not text.strip():
        field, message = "text", "Say in a few words what it is."
    else:
        return
    problems = [{"field": field, "message": message}]
    raise DomainError("invalid_remark", message, status=400, problems=problems)
