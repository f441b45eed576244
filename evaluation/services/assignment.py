"""Which pair comes next for a reviewer, and on which side.

What must hold, always and on both databases: a slot of an item has at most one holder (unique constraint), so an
item never gets more ratings than its overlap; a reviewer sees an item at most once (unique constraint); a slot's
side was drawn when the campaign opened, so every pair stays balanced within one whatever happens. Locks only keep
concurrent reviewers from bumping into those constraints.
"""

import secrets
from datetime import timedelta
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Exists, F, OuterRef, QuerySet
from django.utils import timezone

from evaluation.models import Assignment, Campaign, Invite, Reviewer, ReviewItem
from ftplatform.accounts.models import User
from ftplatform.errors import DomainError

_WINDOW = 16  # candidates looked at before choosing: enough to shuffle, few enough to stay cheap
_CODE_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


@transaction.atomic
def join(*, code: str, user: User | None = None, is_simulated: bool = False) -> tuple[Reviewer, str]:
    """Accept an invitation: a new reviewer with a token that is shown once. A signed-in user who comes again
    stays the same reviewer and gets a fresh token."""
    invite = Invite.objects.select_for_update().select_related("campaign").filter(code=code).first()
    if invite is None or not invite.is_live:
        raise DomainError(
            "invite_invalid", "This invitation is unknown, expired or was withdrawn.", status=404
        )
    # Numbers reviewers one by one; "no key" so that ratings, which refer to the campaign, need not wait.
    campaign = Campaign.objects.select_for_update(no_key=True).get(pk=invite.campaign_id)
    _require_open(campaign)
    token = Reviewer.new_token()
    known = user and campaign.reviewers.filter(user=user).first()
    if known:
        known.digest = Reviewer.digest_of(token)
        known.save(update_fields=["digest"])
        return known, token
    if invite.reviewers_joined >= invite.max_reviewers:
        raise DomainError(
            "invite_full", "This invitation has been used by everybody it was meant for.", status=409
        )
    Invite.objects.filter(pk=invite.pk).update(reviewers_joined=F("reviewers_joined") + 1)
    reviewer = Reviewer.objects.create(
        campaign=campaign,
        invite=invite,
        user=user,
        number=campaign.reviewers.count() + 1,
        digest=Reviewer.digest_of(token),
        completion_code="".join(secrets.choice(_CODE_ALPHABET) for _ in range(8)),
        is_simulated=is_simulated,
    )
    return reviewer, token


def _require_open(campaign: Campaign) -> None:
    if campaign.status == Campaign.Status.PAUSED:
        raise DomainError("campaign_paused", "This review is paused; please come back later.")
    if campaign.status != Campaign.Status.OPEN:
        raise DomainError("campaign_closed", "This review has ended. Thank you!")


def next_for(*, reviewer: Reviewer, after: UUID | None = None) -> Assignment | None:
    """The reviewer's live assignment, else a new one, else None when nothing is left for them.

    With the token of a pair that they still have in hand, the one to show `after` it: a second lease, which nobody
    ever holds beside two others, and which is not given when it would take the last open pair away from others.
    """
    release_expired(reviewer.campaign_id)
    while True:
        try:
            with transaction.atomic():
                return _next(reviewer, after)
        except IntegrityError:
            continue  # somebody took that very slot first; look again


def _next(reviewer: Reviewer, after: UUID | None) -> Assignment | None:
    # One reviewer in two tabs gets the same pair twice, not two leases.
    reviewer = Reviewer.objects.select_for_update(of=("self",)).select_related("campaign").get(pk=reviewer.pk)
    _require_open(reviewer.campaign)
    mine = reviewer.assignments.select_related("item")
    live = list(mine.filter(status=Assignment.Status.LEASED, lease_expires_at__gt=timezone.now()))
    waiting = [current for current in live if current.token != after]
    if waiting:
        return waiting[0]
    cap = reviewer.campaign.max_per_reviewer
    if cap is not None and mine.filter(status__in=Assignment.HOLDING, item__kind="real").count() >= cap:
        return None
    chosen = _lock_item(reviewer, spare=len(live))
    if chosen is None:
        return None if live else _revive(reviewer)
    item, slot = chosen
    # Not `item.open_slots - 1`: the row may have changed between reading and locking on another connection.
    ReviewItem.objects.filter(pk=item.pk).update(open_slots=F("open_slots") - 1)
    return Assignment.objects.create(
        item=item,
        reviewer=reviewer,
        slot=slot,
        candidate_left=item.sides[slot] == "L",
        # A pair fetched ahead waits while the one before it is rated.
        lease_expires_at=timezone.now()
        + timedelta(minutes=reviewer.campaign.lease_minutes) * (1 + len(live)),
    )


