"""Which pair comes next for a reviewer, and on which side.

What must hold, always and on both databases: a slot of an item has at most one holder (unique constraint), so an
item never gets more ratings than its overlap; a reviewer sees an item at most once (unique constraint); a slot's
side was drawn when the campaign opened, so every pair stays balanced within one whatever happens. Locks only keep
concurrent reviewers from bumping into those constraints. Quality items take no slot of any pair.
"""

import math
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any, NamedTuple
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import (
    Aggregate,
    Count,
    DateTimeField,
    Exists,
    F,
    OuterRef,
    QuerySet,
    Subquery,
    TextField,
    UUIDField,
    Value,
)
from django.db.models.functions import Coalesce
from django.utils import timezone

from evaluation.models import Assignment, Campaign, Rating, Reviewer, ReviewItem
from evaluation.review.services import practice, quality
from ftplatform import prepared
from ftplatform.errors import DomainError

_WINDOW = (
    16  # candidates looked at before choosing: enough for a side to choose from, few enough to stay cheap
)
_NO_LIMIT = 10**9
REAL = ReviewItem.Kind.REAL


def require_open(campaign: Campaign) -> None:
    if campaign.status == Campaign.Status.PAUSED:
        raise DomainError("campaign_paused", "This review is paused; please come back later.")
    if campaign.status != Campaign.Status.OPEN:
        raise DomainError("campaign_closed", "This review has ended. Thank you!")


def next_for(*, reviewer: Reviewer, after: UUID | None = None) -> Assignment | None:
    """The reviewer's live assignment, else a new one, else None when their part is over.

    With the token of a pair that they still have in hand, the one to show `after` it: a second lease, which nobody
    ever holds beside two others, and which is not given when it would take the last open pair away from others.
    Raises DomainError `campaign_paused`, `campaign_closed`, `practice_first`, `hourly_cap`.
    """
    released = False
    while True:
        try:
            with transaction.atomic():
                return offer(reviewer, after, released=released)
        except _LeasesRanOut:
            release_expired(reviewer.campaign_id)
            released = True  # but those which somebody is just rating
        except (IntegrityError, Again):
            continue  # somebody was first; look again


class Again(Exception):
    """Begin anew, in a fresh transaction."""


class _LeasesRanOut(Again):
    """Slots are to be given back first, in a transaction that holds no lock on a reviewer."""


def _expired(now: datetime) -> QuerySet[Assignment]:
    return Assignment.objects.filter(status=Assignment.Status.LEASED, lease_expires_at__lte=now)


def _lapsed(campaign: Any, now: datetime) -> QuerySet[ReviewItem]:
    """Items whose lease ran out, from the few such leases to their items. The limit, which nothing reaches, keeps the
    databases from joining the two: SQLite would look through all items, PostgreSQL through all assignments."""
    items = _expired(now).order_by("lease_expires_at").values("item")[:_NO_LIMIT]
    return ReviewItem.objects.filter(campaign=campaign, pk__in=items).order_by()


_FRESH = prepared.Select(
    lambda reviewer, now: (
        Reviewer.objects.select_for_update(of=("self",), no_key=True)
        .filter(pk=reviewer)
        .annotate(ran_out=Exists(_lapsed(OuterRef("campaign"), now)))
        .values_list("status", "practice", "campaign__status", "ran_out")
        .order_by()
    ),
    987_654_321,
    datetime(2000, 1, 1, tzinfo=UTC),
)


def _settled(reviewer: int) -> QuerySet[Assignment, tuple[Any, ...]]:
    """How many of each sort that are no lease: counted in an index, for a reviewer may have thousands behind them."""
    over = [status for status in Assignment.Status if status != Assignment.Status.LEASED]
    rows = Assignment.objects.filter(reviewer=reviewer, status__in=over).order_by()
    alike = rows.values("kind", "status", "candidate_left").annotate(number=Count("pk"))
    never = Value(None, output_field=UUIDField()), Value(None, output_field=DateTimeField())
    return alike.values_list("kind", "status", "candidate_left", "number", Value(0), *never)


