"""Decides which pair comes next for a reviewer, and on which side.

These rules must always hold, on both databases. A slot of an item has at most one holder (unique constraint), so an
item never gets more ratings than its overlap. A reviewer sees an item at most once (unique constraint). A slot's side
was drawn when the campaign opened, so every pair stays balanced within one, whatever happens. Locks only prevent
concurrent reviewers from violating those constraints. Quality items take no slot of any pair.
"""

import math
import secrets
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from evaluation.models import Assignment, Campaign, Rating, Reviewer, ReviewItem
from evaluation.review import statements
from evaluation.review.services import practice, quality
from evaluation.review.statements import AssignmentGroup, OpenItem
from ftplatform.errors import DomainError

T = TypeVar("T")
# Far more than needed: an attempt fails only when another transaction has committed.
ATTEMPTS = 200
REAL = ReviewItem.Kind.REAL


class LostRace(Exception):
    """A row has changed since it was read, because of another transaction."""


def retrying(work: Callable[[], T]) -> T:
    """Return the result of `work`, run in a transaction.

    After LostRace or IntegrityError, it runs again in a new transaction. Raises the last of those errors after
    ATTEMPTS attempts.
    """
    for _ in range(ATTEMPTS - 1):
        try:
            with transaction.atomic():
                return work()
        except (LostRace, IntegrityError):
            continue
    with transaction.atomic():
        return work()


def require_open(campaign: Campaign) -> None:
    if campaign.status == Campaign.Status.PAUSED:
        raise DomainError("campaign_paused", "This review is paused; please come back later.")
    if campaign.status != Campaign.Status.OPEN:
        raise DomainError("campaign_closed", "This review has ended. Thank you!")


def next_for(*, reviewer: Reviewer, after: UUID | None = None) -> Assignment | None:
    """The reviewer's live lease, else a new one, else None when their part is over.

    `after` is the token of a live lease of this reviewer; with it, the pair to show after that one is returned. That
    is a second lease, and there is never a third. It is None if it would take the last open pair away from others.

    Raises DomainError `campaign_paused`, `campaign_closed`, `practice_first`, `hourly_cap`.
    """
    now = timezone.now()
    release_expired(reviewer.campaign_id, now)
    return retrying(lambda: choose_next(reviewer, after, now))


def choose_next(reviewer: Reviewer, after: UUID | None, now: datetime) -> Assignment | None:
    """What `next_for` returns, inside the caller's transaction.

    Leases that expired before `now` must be released first. Locks the reviewer, so that two tabs get the same pair,
    then the item. Raises DomainError as `next_for` does, and LostRace and IntegrityError, after which the transaction
    must be rolled back.
    """
    state = statements.lock_reviewer(reviewer.pk)
    reviewer.status, reviewer.practice, reviewer.campaign.status = state
    require_open(reviewer.campaign)
    if reviewer.status not in (Reviewer.Status.ACTIVE, Reviewer.Status.COMPLETED):
        return None
    if practice.pending(reviewer):
        raise DomainError("practice_first", "A few practice pairs come first.")
    groups = statements.assignments_of(reviewer.pk, now)
    reviewer.done = sum(
        group.number for group in groups if group.kind == REAL and group.status == Assignment.Status.RATED
    )
    live = [group for group in groups if group.is_live]
    waiting = [group.lease for group in live if group.token != after]
    if waiting:
        current = Assignment.objects.select_related("item").get(pk=waiting[0])
        current.reviewer = reviewer
        return current
    early_end = _early_end(reviewer)
    lease = None if early_end else _new_lease(reviewer, groups, len(live))
    if lease is None and not live:
        _end(reviewer, early_end)
    return lease


def _early_end(reviewer: Reviewer) -> Reviewer.Status | None:
    """FAILED for a paid reviewer who failed too many instruction checks; their part ends while pairs remain."""
    if reviewer.campaign.crowd and quality.checks_failed(reviewer) >= quality.CHECKS_FAILED:
        return Reviewer.Status.FAILED
    return None


