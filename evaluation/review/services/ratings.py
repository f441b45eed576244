"""Storing ratings: once, whole, for the sides that the reviewer saw, and never after the campaign has closed."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, IntegrityError, transaction
from django.db.models import Count, Subquery
from django.utils import timezone

from evaluation import rubrics
from evaluation.models import Assignment, Campaign, Rating, Reviewer, Revision
from evaluation.review.services.assignments import Again, next_for, offer, take_again
from ftplatform import prepared
from ftplatform.errors import DomainError

MAX_COMMENT = 5000
MAX_MS = 24 * 3600 * 1000
ANSWERS = ("preference", "scores", "answers", "comment")
# Nearly every rating is of a lease that still stands, and one statement finds, checks and keeps it.
_RATE = (
    "UPDATE evaluation_assignment SET status = 'rated'"
    " WHERE token = %s AND reviewer_id = %s AND status = 'leased' RETURNING id, item_id, kind"
)
_OWN = prepared.Select(
    lambda token, reviewer: (
        Assignment.objects.select_for_update(of=("self",))
        .select_related("item")
        .filter(token=token, reviewer=reviewer)
        .order_by()
    ),
    UUID(int=1),
    987_654_321,
)


def _count_of(reviewer: int) -> Subquery:
    """How many real pairs a reviewer has rated, NULL for none: counted in an index."""
    rated = Assignment.objects.filter(reviewer=reviewer, status=Assignment.Status.RATED, kind="real")
    return Subquery(rated.order_by().values("reviewer").annotate(count=Count("pk")).values("count"))


_AFTERWARDS = prepared.Select(
    lambda campaign, reviewer: (
        Campaign.objects.filter(pk=campaign)
        .annotate(done=_count_of(reviewer))
        .values_list("status", "done")
        .order_by()
    ),
    UUID(int=1),
    987_654_321,
    shared=True,
)


def submit(
    *,
    reviewer: Reviewer,
    token: UUID,
    preference: str,
    scores: dict[str, Any],
    answers: dict[str, Any],
    comment: str,
    active_ms: int,
    hidden_ms: int = 0,
) -> Rating:
    """Store a rating. The same one again answers with what is stored; a different one for the same pair is refused.

    Raises DomainError: `unknown_assignment`, `invalid_rating` with the fields, `already_rated`, `campaign_closed`,
    `campaign_paused`, `skipped`, `cap_reached`, `lease_expired_full` when the lease ran out and others have filled
    the pair meanwhile.
    """
    values = _values(preference, scores, answers, comment, active_ms, hidden_ms)
    late = False
    while True:
        try:
            with transaction.atomic():
                if late:
                    _alone(reviewer)
                return _submit(reviewer, token, values, late)
        except _CameLate:
            late = True
        except IntegrityError:
            # Two tabs or a retry stored it at the same moment, or another reviewer took the freed slot.
            with transaction.atomic():
                _alone(reviewer)
                return _submit(reviewer, token, values, late=True)


def submit_and_go_on(
    *, reviewer: Reviewer, token: UUID, after: UUID | None, **said: Any
) -> tuple[Rating, Assignment | None]:
    """`submit` and then `next_for` in one transaction, which spares a commit; None if there is no next pair to show.

    When anything is out of the ordinary each has one of its own, because the rating is stored whatever becomes of the
    next pair. Raises what `submit` raises.
    """
    try:
        with transaction.atomic():
            rating = _submit(reviewer, token, _values(**said), late=False)
            return rating, offer(reviewer, after)
    except (DomainError, IntegrityError, Again):
        rating = submit(reviewer=reviewer, token=token, **said)
    try:
        return rating, next_for(reviewer=reviewer, after=after)
    except DomainError:
        return rating, None


class _CameLate(Again):
    """The lease ran out, so the rating needs a slot anew: their own caps are to be counted under a lock."""


def _alone(reviewer: Reviewer) -> None:
    """Lock the reviewer before anything else, as `next` does, which may be handing them another pair just now."""
    Reviewer.objects.select_for_update(no_key=True).only("pk").get(pk=reviewer.pk)


def _values(
    preference: str,
    scores: dict[str, Any],
    answers: dict[str, Any],
    comment: str,
    active_ms: int,
    hidden_ms: int = 0,
) -> dict[str, Any]:
    return {
        "preference": preference,
        "scores": scores,
        "answers": answers,
        "comment": comment.strip(),
        "active_ms": min(max(active_ms, 0), MAX_MS),
        "hidden_ms": min(max(hidden_ms, 0), MAX_MS),
    }


def _submit(reviewer: Reviewer, token: UUID, values: dict[str, Any], late: bool) -> Rating:
    assignment = _rated(reviewer, token)
    if assignment is not None:
        _check(reviewer.campaign, values)
    else:
        assignment = lock_own(reviewer, token)
        if assignment.status == Assignment.Status.RATED:
            stored = Rating.objects.get(assignment=assignment)
            stored.assignment = assignment
            return _same(stored, values)
        _check(reviewer.campaign, values)
        _retake(assignment, late)
    rating = Rating(assignment=assignment, campaign=reviewer.campaign, kind=assignment.kind, **values)
    prepared.insert(rating)
    # Waits for a closing campaign, and a close waits for this rating: it counts at the close, or is refused.
    ((status, done),) = _AFTERWARDS.all(reviewer.campaign_id, reviewer.pk)
    require_accepting(status)
    reviewer.done = done or 0
    return rating


def _rated(reviewer: Reviewer, token: UUID) -> Assignment | None:
    """This reviewer's lease, from now on rated, with the fields that a rating needs; None if they hold none by this
    token."""
    found = prepared.rows(_RATE, token, reviewer.pk)
    if not found:
        return None
    key, item, kind = found[0]
    names = ["id", "token", "item_id", "kind", "reviewer_id", "status"]
    values = [key, token, item, kind, reviewer.pk, Assignment.Status.RATED.value]
    assignment = Assignment.from_db(DEFAULT_DB_ALIAS, names, values)
    assignment.reviewer = reviewer
    return assignment


def lock_own(reviewer: Reviewer, token: UUID) -> Assignment:
    """This reviewer's assignment, locked, with its item and campaign. Raises DomainError `unknown_assignment`."""
    assignment = _OWN.first(token, reviewer.pk)
    if assignment is None:
        raise DomainError("unknown_assignment", "This pair is not yours to rate.", status=404)
    # The campaign came with the reviewer; whether it still takes ratings is asked again where that matters.
    assignment.reviewer, assignment.item.campaign = reviewer, reviewer.campaign
    return assignment


