"""Erases a reviewer's personal data. Their ratings stay."""

from django.db import transaction
from django.utils import timezone

from evaluation.models import Draft, Invite, Rating, Remark, Reviewer, Revision
from evaluation.review.services.assignments import release_held
from ftplatform.accounts import audit
from ftplatform.accounts.models import User


@transaction.atomic
def erase(*, reviewer: Reviewer, user: User | None) -> Reviewer:
    """Erase a reviewer's account link, participant number, captured parameters, address, codes, and all free text.

    Preferences, points and choices stay under the reviewer's number, so that no result changes. Leases are released
    and the token becomes invalid. Erasing twice changes nothing.
    """
    reviewer = Reviewer.objects.select_for_update(of=("self",)).select_related("campaign").get(pk=reviewer.pk)
    if reviewer.erased_at is not None:
        return reviewer
    release_held(reviewer)
    if reviewer.invite_id is not None:
        Invite.objects.filter(pk=reviewer.invite_id).exclude(email="").update(
            email="", revoked_at=timezone.now()
        )
    _forget_texts(reviewer)
    reviewer.user = None
    reviewer.external_id, reviewer.captured, reviewer.completion_code = "", {}, ""
    reviewer.pay_note = ""
    reviewer.digest = Reviewer.digest_of(Reviewer.new_token())
    reviewer.erased_at = timezone.now()
    if reviewer.status == Reviewer.Status.ACTIVE:
        reviewer.status, reviewer.ended_at = Reviewer.Status.RETURNED, reviewer.erased_at
    changed = ["user", "external_id", "captured", "completion_code", "pay_note", "digest", "erased_at"]
    reviewer.save(update_fields=[*changed, "status", "ended_at"])
    audit.record(actor=user, action="reviewer.erase", target=reviewer, number=reviewer.number)
    return reviewer


def _forget_texts(reviewer: Reviewer) -> None:
    """Delete free text, which may name a person; choices and points cannot."""
    written = [field["key"] for field in reviewer.campaign.rubric["fields"] if field["kind"] == "text"]
    mine = Rating.objects.select_for_update().filter(assignment__reviewer=reviewer)
    for rating in mine.order_by("pk"):
        answers = {key: value for key, value in rating.answers.items() if key not in written}
        Rating.objects.filter(pk=rating.pk).update(comment="", answers=answers)
    Revision.objects.filter(rating__assignment__reviewer=reviewer).delete()
    Draft.objects.filter(reviewer=reviewer).delete()
    Remark.objects.filter(assignment__reviewer=reviewer).update(text="")