def _leases(reviewer: int, leased: str) -> QuerySet[Assignment, tuple[Any, ...]]:
    """Their few leases; a status written into the SQL would tempt PostgreSQL to look through everybody's."""
    rows = Assignment.objects.filter(reviewer=reviewer, status=leased).order_by()
    return rows.values_list("kind", "status", "candidate_left", Value(1), "pk", "token", "lease_expires_at")


_BEHIND = prepared.Select(
    lambda reviewer, leased: _settled(reviewer).union(_leases(reviewer, leased), all=True),
    987_654_321,
    "a status",
)


class _Behind(NamedTuple):
    """So many assignments of one reviewer that are alike; each lease stands alone, with its token and its end."""

    kind: str
    status: str
    candidate_left: bool
    number: int
    lease: int
    token: UUID | None
    until: datetime | None


def offer(reviewer: Reviewer, after: UUID | None, *, released: bool = False) -> Assignment | None:
    """What `next_for` answers, within the caller's transaction, which must roll back on Again and IntegrityError."""
    now = timezone.now()
    # One reviewer in two tabs gets the same pair twice, not two leases. Only what may have changed is read again.
    ((reviewer.status, reviewer.practice, reviewer.campaign.status, ran_out),) = _FRESH.all(reviewer.pk, now)
    if ran_out and not released:
        raise _LeasesRanOut
    require_open(reviewer.campaign)
    if reviewer.status not in (Reviewer.Status.ACTIVE, Reviewer.Status.COMPLETED):
        return None
    if practice.pending(reviewer):
        raise DomainError("practice_first", "A few practice pairs come first.")
    behind = sorted(
        (_Behind(*row) for row in _BEHIND.all(reviewer.pk, Assignment.Status.LEASED.value)),
        key=attrgetter("lease"),
    )
    reviewer.done = sum(
        row.number for row in behind if row.kind == REAL and row.status == Assignment.Status.RATED
    )
    live = [row.token for row in behind if row.token and row.until and row.until > now]
    waiting = [token for token in live if token != after]
    if waiting:
        current = Assignment.objects.select_related("item").get(token=waiting[0])
        current.reviewer = reviewer
        return current
    ending = _ending(reviewer)
    found = None if ending else _new_lease(reviewer, behind, len(live))
    if found is None and not live:
        _end(reviewer, ending)
    return found


def _ending(reviewer: Reviewer) -> Reviewer.Status | None:
    """How this reviewer's part ends before the pairs do: by too many failed checks where they are paid for work."""
    if reviewer.campaign.crowd and quality.checks_failed(reviewer) >= quality.CHECKS_FAILED:
        return Reviewer.Status.FAILED
    return None


def _end(reviewer: Reviewer, status: Reviewer.Status | None) -> None:
    """Note how the reviewer's part ended. A completed one may go on when pairs become free again; a paid participant
    who came when nothing was left must get an answer, and a code, at once."""
    if status is None:
        if Rating.objects.filter(assignment__reviewer=reviewer, kind=REAL).exists():
            status = Reviewer.Status.COMPLETED
        elif reviewer.campaign.crowd:
            status = Reviewer.Status.SCREENED_OUT
    if status is not None and reviewer.status != status:
        reviewer.status, reviewer.ended_at = status, timezone.now()
        reviewer.save(update_fields=["status", "ended_at"])


def _new_lease(reviewer: Reviewer, behind: list[_Behind], live: int) -> Assignment | None:
    """A lease on what comes next for a reviewer who holds `live` others: a quality item, a pair, or nothing."""
    campaign = reviewer.campaign
    taken = sum(row.number for row in behind if row.kind == REAL and row.status in Assignment.HOLDING)
    if campaign.max_per_reviewer is not None and taken >= campaign.max_per_reviewer:
        return None
    if not _hourly_room(reviewer, live):
        return None
    met = [row.kind for row in behind if row.kind != REAL for _ in range(row.number)]
    if quality.due(reviewer, rated=taken, met=len(met)) and (item := quality.next_item(reviewer, met)):
        return _lease(reviewer, item[0], slot=reviewer.number, candidate_left=item[1], live=live)
    chosen = _take_item(reviewer, _side_needed(behind), spare=live)
    if chosen is None:
        return None if live else _revive(reviewer)
    found, slot = chosen
    return _lease(reviewer, found, slot=slot, candidate_left=found.sides[slot] == "L", live=live)


