"""The protocol of a campaign: everything that decides what reviewers see and how it is analysed, under one hash.

It is frozen at opening. Later changes are limited, and each is recorded as an amendment.
"""

import hashlib
import json
from typing import Any

from evaluation.models import Campaign, ReviewItem

# Caps, leases and pay can be amended, but are frozen too, so that an amendment changes the hash.
FROZEN = (
    *(
        "overlap",
        "pairs_planned",
        "lease_minutes",
        "max_per_reviewer",
        "max_per_hour",
        "is_pilot",
        "rubric_text",
    ),
    *("instructions", "content_warning", "consent", "language", "allow_markdown", "allow_skip", "ask_tuned"),
    *("edit_minutes", "practice", "practice_pass", "quality_every", "exclude_flags", "crowd", "plan"),
)


def hash_of(campaign: Campaign) -> str:
    """SHA-256 of the canonical JSON of the frozen settings, with the responses, the turns of conversations and
    the drawn sides of all items."""
    content = {name: getattr(campaign, name) for name in FROZEN} | {"items": _items_hash(campaign)}
    return hashlib.sha256(_canonical(content)).hexdigest()


def _items_hash(campaign: Campaign) -> str:
    """Repeats are excluded: they are created during the review, from pairs that are already included."""
    digest = hashlib.sha256()
    items = campaign.items.exclude(kind=ReviewItem.Kind.REPEAT).order_by("rank")
    columns = (
        "kind",
        "rank",
        "sides",
        "content",
        "pair__baseline_response__text",
        "pair__candidate_response__text",
        "pair__prompt__messages",
        "pair__prompt__tools",
    )
    for *row, messages, tools in items.values_list(*columns).iterator(chunk_size=2000):
        digest.update(_canonical([*row, messages, tools] if messages else row))
    return digest.hexdigest()


def _canonical(content: Any) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def summary(campaign: Campaign) -> dict[str, Any]:
    """For the report: the hash, whether it still matches, how the campaign ended, and all amendments."""
    early = campaign.ratings.filter(kind="real").count() < campaign.ratings_planned
    return {
        "hash": campaign.protocol_hash,
        "intact": hash_of(campaign) == campaign.protocol_hash,
        "closed_at": campaign.closed_at.isoformat(timespec="seconds") if campaign.closed_at else None,
        "closed_early": bool(campaign.closed_at) and early,
        "close_reason": campaign.close_reason,
        "amendments": [
            {
                "at": amendment.made_at.isoformat(timespec="seconds"),
                "changes": amendment.changes,
                "reason": amendment.reason,
            }
            for amendment in campaign.amendments.all()
        ],
    }