def _end(reviewer: Reviewer, status: Reviewer.Status | None) -> None:
    """Store how the reviewer's part ended.

    A completed reviewer can continue when pairs become free again. A paid reviewer who found no free pairs is
    screened out, so that they get a completion code at once.
    """
    if status is None:
        if Rating.objects.filter(assignment__reviewer=reviewer, kind=REAL).exists():
            status = Reviewer.Status.COMPLETED
        elif reviewer.campaign.crowd:
            status = Reviewer.Status.SCREENED_OUT
    if status is not None and reviewer.status != status:
        reviewer.status, reviewer.ended_at = status, timezone.now()
        reviewer.save(update_fields=["status", "ended_at"])


def _new_lease(reviewer: Reviewer, groups: list[AssignmentGroup], live: int) -> Assignment | None:
    """A lease on a quality item or on a pair, or None. `live` is the number of live leases the reviewer holds."""
    campaign = reviewer.campaign
    held = sum(group.number for group in groups if group.kind == REAL and group.status in Assignment.HOLDING)
    if campaign.max_per_reviewer is not None and held >= campaign.max_per_reviewer:
        return None
    if not _hourly_room(reviewer, live):
        return None
    met = [group.kind for group in groups if group.kind != REAL for _ in range(group.number)]
    if quality.due(reviewer, rated=held, met=len(met)) and (item := quality.next_item(reviewer, met)):
        return _lease(reviewer, item[0], slot=reviewer.number, candidate_left=item[1], live=live)
    taken = _take_item(reviewer, _side_needed(groups), spare=live)
    if taken is None:
        return None if live else _revive(reviewer)
    real, slot = taken
    return _lease(reviewer, real, slot=slot, candidate_left=real.sides[slot] == "L", live=live)


def _hourly_room(reviewer: Reviewer, live: int) -> bool:
    """Whether the hourly cap leaves room for another pair.

    Raises DomainError `hourly_cap` for a reviewer without a live lease.
    """
    cap = reviewer.campaign.max_per_hour
    if cap is None:
        return True
    recent = Rating.objects.filter(
        assignment__reviewer=reviewer, submitted_at__gt=timezone.now() - timedelta(hours=1)
    )
    times = list(recent.order_by("submitted_at").values_list("submitted_at", flat=True))
    if len(times) + live < cap:
        return True
    if live:
        return False
    # There is room again as soon as fewer ratings than the cap lie within the last hour.
    wait = times[len(times) - cap] + timedelta(hours=1) - timezone.now()
    minutes = max(1, math.ceil(wait.total_seconds() / 60))
    error = DomainError(
        "hourly_cap",
        f"You have rated {len(times):,} pairs within an hour, which is as many as this review takes from one person. "
        f"Please go on in {minutes} minute{'s' if minutes > 1 else ''}; everything you sent is stored.",
        status=429,
    )
    error.retry_after = max(1, math.ceil(wait.total_seconds()))
    raise error


def _lease(reviewer: Reviewer, item: ReviewItem, *, slot: int, candidate_left: bool, live: int) -> Assignment:
    # A prefetched pair waits while the one before it is rated.
    minutes = reviewer.campaign.lease_minutes * (1 + live)
    return statements.insert_lease(
        item=item,
        reviewer=reviewer,
        slot=slot,
        candidate_left=candidate_left,
        lease_expires_at=timezone.now() + timedelta(minutes=minutes),
    )


def _take_item(reviewer: Reviewer, side: str, *, spare: int) -> tuple[ReviewItem, int] | None:
    """Take a slot of an item: (item, slot).

    Items with the fewest ratings come first, ties in random order, preferably an item that can show this reviewer the
    candidate on `side`. None unless more than `spare` items are open to them.
    """
    items = _least_rated(reviewer, spare)
    if not items:
        return None
    chosen = secrets.choice([item for item in items if _free(item, side)] or items)
    # One slot released and another taken since the read looks unchanged here; then the unique constraint
    # rejects it.
    if not statements.take_slot(chosen.pk, chosen.open_slots):
        raise LostRace
    item = ReviewItem(
        pk=chosen.pk,
        campaign=reviewer.campaign,
        pair_id=chosen.pair,
        rank=chosen.rank,
        sides=chosen.sides,
        open_slots=chosen.open_slots - 1,
    )
    return item, secrets.choice(_free(chosen, side) or _free(chosen, ""))


