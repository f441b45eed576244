"""Crowd platforms: one generic provider with presets, its participants and their completion codes.

`Campaign.crowd` is {} or {preset, id_parameter, captured: [parameter, …], redirect, codes: {completed, screened_out,
failed}}. In `redirect`, {code} is the code of the ending and {id} the participant's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from evaluation.models import Campaign, Invite, Reviewer
from evaluation.review.platforms import ENDINGS, MAX_PARAMETER, PRESETS
from evaluation.review.services.assignments import release_held
from ftplatform.accounts import audit
from ftplatform.accounts.models import User
from ftplatform.errors import DomainError


def participant(
    campaign: Campaign, invite: Invite, parameters: Mapping[str, str]
) -> tuple[str, dict[str, str]]:
    """The participant's number and the captured parameters; ("", {}) where no platform is set, and for whoever was
    invited in person.

    Raises DomainError `participant_missing` when the link came without the number or with one that cannot be.
    """
    if not campaign.crowd or invite.email:
        return "", {}
    name = campaign.crowd["id_parameter"]
    number = str(parameters.get(name, "")).strip()
    placeholder = set("{}%") & set(number)
    if not number or len(number) > MAX_PARAMETER or placeholder or not number.isprintable():
        raise DomainError(
            "participant_missing",
            gettext(
                "Your link must contain your participant number (%(name)s). Open it from the platform that sent you."
            )
            % {"name": name},
            status=400,
        )
    captured = {key: str(parameters.get(key, ""))[:MAX_PARAMETER] for key in campaign.crowd["captured"]}
    return number, captured


def link(invite: Invite, base_url: str) -> str:
    """An invitation's address as it is given away: a shared one to the platform, which fills in the participant."""
    address = f"{base_url.rstrip('/')}/r/{invite.code}/"
    platform = {} if invite.email else invite.campaign.crowd
    query = PRESETS[platform["preset"]]["query"] if platform else ""
    return f"{address}?{query}" if query else address


@dataclass(frozen=True)
class Ending:
    """What a reviewer takes home: how their part ended, a code, and the address that hands it in ("" for none)."""

    status: str
    code: str
    url: str


def ending(reviewer: Reviewer, *, done: int) -> Ending | None:
    """How this reviewer's part ended, None while it goes on; `done` real pairs are rated.

    Whoever comes from no platform has a code of their own, from the first rating on.
    """
    config = reviewer.campaign.crowd
    status = reviewer.status
    if not config or not reviewer.external_id:
        return Ending("completed", reviewer.completion_code, "") if done else None
    if status == Reviewer.Status.ACTIVE and reviewer.campaign.is_over:
        status = Reviewer.Status.COMPLETED if done else Reviewer.Status.SCREENED_OUT
    code = config["codes"].get(status, "")
    if status not in ENDINGS or not code:
        return None
    place = config["redirect"].replace("{code}", quote(code)).replace("{id}", quote(reviewer.external_id))
    return Ending(status, code, place)


@transaction.atomic
def mark_returned(*, campaign: Campaign, user: User, participants: list[str]) -> dict[str, int]:
    """Participants whom the platform reports as returned or timed out: their slots are free at once.

    Their ratings stay, and one that still arrives is stored while its slot is free. Returns how many of the numbers
    were `released`, `unchanged` (had already finished) and `unknown`.
    """
    wanted = {number.strip() for number in participants if number.strip()}
    found = list(
        campaign.reviewers.select_for_update().filter(external_id__in=wanted).exclude(external_id="")
    )
    released = 0
    for reviewer in found:
        if reviewer.status != Reviewer.Status.ACTIVE:
            continue
        reviewer.status, reviewer.ended_at = Reviewer.Status.RETURNED, timezone.now()
        reviewer.save(update_fields=["status", "ended_at"])
        release_held(reviewer)
        released += 1
    audit.record(actor=user, action="campaign.returned", target=campaign, released=released)
    return {"released": released, "unchanged": len(found) - released, "unknown": len(wanted) - len(found)}
