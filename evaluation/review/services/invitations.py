"""Invites reviewers: by a shared link, a personal link, or from a crowd platform."""

import secrets
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext, override

from evaluation.models import Campaign, CampaignAction, Invite, Reviewer
from evaluation.review.selectors import follow_ups
from evaluation.review.services import crowd
from evaluation.review.services.assignments import require_open
from ftplatform.accounts import audit
from ftplatform.accounts.models import User
from ftplatform.errors import DomainError

MAX_ADDRESSES = 1000
_CODE_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_NOT_SENDING = ("console", "dummy")


@transaction.atomic
def join(
    *,
    code: str,
    user: User | None = None,
    is_simulated: bool = False,
    participant: Mapping[str, str] | None = None,
    consent: bool = False,
) -> tuple[Reviewer, str]:
    """Accept an invitation: create a reviewer with a token that is shown once.

    A signed-in user who joins again stays the same reviewer and gets a new token; so does a participant of a crowd
    platform whose place was given back.

    Raises DomainError `invite_invalid`, `invite_expired`, `invite_withdrawn`, `invite_full`, `consent_required`,
    `participant_missing`, `participant_taken`, `took_part_before`, `campaign_paused`, `campaign_closed`.
    """
    invite = Invite.objects.select_for_update().filter(code=code).first()
    if invite is None:
        raise DomainError("invite_invalid", "This invitation does not exist. Check the link.", status=404)
    require_live(invite)
    # The lock gives reviewers consecutive numbers. It is a "no key" lock, so that ratings, which refer to the
    # campaign, need not wait.
    campaign = Campaign.objects.select_for_update(no_key=True).get(pk=invite.campaign_id)
    require_open(campaign)
    if campaign.consent and not (consent or is_simulated):
        raise DomainError("consent_required", "Please agree to the conditions first.", status=400)
    external_id, captured = (
        ("", {}) if is_simulated else crowd.participant(campaign, invite, participant or {})
    )
    token = Reviewer.new_token()
    known = _known(campaign, user, external_id)
    if known:
        known.digest = Reviewer.digest_of(token)
        if known.status == Reviewer.Status.RETURNED:
            known.status, known.ended_at = Reviewer.Status.ACTIVE, None
        known.save(update_fields=["digest", "status", "ended_at"])
        return known, token
    follow_ups.require_newcomer(campaign, user=user, external_id=external_id, email=invite.email)
    _use(invite)
    reviewer = Reviewer.objects.create(
        campaign=campaign,
        invite=invite,
        user=user,
        number=campaign.reviewers.count() + 1,
        digest=Reviewer.digest_of(token),
        completion_code="".join(secrets.choice(_CODE_ALPHABET) for _ in range(8)),
        is_simulated=is_simulated,
        external_id=external_id,
        captured=captured,
    )
    return reviewer, token


def require_live(invite: Invite) -> None:
    """Raise an error that says why an invitation is no longer valid and what its holder can do."""
    if invite.revoked_at is not None:
        raise DomainError(
            "invite_withdrawn",
            "This invitation was revoked. Ask the sender for a new one.",
            status=410,
        )
    if not invite.is_live:
        raise DomainError(
            "invite_expired", "This invitation has expired. Ask the sender for a new one.", status=410
        )


def _known(campaign: Campaign, user: User | None, external_id: str) -> Reviewer | None:
    if user and (mine := campaign.reviewers.filter(user=user).first()):
        if mine.status in (Reviewer.Status.SCREENED_OUT, Reviewer.Status.FAILED):
            raise DomainError("participation_over", "Your participation in this review has ended. Thank you!")
        return mine
    same = campaign.reviewers.filter(external_id=external_id).first() if external_id else None
    if same is None or same.status == Reviewer.Status.RETURNED:
        return same
    # Knowing another participant's number must not give access to their place.
    raise DomainError(
        "participant_taken",
        "A participant with this number has already joined. If that was you, continue in the browser you started in.",
    )


def _use(invite: Invite) -> None:
    if invite.reviewers_joined >= invite.max_reviewers:
        detail = (
            "This invitation was for one person and has been used. If that was you, continue in the browser you "
            "started in."
            if invite.email
            else "This invitation has reached its maximum number of reviewers."
        )
        raise DomainError("invite_full", detail)
    Invite.objects.filter(pk=invite.pk).update(reviewers_joined=F("reviewers_joined") + 1)


@transaction.atomic
def add_link(*, campaign: Campaign, user: User, max_reviewers: int = 1000, days: int | None = None) -> Invite:
    """Create another shared link for up to `max_reviewers`, valid for `days` or until it is withdrawn."""
    _require_running(campaign)
    invite = Invite.objects.create(campaign=campaign, max_reviewers=max_reviewers, expires_at=_expiry(days))
    audit.record(actor=user, action="invite.create", target=invite, campaign=str(campaign.pk))
    return invite


