"""Crowd platforms: one generic provider with presets, its participants and their completion codes.

`Campaign.crowd` is {} or {preset, id_parameter, captured: [parameter, …], redirect, codes: {completed, screened_out,
failed}}. In `redirect`, {code} is the code of the ending and {id} is the participant's number.
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
    """The participant's number and the captured parameters.

    Returns ("", {}) if no platform is set, and for reviewers with a personal invitation. Raises DomainError
    `participant_missing` if the link has no number or an invalid one.
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
    """The URL of an invitation as it is distributed. A shared one points to the platform, which fills in the
    participant."""
    address = f"{base_url.rstrip('/')}/r/{invite.code}/"
    platform = {} if invite.email else invite.campaign.crowd
    query = PRESETS[platform["preset"]]["query"] if platform else ""
    return f"{address}?{query}" if query else address


@dataclass(frozen=True)
class Ending:
    """How a reviewer's part ended, their completion code, and the URL that submits it ("" if there is none)."""

    status: str
    code: str
    url: str


def ending(reviewer: Reviewer, *, done: int) -> Ending | None:
    """How this reviewer's part ended; None while it continues. `done` is the number of real pairs rated.

    A reviewer who does not come from a platform has a personal code, from the first rating on.
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
    """Mark participants that the platform reports as returned or timed out. Their slots become free at once.

    Their ratings stay, and a late rating is stored while its slot is free. Returns how many of the numbers were
    `released`, `unchanged` (had already finished) and `unknown`.
    """
    wanted = {number.strip() for number in participants if number.strip()}
    invites = list(
        campaign.reviewers.select_for_update().filter(external_id__in=wanted).exclude(external_id="")
    )
    released = 0
    for reviewer in invites:
        if reviewer.status != Reviewer.Status.ACTIVE:
            continue
        reviewer.status, reviewer.ended_at = Reviewer.Status.RETURNED, timezone.now()
        reviewer.save(update_fields=["status", "ended_at"])
        release_held(reviewer)
        released += 1
    audit.record(actor=user, action="campaign.returned", target=campaign, released=released)
    return {"released": released, "unchanged": len(invites) - released, "unknown": len(wanted) - len(invites)}
