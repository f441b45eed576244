"""Stores ratings: each once and complete, for the sides that the reviewer saw, and never after the campaign has
closed."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from evaluation import rubrics
from evaluation.models import Assignment, Campaign, Rating, Reviewer, Revision
from evaluation.review import statements
from evaluation.review.services.assignments import LostRace, choose_next, next_for, retrying, take_again
from ftplatform.errors import DomainError

MAX_COMMENT = 5000  # characters
MAX_MS = 24 * 3600 * 1000
ANSWER_FIELDS = ("preference", "scores", "answers", "comment")


@dataclass(frozen=True)
class Answer:
    """A reviewer's answers about a pair: the fields of a Rating, as its form sends them.

    `active_ms` and `hidden_ms` are milliseconds with the page in the foreground and in the background.
    """

    preference: str
    scores: dict[str, Any]
    answers: dict[str, Any]
    comment: str = ""
    active_ms: int = 0
    hidden_ms: int = 0

    def __post_init__(self) -> None:
        """Strip the comment and limit the times to 0 to MAX_MS."""
        for name, value in {
            "comment": self.comment.strip(),
            "active_ms": min(max(self.active_ms, 0), MAX_MS),
            "hidden_ms": min(max(self.hidden_ms, 0), MAX_MS),
        }.items():
            object.__setattr__(self, name, value)

    def values(self) -> dict[str, Any]:
        """The answer as a mapping by field name."""
        return {**vars(self)}

    def says_the_same_as(self, rating: Rating) -> bool:
        """Whether the rating has the same answers. Times are ignored."""
        return all(getattr(rating, name) == getattr(self, name) for name in ANSWER_FIELDS)


def submit(*, reviewer: Reviewer, token: UUID, answer: Answer) -> Rating:
    """Store a rating. The same answer again returns the stored one; a different one for the same pair is refused.

    Raises DomainError: `unknown_assignment`, `invalid_rating` with the fields, `already_rated`, `campaign_closed`,
    `campaign_paused`, `skipped`, `cap_reached`, `lease_expired_full` if the lease expired and others have filled the
    pair meanwhile.
    """
    # Two transactions: the first may still hold a lock on the assignment when it finds no lease, and the
    # second must lock the reviewer before the assignment.
    rating = retrying(lambda: _rate_lease(reviewer, token, answer))
    return rating or retrying(lambda: _rate_without_lease(reviewer, token, answer))


def submit_and_go_on(
    *, reviewer: Reviewer, token: UUID, after: UUID | None, answer: Answer
) -> tuple[Rating, Assignment | None]:
    """`submit` and then `next_for` in one transaction, which saves a commit; None if there is no next pair to show.

    If leases must be released or an error occurs, each runs in its own transactions, because the rating is stored
    whether or not there is a next pair. Raises what `submit` raises.
    """
    now = timezone.now()
    if not statements.has_expired_leases(reviewer.campaign_id, now):
        try:
            with transaction.atomic():
                rating = _rate_lease(reviewer, token, answer)
                if rating is not None:
                    return rating, choose_next(reviewer, after, now)
        except (DomainError, IntegrityError, LostRace):
            pass  # rolled back
    rating = submit(reviewer=reviewer, token=token, answer=answer)
    try:
        return rating, next_for(reviewer=reviewer, after=after)
    except DomainError:
        return rating, None


def _rate_lease(reviewer: Reviewer, token: UUID, answer: Answer) -> Rating | None:
    """Rate a pair that the reviewer holds a lease on; None if they hold none with this token.

    Locks the assignment, then the campaign. Raises DomainError as `submit` does.
    """
    assignment = statements.rate_lease(reviewer, token)
    if assignment is None:
        return None
    _check(reviewer.campaign, answer)
    return _store(assignment, answer)


def _rate_without_lease(reviewer: Reviewer, token: UUID, answer: Answer) -> Rating:
    """Rate a pair whose lease has ended, or return its stored rating.

    Locks the reviewer first, as `next` does, so that `next` cannot give them another pair at the same time and the
    count of their pairs stays correct. Raises DomainError as `submit` does.
    """
    _lock(reviewer)
    rating = _rate_lease(reviewer, token, answer)  # `next` may have renewed the lease meanwhile
    if rating is not None:
        return rating
    assignment = lock_own(reviewer, token)
    if assignment.status == Assignment.Status.RATED:
        stored = Rating.objects.get(assignment=assignment)
        stored.assignment = assignment
        return _unchanged(stored, answer)
    _check(reviewer.campaign, answer)
    _retake(assignment)
    return _store(assignment, answer)


def _store(assignment: Assignment, answer: Answer) -> Rating:
    """Store the rating of an assignment that is marked as rated. Raises DomainError `campaign_closed`,
    `campaign_paused`."""
    reviewer = assignment.reviewer
    rating = statements.insert_rating(assignment, reviewer.campaign_id, answer.values())
    # A close waits for this transaction, or this one waits for the close: the rating is counted or refused.
    status, reviewer.done = statements.lock_campaign(reviewer.campaign_id, reviewer.pk)
    require_accepting(status)
    return rating


def _lock(reviewer: Reviewer) -> None:
    Reviewer.objects.select_for_update(no_key=True).only("pk").get(pk=reviewer.pk)


def lock_own(reviewer: Reviewer, token: UUID) -> Assignment:
    """This reviewer's assignment, locked, with its item and campaign. Raises DomainError `unknown_assignment`."""
    mine = Assignment.objects.select_for_update(of=("self",)).select_related("item")
    assignment = mine.filter(token=token, reviewer=reviewer).first()
    if assignment is None:
        raise DomainError("unknown_assignment", "This pair is not yours to rate.", status=404)
    # The campaign was loaded with the reviewer. Its status is checked again wherever it matters.
    assignment.reviewer, assignment.item.campaign = reviewer, reviewer.campaign
    return assignment


