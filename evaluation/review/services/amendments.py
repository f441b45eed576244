"""Changes to an open campaign. Few are allowed, and each is recorded with its reason."""

import secrets
from typing import Any

from django.db import transaction
from django.db.models import F

from evaluation.models import Amendment, Campaign, CampaignAction, ReviewItem
from evaluation.review import campaign_settings, protocol
from evaluation.review.selectors import planned_analyses
from evaluation.review.services import lottery
from ftplatform.accounts import audit
from ftplatform.accounts.models import User
from ftplatform.errors import DomainError

GROWING = ("overlap", "pairs_planned")
AMENDABLE = ("lease_minutes", "max_per_reviewer", "max_per_hour", *GROWING)


@transaction.atomic
def amend(*, campaign: Campaign, user: User, reason: str, **changes: int | None) -> Campaign:
    """Change an open campaign and record it. Leases and caps can change at any time. Overlap and pairs can only grow,
    and only before the first analysis: adding ratings after seeing a result makes false verdicts more likely.

    Raises DomainError `wrong_status`, `reason_required`, `not_amendable`, `amendment_unsound`, `too_many_pairs`.
    """
    campaign = Campaign.objects.select_for_update().get(pk=campaign.pk)
    if not campaign.allows(CampaignAction.AMEND):
        raise DomainError("wrong_status", "Only an open or paused campaign can be amended.")
    wrong = sorted(set(changes) - set(AMENDABLE))
    if wrong:
        raise DomainError(
            "not_amendable",
            f"{', '.join(wrong)} cannot change after opening. Close this campaign and plan another one.",
            status=400,
        )
    changed = {name: [getattr(campaign, name), value] for name, value in changes.items()}
    changed = {name: pair for name, pair in changed.items() if pair[0] != pair[1]}
    if not changed:
        return campaign
    if not reason.strip():
        raise DomainError("reason_required", "Give a reason. The report lists every amendment.", status=400)
    campaign_settings.checked({name: new for name, (_, new) in changed.items() if name not in GROWING})
    if set(GROWING) & set(changed):
        _require_sound(campaign, changed)
        _grow(campaign, changed)
    for name in set(changed) - set(GROWING):
        setattr(campaign, name, changes[name])
    changed["plan_hash"] = [campaign.plan_hash, planned_analyses.read_plan(campaign.plan).hash()]
    campaign.plan_hash = changed["plan_hash"][1]
    changed["protocol_hash"] = [campaign.protocol_hash, protocol.hash_of(campaign)]
    campaign.protocol_hash = changed["protocol_hash"][1]
    campaign.save(update_fields=[*AMENDABLE, "plan", "plan_hash", "protocol_hash"])
    Amendment.objects.create(campaign=campaign, changes=changed, reason=reason.strip(), made_by=user)
    audit.record(actor=user, action="campaign.amend", target=campaign, changes=changed, reason=reason.strip())
    return campaign


def _require_sound(campaign: Campaign, changed: dict[str, list[Any]]) -> None:
    if campaign.reports.exists():
        raise DomainError(
            "amendment_unsound",
            "An analysis has already run. Collecting more ratings now would make a false verdict more likely than the "
            "report says. Finish this campaign as planned, and plan another one.",
        )
    for name, limit in (("overlap", 100), ("pairs_planned", 1_000_000)):
        old, new = changed.get(name, [1, 1])
        if not isinstance(new, int) or not old <= new <= limit:
            raise DomainError(
                "amendment_unsound",
                f"{name} can only grow, from {old:,} to at most {limit:,}. To stop with fewer ratings, close the "
                "campaign and give a reason.",
            )


def _grow(campaign: Campaign, changed: dict[str, list[Any]]) -> None:
    """Add slots to the existing pairs, then add pairs, and update the planned number of ratings."""
    rng = secrets.SystemRandom()
    overlap = changed["overlap"][1] if "overlap" in changed else campaign.overlap
    if overlap != campaign.overlap:
        items = list(campaign.items.filter(kind=ReviewItem.Kind.REAL).select_for_update().order_by("pk"))
        for item in items:
            item.sides = lottery.sides(overlap, rng, item.sides)
        ReviewItem.objects.bulk_update(items, ["sides"], batch_size=500)
        more = overlap - campaign.overlap
        campaign.items.filter(kind=ReviewItem.Kind.REAL).update(open_slots=F("open_slots") + more)
        campaign.overlap = overlap
    if "pairs_planned" in changed:
        _add_pairs(campaign, changed["pairs_planned"][1] - campaign.pairs_planned)
        campaign.pairs_planned = changed["pairs_planned"][1]
    campaign.plan = {**campaign.plan, "planned_ratings": campaign.ratings_planned}


def _add_pairs(campaign: Campaign, more: int) -> None:
    taken = campaign.items.values("pair")
    rest = list(lottery.available(campaign).exclude(pk__in=taken).values_list("pk", flat=True))
    if more > len(rest):
        raise DomainError(
            "too_many_pairs",
            f"The comparison has only {len(rest):,} more pairs.",
            status=400,
        )
    lottery.add(campaign, secrets.SystemRandom().sample(rest, more))
