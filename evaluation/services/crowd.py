"""Crowd platforms: one generic provider with presets, who came from it, and what they take home.

`Campaign.crowd` is {} or {preset, id_parameter, captured: [parameter, …], redirect, codes: {completed, screened_out,
failed}}. In `redirect`, {code} is the code of the ending and {id} the participant's.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from evaluation.models import Campaign, Invite, Reviewer
from evaluation.services.assignment import release_held
from ftplatform.accounts import audit
from ftplatform.accounts.models import User
from ftplatform.errors import DomainError

ENDINGS = ("completed", "screened_out", "failed")
MAX_PARAMETER = 200
PRESETS: dict[str, dict[str, Any]] = {
    "prolific": {
        "label": "Prolific",
        "id_parameter": "PROLIFIC_PID",
        "captured": ["STUDY_ID", "SESSION_ID"],
        "redirect": "https://app.prolific.com/submissions/complete?cc={code}",
        "query": "PROLIFIC_PID={{%PROLIFIC_PID%}}&STUDY_ID={{%STUDY_ID%}}&SESSION_ID={{%SESSION_ID%}}",
    },
    "connect": {
        "label": "CloudResearch Connect",
        "id_parameter": "participantId",
        "captured": ["assignmentId", "projectId"],
        "redirect": "",
        "query": "",
    },
    "sona": {
        "label": "SONA",
        "id_parameter": "survey_code",
        "captured": [],
        "redirect": "",
        "query": "survey_code=%SURVEY_CODE%",
    },
    "other": {"label": "Another platform", "id_parameter": "id", "captured": [], "redirect": "", "query": ""},
}
_PARAMETER = re.compile(r"[A-Za-z][A-Za-z0-9_\-]{0,59}")


def check(values: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a platform, complete as they are stored; {} for none. Raises DomainError `invalid_crowd`."""
    if not values:
        return {}
    preset = values.get("preset", "other")
    if preset not in PRESETS:
        raise _invalid("preset", f"Choose from {', '.join(PRESETS)}.")
    unknown = sorted(set(values) - {"preset", "id_parameter", "captured", "redirect", "codes"})
    if unknown:
        raise _invalid(unknown[0], "Unknown field.")
    given = {**PRESETS[preset], **{name: value for name, value in values.items() if value not in ("", None)}}
    captured = given["captured"] if isinstance(given["captured"], list) else [None]
    for name, parameter in [("id_parameter", given["id_parameter"]), *(("captured", p) for p in captured)]:
        if not isinstance(parameter, str) or not _PARAMETER.fullmatch(parameter):
            raise _invalid(name, "A parameter is a name of letters, digits, _ and -, as in the link.")
    return {
        "preset": preset,
        "id_parameter": given["id_parameter"],
        "captured": list(dict.fromkeys(captured)),
        "redirect": _check_redirect(given["redirect"]),
        "codes": _check_codes(given.get("codes")),
    }


def _check_redirect(redirect: Any) -> str:
    if not isinstance(redirect, str) or len(redirect) > 500:
        raise _invalid("redirect", "The address may have 500 characters.")
    if redirect:
        filled = redirect.replace("{code}", "x").replace("{id}", "x")
        parts = urlsplit(filled)
        if (
            parts.scheme != "https"
            or not parts.hostname
            or set("{}<>\"' ") & set(filled)
            or "@" in parts.netloc
        ):
            raise _invalid("redirect", "An https address, with {code} or {id} where those belong.")
    return redirect


def _check_codes(codes: Any) -> dict[str, str]:
    given = codes if isinstance(codes, dict) else {}
    for name, code in given.items():
        if name not in ENDINGS or not isinstance(code, str) or not re.fullmatch(r"[\w\-]{0,60}", code):
            raise _invalid(
                f"codes.{name}", "Codes of completed, screened_out and failed: letters and digits."
            )
    if not given.get("completed"):
        raise _invalid("codes.completed", "Give the code that the platform shows for a completed submission.")
    used = [code for code in given.values() if code]
    if len(set(used)) != len(used):
        raise _invalid("codes", "Each ending needs a code of its own.")
    return {name: str(given.get(name) or "") for name in ENDINGS}


def _invalid(field: str, message: str) -> DomainError:
    return DomainError(
        "invalid_crowd",
        f"The crowd platform's settings are not complete: {message}",
        status=400,
        problems=[{"field": f"crowd.{field}", "message": message}],
    )


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
                "Your link must carry your participant number (%(name)s). Open it from the platform that sent you."
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

    Ratings that they gave stay, and one that still arrives is taken while its slot is free. Answers with how many of
    the numbers were `released`, `unchanged` (had ended already) and `unknown`.
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