def _hourly_room(reviewer: Reviewer, live: int) -> bool:
    """Whether the cap per hour leaves room; who has nothing in hand is told, with DomainError `hourly_cap`."""
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
    # There is room again as soon as fewer than the cap lie within an hour.
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
    # A pair fetched ahead waits while the one before it is rated.
    minutes = reviewer.campaign.lease_minutes * (1 + live)
    lease = Assignment(
        item=item,
        kind=item.kind,
        reviewer=reviewer,
        slot=slot,
        candidate_left=candidate_left,
        lease_expires_at=timezone.now() + timedelta(minutes=minutes),
    )
    prepared.insert(lease)
    return lease


def _take_item(reviewer: Reviewer, wanted: str, *, spare: int) -> tuple[ReviewItem, int] | None:
    """Take a slot of the item to rate next: least-rated first, at random among equals, and preferably one that can
    show this reviewer the candidate on the side where they have seen it less. None unless more than `spare` are open
    to them."""
    window = _window(reviewer, spare)
    if not window:
        return None
    fitting = [row for row in window if row.free(wanted)]
    chosen = secrets.choice(fitting or window)
    # A slot given back and another taken since the reading look unchanged here; then the constraint says no.
    if prepared.execute(_TAKE, chosen.pk, chosen.open_slots) != 1:
        raise _TakenMeanwhile
    item = ReviewItem(
        pk=chosen.pk,
        campaign=reviewer.campaign,
        pair_id=chosen.pair,
        rank=chosen.rank,
        sides=chosen.sides,
        open_slots=chosen.open_slots - 1,
    )
    return item, secrets.choice(chosen.free(wanted) or chosen.free(""))


class _Open(NamedTuple):
    """A real item with open slots; `held` lists the numbers of the others, None for none."""

    pk: int
    pair: int
    rank: int
    sides: str
    open_slots: int
    held: str | None

    def free(self, side: str) -> list[int]:
        """The open slots, only those that show the candidate on this side if one is given."""
        held = {int(slot) for slot in (self.held or "").split(",") if slot}
        return _on_side(self.sides, (slot for slot in range(len(self.sides)) if slot not in held), side)


class _TakenMeanwhile(Again):
    """The item is not as it was read. No other is tried in this transaction, because a row that was waited for in vain
    stays locked, and whoever then waits for another may wait for ever."""


_TAKE = "UPDATE evaluation_reviewitem SET open_slots = open_slots - 1 WHERE id = %s AND open_slots = %s"


def _window(reviewer: Reviewer, spare: int) -> list[_Open]:
    """Some of the least-rated items, from a random place in the campaign's order on: every reviewer goes a way of
    their own, and a crowd does not wait for the same few rows."""
    start = secrets.randbelow(reviewer.campaign.pairs_planned)
    found = _LEAST_FROM.all(reviewer.campaign_id, reviewer.pk, start)
    if len(found) <= spare:
        found = _LEAST_RATED.all(reviewer.campaign_id, reviewer.pk)
        if len(found) <= spare:
            return []
    least = _Open(*found[0]).open_slots
    return [row for row in (_Open(*one) for one in found) if row.open_slots == least]


class _Listed(Aggregate):
    """Numbers with commas between them."""

    function = "GROUP_CONCAT"
    output_field = TextField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = "STRING_AGG((%(expressions)s)::text, ',')"
        return self.as_sql(compiler, connection, template=template, **context)


def _unseen(campaign: UUID, reviewer: int) -> QuerySet[ReviewItem]:
    # One look into an index for each of the few rows that are read. "Does not exist" would become a join, for which
    # PostgreSQL may go through all that the reviewer has seen; and it takes "is null" and "equals" for so rare that it
    # would rather sort all items than read on in their order until enough are found.
    mine = Assignment.objects.filter(item=OuterRef("pk"), reviewer=reviewer).order_by().values("pk")
    # Only real pairs have open slots.
    items = ReviewItem.objects.filter(campaign=campaign, open_slots__gt=0)
    return items.alias(seen=Coalesce(Subquery(mine), 0)).filter(seen__lt=1).order_by("-open_slots", "rank")


