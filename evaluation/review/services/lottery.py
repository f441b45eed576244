"""The random draw at opening: which pairs, in which order, with the candidate on which side of each slot."""

import random
import secrets

from django.db.models import Max, QuerySet

from evaluation.models import Campaign, Comparison, IdentityHit, Pair, ReviewItem
from evaluation.review.selectors import follow_ups
from evaluation.review.services import quality
from ftplatform import bulk_rows
from training.models import ModelVersion


def pairs_of(comparison: Comparison, candidate: ModelVersion | None = None) -> QuerySet[Pair]:
    """First samples of one candidate of a comparison, the first candidate by default."""
    return Pair.objects.filter(
        comparison=comparison, candidate_model=candidate or comparison.candidate, sample=0
    )


def available(campaign: Campaign) -> QuerySet[Pair]:
    """The pairs that reviewers may see.

    Only first samples, so that every prompt counts once. Pairs that the practice round explains and quarantined pairs
    are excluded, and so are prompts that were reviewed in a campaign that this one follows.
    """
    pairs = pairs_of(campaign.comparison, campaign.candidate)
    practised = [item["pair"] for item in campaign.practice if item.get("pair")]
    quarantined = IdentityHit.objects.filter(
        campaign=campaign.pk, decision=IdentityHit.Decision.QUARANTINED
    ).values("pair")
    pairs = pairs.exclude(pk__in=practised).exclude(pk__in=quarantined)
    return pairs.exclude(follow_ups.used_prompts(campaign)) if campaign.follows else pairs


def draw(campaign: Campaign) -> None:
    """Choose and shuffle the pairs and draw each slot's side, using the system's secure random generator."""
    pairs = set(available(campaign).values_list("pk", flat=True))
    chosen = secrets.SystemRandom().sample(sorted(pairs), campaign.pairs_planned)
    add(campaign, chosen)
    quality.draw(campaign, sorted(pairs - set(chosen)), chosen)


def add(campaign: Campaign, pairs: list[int]) -> None:
    """Add these pairs as items of the campaign, after its existing items."""
    rng = secrets.SystemRandom()
    last = campaign.items.aggregate(last=Max("rank"))["last"]
    start = 0 if last is None else last + 1
    alike = {
        "campaign_id": campaign.pk,
        "kind": ReviewItem.Kind.REAL,
        "open_slots": campaign.overlap,
        "content": None,
    }
    drawn = [(pair, rank, sides(campaign.overlap, rng)) for rank, pair in enumerate(pairs, start)]
    bulk_rows.insert(ReviewItem, alike, ("pair_id", "rank", "sides"), drawn)


def sides(overlap: int, rng: random.Random, begun: str = "") -> str:
    """`overlap` letters in blocks of two, each block LR or RL at random.

    An odd last letter is drawn with equal chances. The string `begun` is kept, and its open block is completed first.
    """
    letters = begun
    if len(begun) % 2:
        letters += "R" if begun[-1] == "L" else "L"
    coins = rng.getrandbits(overlap)  # all at once, because a user waits while 100,000 pairs are drawn
    while len(letters) < overlap:
        letters += "LR" if coins & 1 else "RL"
        coins >>= 1
    return letters[: max(overlap, len(begun))]
