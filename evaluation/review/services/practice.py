"""The practice round: explained examples before the first real pair, and the qualification threshold.

A practice item is `{prompt, left, right, expected: [preference, …], explanation}` in `Campaign.practice`, frozen with
the other settings. Its prompt is `{instruction, input}`, or `{messages, tools}` for a conversation. A reviewer's
answers are `[{preference, right}]` in `Reviewer.practice`. Practice answers are never ratings.
"""

from typing import Any

from django.db import transaction
from django.utils import timezone

from evaluation.comparison.turns import shown_prompt
from evaluation.models import Rating, Reviewer
from ftplatform.errors import DomainError


def pending(reviewer: Reviewer) -> bool:
    """Whether the reviewer still has practice items to answer before the first real pair."""
    return len(reviewer.practice) < len(reviewer.campaign.practice)


def current(reviewer: Reviewer) -> dict[str, Any] | None:
    """The practice item to answer now, without its answer; None when the round is over."""
    if not pending(reviewer):
        return None
    number = len(reviewer.practice)
    item = reviewer.campaign.practice[number]
    return {
        "number": number,
        "of": len(reviewer.campaign.practice),
        "prompt": shown_prompt(item["prompt"]),
        "left": {"text": item["left"]},
        "right": {"text": item["right"]},
    }


@transaction.atomic
def answer(*, reviewer: Reviewer, number: int, preference: str) -> dict[str, Any]:
    """Store one answer: {right, expected, explanation, left (items still to come), qualified}.

    An item that was already answered keeps its first answer and returns the same result. A reviewer who ends the
    round below the campaign's threshold is screened out. Locks the reviewer.

    Raises DomainError `practice_order` for any item but the current or an answered one, `invalid_preference`.
    """
    reviewer = Reviewer.objects.select_for_update(of=("self",)).select_related("campaign").get(pk=reviewer.pk)
    items, given = reviewer.campaign.practice, list(reviewer.practice)
    if preference not in Rating.Preference.values:
        raise DomainError(
            "invalid_preference", "Say which response is better, a tie, or both bad.", status=400
        )
    if not 0 <= number < len(items) or number > len(given):
        raise DomainError("practice_order", "This is not the practice pair that comes next.")
    item = items[number]
    if number == len(given):
        given.append({"preference": preference, "right": preference in item["expected"]})
        reviewer.practice = given
        reviewer.save(update_fields=["practice"])
        _screen_out_if_missed(reviewer)
    return {
        "right": given[number]["right"],
        "expected": item["expected"],
        "explanation": item["explanation"],
        "left": len(items) - len(given),
        "qualified": reviewer.status != Reviewer.Status.SCREENED_OUT,
    }


def right(reviewer: Reviewer) -> int:
    """The number of this reviewer's correct practice answers."""
    return sum(one["right"] for one in reviewer.practice)


def missed(reviewer: Reviewer) -> bool:
    """Whether this reviewer ended the round below the campaign's threshold."""
    return not pending(reviewer) and right(reviewer) < reviewer.campaign.practice_pass


def _screen_out_if_missed(reviewer: Reviewer) -> None:
    if not missed(reviewer):
        return
    reviewer.status, reviewer.ended_at = Reviewer.Status.SCREENED_OUT, timezone.now()
    reviewer.save(update_fields=["status", "ended_at"])