def _with_held(items: QuerySet[ReviewItem]) -> QuerySet[ReviewItem, tuple[Any, ...]]:
    holding = Assignment.objects.filter(item=OuterRef("pk"), status__in=Assignment.HOLDING).order_by()
    held = Subquery(holding.values("item").annotate(all=_Listed("slot")).values("all"))
    return items.annotate(held=held).values_list("pk", "pair", "rank", "sides", "open_slots", "held")


_LEAST_RATED = prepared.Select(
    lambda campaign, reviewer: _with_held(_unseen(campaign, reviewer))[:_WINDOW],
    UUID(int=1),
    987_654_321,
)
_LEAST_FROM = prepared.Select(
    lambda campaign, reviewer, rank: _with_held(
        _unseen(campaign, reviewer).filter(
            open_slots=Subquery(_unseen(campaign, reviewer).values("open_slots")[:1]), rank__gte=rank
        )
    )[:_WINDOW],
    UUID(int=1),
    987_654_321,
    1_987_654_321,
)


def _revive(reviewer: Reviewer) -> Assignment | None:
    """When nothing unseen is left: a pair whose lease this reviewer let run out, on the sides they saw, if it still
    needs a rating on those."""
    mine = reviewer.assignments.filter(status=Assignment.Status.EXPIRED, item__open_slots__gt=0)
    # First the assignment, then its item: the order in which a late rating locks them too.
    for assignment in mine.select_for_update(of=("self",)).select_related("item").order_by("item_id"):
        if take_again(assignment):
            lease = timedelta(minutes=reviewer.campaign.lease_minutes)
            assignment.status = Assignment.Status.LEASED
            assignment.lease_expires_at = timezone.now() + lease
            assignment.save(update_fields=["status", "lease_expires_at", "slot"])
            return assignment
    return None


def take_again(assignment: Assignment) -> bool:
    """Find a free slot on the side that this expired assignment showed; its item is locked from here on.

    The caller must store the assignment's new slot together with a status that holds it. A quality item is always
    there for its reviewer.
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


def _side_needed(behind: list[_Behind]) -> str:
    """The side on which this reviewer has seen the candidate less often, or "" when even."""
    shown = [row for row in behind if row.kind == REAL and row.status in Assignment.HOLDING]
    lead = sum(row.number if row.candidate_left else -row.number for row in shown)
    return "R" if lead > 0 else "L" if lead < 0 else ""


def _on_side(sides: str, slots: Iterable[int], side: str) -> list[int]:
    return [slot for slot in slots if side in ("", sides[slot])]


def release_expired(campaign_id: UUID) -> int:
    """Give the slots of leases that ran out back to their items; returns how many."""
    expired = _expired(timezone.now()).filter(item__campaign=campaign_id)
    # Nearly always there is none, and then one look without a transaction is all.
    if not expired.exists():
        return 0
    with transaction.atomic():
        return _release(expired)


@transaction.atomic
def release_held(reviewer: Reviewer) -> int:
    """Give back what this reviewer holds, though its lease still runs: they have returned it or are gone."""
    return _release(reviewer.assignments.filter(status=Assignment.Status.LEASED))


def _release(leases: QuerySet[Assignment]) -> int:
    # In one order, so that two of these never wait for each other's items.
    ordered = leases.order_by("item_id", "pk")
    lost = list(ordered.select_for_update(of=("self",), skip_locked=True).values_list("pk", "item_id"))
    for pk, item_id in lost:
        if Assignment.objects.filter(pk=pk, status=Assignment.Status.LEASED).update(
            status=Assignment.Status.EXPIRED
        ):
            ReviewItem.objects.filter(pk=item_id, kind=REAL).update(open_slots=F("open_slots") + 1)
    return len(lost)