def _lock_item(reviewer: Reviewer, *, spare: int) -> tuple[ReviewItem, int] | None:
    """Lock the item to rate next and choose its slot: least-rated first, at random among equals, and preferably one
    that can show this reviewer the candidate on the side where they have seen it less. None unless more than `spare`
    are open to them."""
    wanted = _side_needed(reviewer)
    while len(window := list(_unseen(reviewer)[:_WINDOW])) > spare:
        free = _free_slots(window)
        secrets.SystemRandom().shuffle(window)
        window.sort(key=lambda item: (-item.open_slots, not _on_side(item, free[item.pk], wanted)))
        for item in window:
            if _lock(item, skip_locked=True):
                return _take(item, wanted)
        # Everything was locked by others at this moment: wait for the first rather than say that nothing is left.
        if _lock(window[0], skip_locked=False):
            return _take(window[0], wanted)
    return None


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

    The caller must store the assignment's new slot together with a status that holds it.
    """
    item = ReviewItem.objects.select_for_update().get(pk=assignment.item_id)
    side = "L" if assignment.candidate_left else "R"
    free = _on_side(item, _free_slots([item])[item.pk], side)
    if not free:
        return False
    assignment.slot = assignment.slot if assignment.slot in free else free[0]
    ReviewItem.objects.filter(pk=item.pk).update(open_slots=F("open_slots") - 1)
    return True


def _side_needed(reviewer: Reviewer) -> str:
    """The side on which this reviewer has seen the candidate less often, or "" when even."""
    shown = reviewer.assignments.filter(status__in=Assignment.HOLDING).values_list(
        "candidate_left", flat=True
    )
    lead = sum(1 if left else -1 for left in shown)
    return "R" if lead > 0 else "L" if lead < 0 else ""


def _unseen(reviewer: Reviewer) -> QuerySet[ReviewItem]:
    seen = Assignment.objects.filter(item=OuterRef("pk"), reviewer=reviewer)
    items = ReviewItem.objects.filter(campaign=reviewer.campaign_id, open_slots__gt=0)
    return items.filter(~Exists(seen)).order_by("-open_slots", "rank")


def _free_slots(items: list[ReviewItem]) -> dict[int, list[int]]:
    held = {
        *Assignment.objects.filter(item__in=items, status__in=Assignment.HOLDING).values_list(
            "item_id", "slot"
        ),
    }
    return {
        item.pk: [slot for slot in range(len(item.sides)) if (item.pk, slot) not in held] for item in items
    }


def _on_side(item: ReviewItem, slots: list[int], side: str) -> list[int]:
    return [slot for slot in slots if side in ("", item.sides[slot])]


def _lock(item: ReviewItem, *, skip_locked: bool) -> bool:
    still_open = ReviewItem.objects.filter(pk=item.pk, open_slots__gt=0)
    return still_open.select_for_update(skip_locked=skip_locked).first() is not None


def _take(item: ReviewItem, wanted: str) -> tuple[ReviewItem, int]:
    """A free slot of the item, which is locked now, so that what is read here stays true."""
    free = _free_slots([item])[item.pk]
    return item, secrets.choice(_on_side(item, free, wanted) or free)


@transaction.atomic
def release_expired(campaign_id: UUID) -> int:
    """Give the slots of leases that ran out back to their items; returns how many."""
    expired = Assignment.objects.filter(
        item__campaign=campaign_id, status=Assignment.Status.LEASED, lease_expires_at__lte=timezone.now()
    )
    # In one order, so that two of these never wait for each other's items.
    ordered = expired.order_by("item_id", "pk")
    lost = list(ordered.select_for_update(of=("self",), skip_locked=True).values_list("pk", "item_id"))
    for pk, item_id in lost:
        if Assignment.objects.filter(pk=pk, status=Assignment.Status.LEASED).update(
            status=Assignment.Status.EXPIRED
        ):
            ReviewItem.objects.filter(pk=item_id).update(open_slots=F("open_slots") + 1)
    return len(lost)
