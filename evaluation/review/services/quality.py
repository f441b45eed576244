"""Quality items: pairs with a known answer between the real ones, excluded from the overlap and from all reports.

There are four kinds: one response visibly broken, a repeat of the reviewer's own pair with the sides swapped, two
identical responses, and an instruction check. They are created when the campaign opens, if possible from pairs
outside it. A keyed hash fixes their order for each reviewer, so that reloading does not change it and it cannot be
predicted.
"""

import random
import secrets
from typing import Any

from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext, gettext_noop, override

from evaluation.models import Assignment, Campaign, Pair, Rating, Reviewer, ReviewItem
from evaluation.review.selectors.reviewers import passed

Kind = ReviewItem.Kind
MADE = (Kind.DEGRADED, Kind.IDENTICAL, Kind.CHECK)
ITEMS_OF_A_KIND = 12
REPEAT_AFTER = 4  # minimum number of ratings between a pair and its repeat
CHECKS_FAILED = 2  # as crowd platforms require: one failed check may be a slip
_CHECKS = {
    "left": gettext_noop(
        "This pair only checks whether you read instructions. Do not judge it: choose “Left”."
    ),
    "right": gettext_noop(
        "This pair only checks whether you read instructions. Do not judge it: choose “Right”."
    ),
    "tie": gettext_noop(
        "This pair only checks whether you read instructions. Do not judge it: choose “Tie”."
    ),
    "both_bad": gettext_noop(
        "This pair only checks whether you read instructions. Do not judge it: choose “Both bad”."
    ),
}


def draw(campaign: Campaign, spare: list[int], chosen: list[int]) -> None:
    """Create the quality items of an opening campaign. `spare`: pairs outside it; `chosen`: pairs inside."""
    if not campaign.quality_every:
        return
    rng = secrets.SystemRandom()
    rng.shuffle(spare)
    pool = spare + rng.sample(chosen, min(len(chosen), len(MADE) * ITEMS_OF_A_KIND))
    drawn: list[ReviewItem] = []
    for number, kind in enumerate(MADE):
        keys = pool[number * ITEMS_OF_A_KIND : (number + 1) * ITEMS_OF_A_KIND] or pool[:ITEMS_OF_A_KIND]
        for pair in Pair.objects.filter(pk__in=keys).select_related(
            "baseline_response", "candidate_response"
        ):
            with override(campaign.language or settings.LANGUAGE_CODE):
                content = _content(kind, pair, rng)
            if content is not None:
                drawn.append(
                    ReviewItem(
                        campaign=campaign,
                        kind=kind,
                        pair=pair,
                        rank=campaign.pairs_planned + len(drawn),
                        open_slots=0,
                        content=content,
                    )
                )
    ReviewItem.objects.bulk_create(drawn)


def _content(kind: Kind, pair: Pair, rng: random.Random) -> dict[str, Any] | None:
    """The content of an item of this kind; None if the texts do not allow one."""
    texts = [pair.baseline_response.text.strip(), pair.candidate_response.text.strip()]
    rng.shuffle(texts)
    a, b = texts
    if kind == Kind.DEGRADED:
        broken = degrade(b)
        return {"a": a, "b": broken, "expected": ["a"]} if a and broken != b else None
    if kind == Kind.IDENTICAL:
        return {"a": a, "b": a, "expected": ["tie", "both_bad"]} if a else None
    wanted = rng.choice(list(_CHECKS))
    instruction = gettext(_CHECKS[wanted])
    return {"a": a, "b": b, "expected": [wanted], "prompt": {"instruction": instruction, "input": {}}}


