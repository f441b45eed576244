"""Storing ratings: once, whole, for the sides that the reviewer saw, and never after the campaign has closed."""

from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from evaluation import rubrics
from evaluation.models import Assignment, Campaign, Rating, Reviewer
from evaluation.services.assignment import take_again
from ftplatform.errors import DomainError

MAX_COMMENT = 5000
MAX_ACTIVE_MS = 24 * 3600 * 1000


def submit(
    *,
    reviewer: Reviewer,
    token: UUID,
    preference: str,
    scores: dict[str, Any],
    answers: dict[str, Any],
    comment: str,
    active_ms: int,
) -> Rating:
    """Store a rating. The same one again answers with what is stored; a different one for the same pair is refused.

    Raises DomainError: `unknown_assignment`, `invalid_rating` with the fields, `already_rated`, `campaign_closed`,
    `campaign_paused`, `lease_expired_full` when the lease ran out and others have filled the pair meanwhile.
    """
    values = {
        "preference": preference,
        "scores": scores,
        "answers": answers,
        "comment": comment.strip(),
        "active_ms": min(max(active_ms, 0), MAX_ACTIVE_MS),
    }
    try:
        with transaction.atomic():
            return _submit(reviewer, token, values)
    except IntegrityError:
        # Two tabs or a retry stored it at the same moment, or another reviewer took the freed slot.
        with transaction.atomic():
            return _submit(reviewer, token, values)


def _submit(reviewer: Reviewer, token: UUID, values: dict[str, Any]) -> Rating:
    assignment = (
        Assignment.objects.select_for_update(of=("self",))
        .select_related("item__campaign", "reviewer__campaign")
        .filter(token=token, reviewer=reviewer)
        .first()
    )
    if assignment is None:
        raise DomainError("unknown_assignment", "This pair is not yours to rate.", status=404)
    stored = Rating.objects.filter(assignment=assignment).first()
    if stored is not None:
        return _same(stored, values)
    _check(assignment.item.campaign, values)
    if assignment.status == Assignment.Status.EXPIRED:
        _retake(assignment)
    assignment.status = Assignment.Status.RATED
    assignment.save(update_fields=["status", "slot"])
    item = assignment.item
    rating = Rating.objects.create(assignment=assignment, campaign=item.campaign, kind=item.kind, **values)
    # Read after the insert: the insert waits for a closing campaign, so this cannot see it still open.
    _require_accepting(Campaign.objects.values_list("status", flat=True).get(pk=assignment.item.campaign_id))
    return rating


def _same(stored: Rating, values: dict[str, Any]) -> Rating:
    if all(getattr(stored, name) == values[name] for name in ("preference", "scores", "answers", "comment")):
        return stored
    raise DomainError(
        "already_rated", "You have already rated this pair differently; the first rating stays."
    )


def _check(campaign: Campaign, values: dict[str, Any]) -> None:
    _require_accepting(campaign.status)
    problems = [
        {"field": problem.field, "message": problem.message}
        for problem in rubrics.validate_answers(
            rubrics.FormDefinition.from_json(campaign.rubric),
            values["scores"],
            values["answers"],
            values["preference"],
        )
    ]
    if values["preference"] not in Rating.Preference.values:
        problems.insert(
            0, {"field": "preference", "message": "Say which response is better, a tie, or both bad."}
        )
    if len(values["comment"]) > MAX_COMMENT:
        problems.append(
            {"field": "comment", "message": f"Keep the comment under {MAX_COMMENT:,} characters."}
        )
    if "\x00" in values["comment"]:
        problems.append(
            {"field": "comment", "message": "The comment contains a character that cannot be stored."}
        )
    if problems:
        raise DomainError(
            "invalid_rating", "Some answers are missing or not valid.", status=400, problems=problems
        )


def _require_accepting(status: str) -> None:
    if status == Campaign.Status.PAUSED:
        raise DomainError(
            "campaign_paused", "This review is paused; your answers are kept, please send them later."
        )
    if status != Campaign.Status.OPEN:
        raise DomainError("campaign_closed", "This review has ended; this rating was not counted.")


def _retake(assignment: Assignment) -> None:
    """Let a late rating in if a slot on the side that was shown is still free, so that balance holds too."""
    reviewer = assignment.reviewer
    cap = reviewer.campaign.max_per_reviewer
    if cap is not None and Rating.objects.filter(assignment__reviewer=reviewer, kind="real").count() >= cap:
        raise DomainError(
            "cap_reached", "You have rated as many pairs as one reviewer may; this one is not counted."
        )
    if not take_again(assignment):
        raise DomainError(
            "lease_expired_full",
            "Your time for this pair ran out and others have taken its place; this rating is not counted.",
        )