def _unchanged(stored: Rating, answer: Answer) -> Rating:
    if answer.says_the_same_as(stored):
        return stored
    raise DomainError(
        "already_rated",
        "You have already rated this pair differently; the first rating stays.",
        status=422,
    )


@transaction.atomic
def revise(*, reviewer: Reviewer, token: UUID, answer: Answer) -> Rating:
    """Change a stored rating while the campaign allows it; the earlier content is kept as a Revision.

    The same answers again change nothing. Locks the assignment, the campaign and the rating. Raises DomainError
    `not_rated`, `edit_closed`, and what `submit` raises.
    """
    assignment = lock_own(reviewer, token)
    # Waits for a close in progress. It is a "no key" lock, so that ratings, which refer to the campaign, need
    # not wait.
    campaign = Campaign.objects.select_for_update(no_key=True).get(pk=assignment.item.campaign_id)
    rating = Rating.objects.select_for_update().filter(assignment=assignment).first()
    if rating is None:
        raise DomainError("not_rated", "You have not rated this pair yet.")
    if answer.says_the_same_as(rating):
        return rating
    _check(campaign, answer)
    if not may_edit(campaign, rating.submitted_at):
        raise DomainError("edit_closed", "This rating cannot be changed any more; it stays as it is.")
    values = answer.values()
    before = {name: getattr(rating, name) for name in values}
    Revision.objects.create(rating=rating, written_at=rating.revised_at or rating.submitted_at, **before)
    for name, value in values.items():
        setattr(rating, name, value)
    rating.revised_at = timezone.now()
    rating.save(update_fields=[*values, "revised_at"])
    return rating


def may_edit(campaign: Campaign, submitted_at: datetime) -> bool:
    """Whether a rating submitted at this time can still be changed: within the edit window, or until the campaign
    closes."""
    if campaign.status != Campaign.Status.OPEN:
        return False
    if campaign.edit_minutes is None:
        return True
    return timezone.now() < submitted_at + timedelta(minutes=campaign.edit_minutes)


def _check(campaign: Campaign, answer: Answer) -> None:
    """Raises DomainError `campaign_closed`, `campaign_paused`, `invalid_rating` with the fields."""
    require_accepting(campaign.status)
    checked = rubrics.validate_answers(campaign.form, answer.scores, answer.answers, answer.preference)
    problems = [{"field": problem.field, "message": problem.message} for problem in checked]
    if answer.preference not in Rating.Preference.values:
        problems.insert(
            0, {"field": "preference", "message": "Say which response is better, a tie, or both bad."}
        )
    if len(answer.comment) > MAX_COMMENT:
        problems.append(
            {"field": "comment", "message": f"Keep the comment under {MAX_COMMENT:,} characters."}
        )
    if "\x00" in answer.comment:
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


def _retake(assignment: Assignment) -> None:
    """Mark an assignment with an expired lease as rated, if a slot on the side that was shown is still free.

    Requiring that side keeps the pair balanced. The reviewer must be locked; locks the item.

    Raises DomainError `skipped`, `cap_reached`, `lease_expired_full`.
    """
    if assignment.status == Assignment.Status.SKIPPED:
        raise DomainError("skipped", "You have skipped this pair, so it cannot be rated any more.")
    reviewer = assignment.reviewer
    cap = reviewer.campaign.max_per_reviewer
    # The pair that the reviewer now holds instead counts too: it will also be rated.
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