def _same(stored: Rating, values: dict[str, Any]) -> Rating:
    if _is_same(stored, values):
        return stored
    raise DomainError(
        "already_rated",
        "You have already rated this pair differently; the first rating stays.",
        status=422,
    )


def _is_same(stored: Rating, values: dict[str, Any]) -> bool:
    return all(getattr(stored, name) == values[name] for name in ANSWERS)


@transaction.atomic
def revise(
    *,
    reviewer: Reviewer,
    token: UUID,
    preference: str,
    scores: dict[str, Any],
    answers: dict[str, Any],
    comment: str,
    active_ms: int,
    hidden_ms: int = 0,
) -> Rating:
    """Change a stored rating while the campaign allows it; what it said before is kept as a Revision.

    The same answers again change nothing. Raises DomainError `not_rated`, `edit_closed`, and what `submit` raises.
    """
    values = _values(preference, scores, answers, comment, active_ms, hidden_ms)
    assignment = lock_own(reviewer, token)
    # Waits for a closing campaign; "no key" so that ratings, which refer to the campaign, need not wait.
    campaign = Campaign.objects.select_for_update(no_key=True).get(pk=assignment.item.campaign_id)
    rating = Rating.objects.select_for_update().filter(assignment=assignment).first()
    if rating is None:
        raise DomainError("not_rated", "You have not rated this pair yet.")
    if _is_same(rating, values):
        return rating
    _check(campaign, values)
    if not may_edit(campaign, rating.submitted_at):
        raise DomainError("edit_closed", "This rating cannot be changed any more; it stays as it is.")
    before = {name: getattr(rating, name) for name in values}
    Revision.objects.create(rating=rating, written_at=rating.revised_at or rating.submitted_at, **before)
    for name, value in values.items():
        setattr(rating, name, value)
    rating.revised_at = timezone.now()
    rating.save(update_fields=[*values, "revised_at"])
    return rating


def may_edit(campaign: Campaign, submitted_at: datetime) -> bool:
    """Whether a rating of this time may still be changed: so many minutes, or until the close."""
    if campaign.status != Campaign.Status.OPEN:
        return False
    if campaign.edit_minutes is None:
        return True
    return timezone.now() < submitted_at + timedelta(minutes=campaign.edit_minutes)


def _check(campaign: Campaign, values: dict[str, Any]) -> None:
    require_accepting(campaign.status)
    found = rubrics.validate_answers(campaign.form, values["scores"], values["answers"], values["preference"])
    problems = [{"field": problem.field, "message": problem.message} for problem in found]
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


def require_accepting(status: str) -> None:
    if status == Campaign.Status.PAUSED:
        raise DomainError(
            "campaign_paused", "This review is paused; your answers are kept, please send them later."
        )
    if status != Campaign.Status.OPEN:
        raise DomainError("campaign_closed", "This review has ended; this rating was not counted.")


def _retake(assignment: Assignment, late: bool) -> None:
    """Let a late rating in if a slot on the side that was shown is still free, so that balance holds too. Not before
    the reviewer is locked: only then does what they hold stay as it is counted."""
    if assignment.status == Assignment.Status.SKIPPED:
        raise DomainError("skipped", "You have skipped this pair, so it cannot be rated any more.")
    if not late:
        raise _CameLate
    reviewer = assignment.reviewer
    cap = reviewer.campaign.max_per_reviewer
    # What they have in hand instead counts as well: it will be rated too.
    holding = reviewer.assignments.filter(item__kind="real", status__in=Assignment.HOLDING)
    if cap is not None and assignment.item.kind == "real" and holding.count() >= cap:
        raise DomainError(
            "cap_reached", "You have been given as many pairs as one reviewer may; this one is not counted."
        )
    if not take_again(assignment):
        raise DomainError(
            "lease_expired_full",
            "Your time for this pair ran out and others have taken its place; this rating is not counted.",
        )
    assignment.status = Assignment.Status.RATED
    assignment.save(update_fields=["status", "slot"])