def degrade(text: str) -> str:
    """The same text, visibly broken: its words in reverse order, without the last third.

    This is visible in any language. A text of fewer than four words is returned unchanged.
    """
    words = text.split()
    if len(words) < 4:
        return text
    kept = words[: max(3, len(words) * 2 // 3)]
    return " ".join(reversed(kept)) + " …"


def due(reviewer: Reviewer, *, rated: int, met: int) -> bool:
    """Whether the next pair is a quality item, after `rated` real pairs and `met` quality items.

    There is one in every block of `quality_every` real pairs, at a place drawn for this reviewer and block.
    """
    interval = reviewer.campaign.quality_every
    if not interval:
        return False
    return rated >= met * interval + _dice(reviewer, f"place {met}").randint(1, interval)


def next_item(reviewer: Reviewer, met: list[str]) -> tuple[ReviewItem, bool] | None:
    """The next quality item and whether its `a` is on the left; None if there is none for this reviewer.

    It is of the kind that the reviewer has `met` least often. Ties are broken in an order drawn for the reviewer.
    """
    kinds = [Kind.CHECK, Kind.DEGRADED, Kind.REPEAT, Kind.IDENTICAL]
    _dice(reviewer, f"round {len(met) // len(kinds)}").shuffle(kinds)
    for kind in sorted(kinds, key=met.count):
        item = _repeat(reviewer) if kind == Kind.REPEAT else _quality_item(reviewer, kind)
        if item is not None:
            return item
    return None


def _dice(reviewer: Reviewer, purpose: str) -> random.Random:
    return random.Random(salted_hmac("quality", f"{reviewer.pk} {purpose}", algorithm="sha256").hexdigest())


def _seen(reviewer: Reviewer) -> QuerySet[Assignment]:
    return Assignment.objects.filter(item=OuterRef("pk"), reviewer=reviewer)


def _quality_item(reviewer: Reviewer, kind: Kind) -> tuple[ReviewItem, bool] | None:
    """An item of this kind that is new to the reviewer, preferably from a pair that they will not see as a real one."""
    later = ReviewItem.objects.filter(
        campaign=reviewer.campaign_id, kind=Kind.REAL, pair=OuterRef("pair")
    ).exclude(assignments__reviewer=reviewer)
    items = ReviewItem.objects.filter(~Exists(_seen(reviewer)), campaign=reviewer.campaign_id, kind=kind)
    candidates = list(items.annotate(comes_later=Exists(later)).order_by("comes_later", "rank"))
    if not candidates:
        return None
    good = [item for item in candidates if item.comes_later == candidates[0].comes_later]
    return secrets.choice(good), bool(secrets.randbits(1))


def _repeat(reviewer: Reviewer) -> tuple[ReviewItem, bool] | None:
    """The earliest real pair of this reviewer without a repeat, with the sides swapped."""
    rated = Rating.objects.filter(assignment__reviewer=reviewer, kind=Kind.REAL).order_by("pk")
    behind = list(rated.values_list("assignment__item__pair_id", "assignment__candidate_left"))
    repeated = set(
        Assignment.objects.filter(reviewer=reviewer, item__kind=Kind.REPEAT).values_list(
            "item__pair_id", flat=True
        )
    )
    for pair, candidate_left in behind[:-REPEAT_AFTER]:
        if pair not in repeated:
            item, _ = ReviewItem.objects.get_or_create(
                campaign=reviewer.campaign,
                kind=Kind.REPEAT,
                pair_id=pair,
                defaults={"rank": 0, "sides": "", "open_slots": 0},
            )
            return item, not candidate_left
    return None


def shown_texts(assignment: Assignment) -> tuple[str, str]:
    """The texts on the left and on the right, of a real pair or of a quality item."""
    item = assignment.item
    if item.content is not None:
        first, second = item.content["a"], item.content["b"]
    else:
        first, second = item.pair.candidate_response.text, item.pair.baseline_response.text
    return (first, second) if assignment.candidate_left else (second, first)


def checks_failed(reviewer: Reviewer) -> int:
    """The number of failed instruction checks, the only reason for which pay can be refused."""
    rows = Rating.objects.filter(assignment__reviewer=reviewer, kind=Kind.CHECK).values_list(
        "assignment__item__content", "assignment__candidate_left", "preference"
    )
    return sum(
        not passed(content, first_left=left, preference=preference) for content, left, preference in rows
    )