@transaction.atomic
def invite_people(
    *, campaign: Campaign, user: User, addresses: list[str], days: int | None = None
) -> list[Invite]:
    """Create a personal link for each address that has none yet. Each link admits one reviewer.

    Raises DomainError `invalid_addresses` that names each invalid line, and each person who took part in a campaign
    that this one follows; then no one is invited.
    """
    _require_running(campaign)
    addresses = _checked(addresses)
    follow_ups.require_new_addresses(campaign, addresses)
    known = set(campaign.invites.filter(revoked_at=None).exclude(email="").values_list("email", flat=True))
    wanted = [address for address in dict.fromkeys(addresses) if address not in known]
    expires_at = _expiry(days)
    invites = Invite.objects.bulk_create(
        Invite(campaign=campaign, email=address, max_reviewers=1, expires_at=expires_at) for address in wanted
    )
    audit.record(actor=user, action="invite.people", target=campaign, number=len(invites))
    return invites


def _checked(addresses: list[str]) -> list[str]:
    if len(addresses) > MAX_ADDRESSES:
        raise DomainError(
            "too_many_addresses", f"Invite at most {MAX_ADDRESSES:,} people at once.", status=400
        )
    good, problems = [], []
    for line, written in enumerate(addresses, 1):
        address = written.strip().lower()
        try:
            validate_email(address)
        except ValidationError:
            problems.append(
                {"line": line, "message": f"Line {line}: {written.strip()[:60]!r} is not an email address."}
            )
        good.append(address)
    if problems or not good:
        detail = (
            "Some lines are not email addresses. No invitations were created."
            if good
            else "Enter at least one address."
        )
        raise DomainError("invalid_addresses", detail, status=400, problems=problems[:20])
    return good


def _require_running(campaign: Campaign) -> None:
    if not Campaign.objects.get(pk=campaign.pk).allows(CampaignAction.INVITE):
        raise DomainError("wrong_status", "Reviewers can be invited only while a campaign is open or paused.")


def _expiry(days: int | None) -> datetime | None:
    return None if days is None else timezone.now() + timedelta(days=days)


@transaction.atomic
def withdraw(*, invite: Invite, user: User) -> None:
    """Withdraw a link. Reviewers who have joined by it stay."""
    if Invite.objects.filter(pk=invite.pk, revoked_at=None).update(revoked_at=timezone.now()):
        audit.record(actor=user, action="invite.withdraw", target=invite, campaign=str(invite.campaign_id))


def can_send() -> bool:
    """Whether this site has a mail server. Without one, managers download the links and send them themselves."""
    return not any(word in settings.EMAIL_BACKEND for word in _NOT_SENDING)


def send(*, campaign_id: UUID, base_url: str) -> int:
    """Mail all personal links that have not been sent; returns how many were sent.

    Each is marked immediately after it is sent, so that a second call, or one after a failure, sends none twice.
    """
    campaign = Campaign.objects.get(pk=campaign_id)
    waiting = campaign.invites.filter(sent_at=None, revoked_at=None, reviewers_joined=0).exclude(email="")
    sent = 0
    with override(campaign.language or settings.LANGUAGE_CODE), get_connection() as connection:
        for invite in waiting.order_by("pk"):
            if not Invite.objects.filter(pk=invite.pk, sent_at=None).update(sent_at=timezone.now()):
                continue
            try:
                _message(invite, base_url, connection).send()
            except OSError:
                Invite.objects.filter(pk=invite.pk).update(sent_at=None)
                raise
            sent += 1
    return sent


def _message(invite: Invite, base_url: str, connection: BaseEmailBackend) -> EmailMessage:
    link = crowd.link(invite, base_url)
    body = gettext(
        "You are invited to compare pairs of responses and to say which is better.\n\n"
        "Your own link, which works once:\n%(link)s\n\nYou need no account. Do not pass the link on."
    ) % {"link": link}
    subject = " ".join(invite.campaign.title.split())
    return EmailMessage(subject, body, to=[invite.email], connection=connection)


def links_table(campaign: Campaign, base_url: str) -> tuple[list[str], Iterator[list[str]]]:
    """Header and rows of a campaign's personal links, for a mail merge."""
    return ["email", "link", "sent_at", "joined", "withdrawn"], _link_rows(campaign, base_url)


def _link_rows(campaign: Campaign, base_url: str) -> Iterator[list[str]]:
    for invite in campaign.invites.exclude(email="").order_by("pk").iterator(chunk_size=500):
        sent = invite.sent_at.isoformat(timespec="seconds") if invite.sent_at else ""
        link = crowd.link(invite, base_url)
        joined = "yes" if invite.reviewers_joined else "no"
        yield [invite.email, link, sent, joined, "yes" if invite.revoked_at else "no"]