def _least_rated(reviewer: Reviewer, spare: int) -> list[OpenItem]:
    """Some of the items with the fewest ratings, starting at a random rank, so that many reviewers do not wait for
    locks on the same rows."""
    campaign = reviewer.campaign
    items = statements.least_rated_from(campaign.pk, reviewer.pk, secrets.randbelow(campaign.pairs_planned))
    if len(items) <= spare:
        items = statements.open_items(campaign.pk, reviewer.pk)
        if len(items) <= spare:
            return []
    return [item for item in items if item.open_slots == items[0].open_slots]


def _free(item: OpenItem, side: str) -> list[int]:
    """The item's open slots that show the candidate on this side, "" for either."""
    return _on_side(item.sides, (slot for slot in range(len(item.sides)) if slot not in item.held), side)


def _revive(reviewer: Reviewer) -> Assignment | None:
    """When no unseen pair is left: a pair whose lease expired for this reviewer, on the sides they saw.

    It is returned only if it still needs a rating on those sides.
    """
    mine = reviewer.assignments.filter(status=Assignment.Status.EXPIRED, item__open_slots__gt=0)
    # Lock the assignment before its item, in the same order as a late rating.
    for assignment in mine.select_for_update(of=("self",)).select_related("item").order_by("item_id"):
        if take_again(assignment):
            lease = timedelta(minutes=reviewer.campaign.lease_minutes)
            assignment.status = Assignment.Status.LEASED
            assignment.lease_expires_at = timezone.now() + lease
            assignment.save(update_fields=["status", "lease_expires_at", "slot"])
            return assignment
    return None


def take_again(assignment: Assignment) -> bool:
    """Find a free slot on the side that this expired assignment showed. Its item stays locked.

    The caller must store the assignment's new slot together with a status that holds it. A quality item is always
    available to its reviewer.
    """
    if assignment.item.kind != REAL:
        return True
    item = ReviewItem.objects.select_for_update().get(pk=assignment.item_id)
    side = "L" if assignment.candidate_left else "R"
    held = item.assignments.filter(status__in=Assignment.HOLDING).values_list("slot", flat=True)
    free = _on_side(item.sides, (slot for slot in range(len(item.sides)) if slot not in held), side)
    if not free:
        return False
    assignment.slot = assignment.slot if assignment.slot in free else free[0]
    ReviewItem.objects.filter(pk=item.pk).update(open_slots=F("open_slots") - 1)
    return True


def _side_needed(groups: list[AssignmentGroup]) -> str:
    """The side on which this reviewer has seen the candidate less often: L, R, or "" if even."""
    shown = [group for group in groups if group.kind == REAL and group.status in Assignment.HOLDING]
    lead = sum(group.number if group.candidate_left else -group.number for group in shown)
    return "R" if lead > 0 else "L" if lead < 0 else ""


def _on_side(sides: str, slots: Iterable[int], side: str) -> list[int]:
    return [slot for slot in slots if side in ("", sides[slot])]


def release_expired(campaign_id: UUID, now: datetime | None = None) -> int:
    """Return the slots of leases that expired before `now` to their items; returns their number.

    Runs in its own transaction, because it locks assignments and items of several reviewers.
    """
    now = now or timezone.now()
    # Usually there is none, and this query is the only one.
    if not statements.has_expired_leases(campaign_id, now):
        return 0
    leased = Assignment.objects.filter(status=Assignment.Status.LEASED, lease_expires_at__lte=now)
    with transaction.atomic():
        return _release(leased.filter(item__campaign=campaign_id))


@transaction.atomic
def release_held(reviewer: Reviewer) -> int:
    """Release the live leases of a reviewer who was reported as returned, or who is being erased."""
    return _release(reviewer.assignments.filter(status=Assignment.Status.LEASED))


def _release(leases: QuerySet[Assignment]) -> int:
    # A fixed lock order prevents deadlocks between concurrent calls.
    ordered = leases.order_by("item_id", "pk")
    lost = list(ordered.select_for_update(of=("self",), skip_locked=True).values_list("pk", "item_id"))
    for pk, item_id in lost:
        if Assignment.objects.filter(pk=pk, status=Assignment.Status.LEASED).update(
            status=Assignment.Status.EXPIRED
        ):
            ReviewItem.objects.filter(pk=item_id, kind=REAL).update(open_slots=F("open_slots") + 1)
    return len(lost)
