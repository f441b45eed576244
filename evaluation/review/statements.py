"""The SQL of the reviewer's two frequent requests, `next` and submit: every statement that both repeat.

The rules that use them are in `assignments` and `ratings`. On both databases a test compares each statement with the
equivalent queryset (tests/evaluation/review/test_statements.py).

PostgreSQL keeps one plan of each statement for any parameters (`ftplatform.prepared`), and may have made it while a
table was empty. Two rules follow. A constant that a partial index depends on is in the text, not a parameter. And
where a join would let the planner read a whole table, a subquery looks rows up by key.
"""

import json
from datetime import datetime
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from django.utils import timezone

from evaluation import rubrics
from evaluation.models import Assignment, Campaign, Pair, Prompt, Rating, Response, Reviewer, ReviewItem
from ftplatform.prepared import Columns, Row, Statement, as_uuid, stored

WINDOW = 16  # candidate items: enough to find one with the wanted side, few enough to be cheap

_REVIEWER = Columns(
    Reviewer,
    "reviewer",
    ("id", "campaign", "number", "completion_code", "status", "practice"),
)
_CAMPAIGN = Columns(
    Campaign,
    "campaign",
    (
        *("id", "title", "status", "pairs_planned", "protocol_hash", "language", "instructions"),
        *("lease_minutes", "max_per_reviewer", "max_per_hour", "edit_minutes", "quality_every", "crowd"),
        *("practice", "practice_pass", "allow_markdown", "allow_skip", "ask_tuned", "content_warning"),
    ),
)
_REVIEWER_BY_DIGEST = Statement(
    f"SELECT {_REVIEWER.sql}, {_CAMPAIGN.sql}"  # noqa: S608 (column names only)
    " FROM evaluation_reviewer reviewer JOIN evaluation_campaign campaign ON campaign.id = reviewer.campaign_id"
    " WHERE reviewer.digest = %s"
)


def reviewer_by_token(token: str) -> Reviewer | None:
    """The reviewer with their campaign and its form; None for an unknown token.

    The form is parsed once per process, because it is part of the protocol, which is frozen under its hash.
    """
    row = _REVIEWER_BY_DIGEST.first(Reviewer.digest_of(token))
    if row is None:
        return None
    reviewer = _REVIEWER.instance(row[: len(_REVIEWER)])
    campaign = _CAMPAIGN.instance(row[len(_REVIEWER) :])
    campaign.rubric, campaign.form = _frozen_form(campaign.pk, campaign.protocol_hash)
    reviewer.campaign = campaign
    return reviewer


@lru_cache(maxsize=64)
def _frozen_form(campaign: UUID, protocol_hash: str) -> tuple[dict[str, Any], rubrics.FormDefinition]:
    """The campaign's rubric as JSON and as a form. The hash is part of the cache key."""
    rubric = Campaign.objects.values_list("rubric", flat=True).get(pk=campaign)
    return rubric, rubrics.FormDefinition.from_json(rubric)


# The limit, which is never reached, keeps both databases from joining the two tables: SQLite would read all
# items, PostgreSQL all assignments.
_EXPIRED_LEASE = Statement(
    "SELECT item.id FROM evaluation_reviewitem item WHERE item.campaign_id = %s AND item.id IN ("
    " SELECT lease.item_id FROM evaluation_assignment lease"
    " WHERE lease.status = 'leased' AND lease.lease_expires_at <= %s"
    " ORDER BY lease.lease_expires_at LIMIT 1000000000) LIMIT 1"
)


def has_expired_leases(campaign: UUID, now: datetime) -> bool:
    """Whether any lease of the campaign has expired without being released."""
    return _EXPIRED_LEASE.first(campaign, now) is not None


class ReviewerState(NamedTuple):
    status: str
    practice: list[dict[str, Any]]
    campaign_status: str


_LOCK_REVIEWER = Statement(
    "SELECT reviewer.status, reviewer.practice, campaign.status"
    " FROM evaluation_reviewer reviewer JOIN evaluation_campaign campaign ON campaign.id = reviewer.campaign_id"
    " WHERE reviewer.id = %s",
    lock="FOR NO KEY UPDATE OF reviewer",
)


def lock_reviewer(reviewer: int) -> ReviewerState:
    """Lock the reviewer's row until the transaction ends; returns the values that may have changed meanwhile."""
    row = _LOCK_REVIEWER.first(reviewer)
    if row is None:
        raise Reviewer.DoesNotExist
    return ReviewerState(row[0], json.loads(row[1]), row[2])


class AssignmentGroup(NamedTuple):
    """`number` assignments of one reviewer with the same properties.

    Each lease is its own group, with its key and token. The other groups have 0 and None.
    """

    kind: str
    status: str
    candidate_left: bool
    number: int
    lease: int
    token: UUID | None
    is_live: bool  # a lease that has not expired


# Two parts: a reviewer's thousands of past assignments are counted in an index alone, and only leases are
# read. 'leased' must be in the text: with a parameter, PostgreSQL would read everybody's leases through the
# partial index for them.
_ASSIGNMENTS_OF = Statement(
    "SELECT kind, status, candidate_left, COUNT(*), 0, NULL, FALSE FROM evaluation_assignment"
    " WHERE reviewer_id = %s AND status IN ('rated', 'expired', 'skipped')"
    " GROUP BY kind, status, candidate_left"
    " UNION ALL SELECT kind, status, candidate_left, 1, id, token, lease_expires_at > %s"
    " FROM evaluation_assignment WHERE reviewer_id = %s AND status = %s"
)


def assignments_of(reviewer: int, now: datetime) -> list[AssignmentGroup]:
    """All assignments of this reviewer, grouped; leases in the order in which they were made."""
    rows = _ASSIGNMENTS_OF.all(reviewer, now, reviewer, Assignment.Status.LEASED.value)
    return [
        AssignmentGroup(
            kind, status, bool(left), number, lease, as_uuid(token) if token else None, bool(live)
        )
        for kind, status, left, number, lease, token, live in sorted(rows, key=itemgetter(4))
    ]


class OpenItem(NamedTuple):
    """A real item with open slots; `sides` has one letter for each slot: the candidate is left (L) or right (R)."""

    pk: int
    pair: int
    rank: int
    sides: str
    open_slots: int
    held: frozenset[int]  # the slots that are leased or rated


# The reviewer's assignments are looked up for each item. "Does not exist" would become a join, for which
# PostgreSQL may read everything that the reviewer has seen. For "is null" and "equals" it expects so few rows
# that it sorts all items instead of reading them in order until enough are found.
UNSEEN = (
    "COALESCE((SELECT seen.id FROM evaluation_assignment seen"
    " WHERE seen.item_id = item.id AND seen.reviewer_id = %s), 0) < 1"
)
_OPEN_ITEM = (
    "SELECT item.id, item.pair_id, item.rank, item.sides, item.open_slots, ("
    " SELECT STRING_AGG(CAST(holder.slot AS TEXT), ',') FROM evaluation_assignment holder"
    " WHERE holder.item_id = item.id AND holder.status IN ('leased', 'rated'))"
)
_OPEN = f" FROM evaluation_reviewitem item WHERE item.campaign_id = %s AND item.open_slots > 0 AND {UNSEEN}"
_IN_ORDER = " ORDER BY item.open_slots DESC, item.rank LIMIT"
_OPEN_ITEMS = Statement(f"{_OPEN_ITEM}{_OPEN}{_IN_ORDER} {WINDOW}")
LEAST_RATED_FROM = Statement(
    f"{_OPEN_ITEM}{_OPEN} AND item.open_slots = (SELECT item.open_slots{_OPEN}{_IN_ORDER} 1)"
    f" AND item.rank >= %s{_IN_ORDER} {WINDOW}"
)


def open_items(campaign: UUID, reviewer: int) -> list[OpenItem]:
    """The first items with open slots that this reviewer has not seen: the most open slots first, then by rank."""
    return [_open_item(row) for row in _OPEN_ITEMS.all(campaign, reviewer)]


def least_rated_from(campaign: UUID, reviewer: int, rank: int) -> list[OpenItem]:
    """Of those with the most open slots, the first whose rank is at least `rank`."""
    return [_open_item(row) for row in LEAST_RATED_FROM.all(campaign, reviewer, campaign, reviewer, rank)]


def _open_item(row: Row) -> OpenItem:
    pk, pair, rank, sides, open_slots, held = row
    slots = frozenset(int(slot) for slot in held.split(",")) if held else frozenset()
    return OpenItem(pk, pair, rank, sides, open_slots, slots)


_TAKE_SLOT = Statement(
    "UPDATE evaluation_reviewitem SET open_slots = open_slots - 1 WHERE id = %s AND open_slots = %s"
)


def take_slot(item: int, open_slots: int) -> bool:
    """Lock the item and take one of its slots, if exactly `open_slots` are still open.

    After False the transaction must end: PostgreSQL keeps the lock on a row that an UPDATE has waited for, changed or
    not.
    """
    return _TAKE_SLOT.run(item, open_slots) == 1


_INSERT_LEASE = Statement(
    "INSERT INTO evaluation_assignment"
    " (token, item_id, kind, reviewer_id, slot, candidate_left, status, leased_at, lease_expires_at)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id"
)


def insert_lease(
    *, item: ReviewItem, reviewer: Reviewer, slot: int, candidate_left: bool, lease_expires_at: datetime
) -> Assignment:
    """Insert a lease. Raises IntegrityError if the slot has a holder or the reviewer has seen the item."""
    values = {
        "token": uuid4(),
        "item_id": item.pk,
        "kind": item.kind,
        "reviewer_id": reviewer.pk,
        "slot": slot,
        "candidate_left": candidate_left,
        "status": Assignment.Status.LEASED.value,
        "leased_at": timezone.now(),
        "lease_expires_at": lease_expires_at,
    }
    ((key,),) = _INSERT_LEASE.all(*values.values())
    lease = stored(Assignment, {"id": key, **values})
    lease.item, lease.reviewer = item, reviewer
    return lease


_RATE_LEASE = Statement(
    "UPDATE evaluation_assignment SET status = 'rated'"
    " WHERE token = %s AND reviewer_id = %s AND status = 'leased' RETURNING id, item_id, kind"
)


def rate_lease(reviewer: Reviewer, token: UUID) -> Assignment | None:
    """Lock the reviewer's lease with this token and mark it as rated; None if they hold no such lease."""
    row = _RATE_LEASE.first(token, reviewer.pk)
    if row is None:
        return None
    values = dict(zip(("id", "item_id", "kind"), row, strict=True))
    values |= {"token": token, "reviewer_id": reviewer.pk, "status": Assignment.Status.RATED.value}
    assignment = stored(Assignment, values)
    assignment.reviewer = reviewer
    return assignment


_INSERT_RATING = Statement(
    "INSERT INTO evaluation_rating (assignment_id, campaign_id, kind, preference, scores, answers, comment, active_ms,"
    " hidden_ms, submitted_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id"
)


def insert_rating(assignment: Assignment, campaign: UUID, answer: dict[str, Any]) -> Rating:
    """Store {preference, scores, answers, comment, active_ms, hidden_ms}; times in milliseconds.

    Raises IntegrityError if the assignment has a rating.
    """
    values = {
        "assignment_id": assignment.pk,
        "campaign_id": campaign,
        "kind": assignment.kind,
        **{
            name: answer[name]
            for name in ("preference", "scores", "answers", "comment", "active_ms", "hidden_ms")
        },
        "submitted_at": timezone.now(),
    }
    as_json = {name: json.dumps(values[name]) for name in ("scores", "answers")}
    ((key,),) = _INSERT_RATING.all(*(values | as_json).values())
    rating = stored(Rating, {"id": key, "revised_at": None, **values})
    rating.assignment = assignment
    return rating


LOCK_CAMPAIGN = Statement(
    "SELECT campaign.status, (SELECT COUNT(*) FROM evaluation_assignment rated"
    " WHERE rated.reviewer_id = %s AND rated.status = 'rated' AND rated.kind = 'real')"
    " FROM evaluation_campaign campaign WHERE campaign.id = %s",
    lock="FOR KEY SHARE OF campaign",
)


def lock_campaign(campaign: UUID, reviewer: int) -> tuple[str, int]:
    """The campaign's status, and the number of real pairs the reviewer has rated.

    The status cannot change until the transaction ends. Waits for a transaction that is changing the status. Many
    reviewers can hold this lock at once.
    """
    ((status, rated),) = LOCK_CAMPAIGN.all(reviewer, campaign)
    return status, rated


_PAIR_TEXTS = Statement(
    "SELECT pair.prompt_id, prompt.instruction, prompt.input, prompt.messages, prompt.tools,"
    " pair.baseline_response_id, baseline.text, pair.candidate_response_id, candidate.text"
    " FROM evaluation_pair pair JOIN evaluation_prompt prompt ON prompt.id = pair.prompt_id"
    " JOIN evaluation_response baseline ON baseline.id = pair.baseline_response_id"
    " JOIN evaluation_response candidate ON candidate.id = pair.candidate_response_id"
    " WHERE pair.id = %s"
)


def pair_texts(pair: int) -> Pair:
    """A pair with its prompt and both responses; only the texts of the responses are loaded."""
    ((prompt, instruction, *parts, baseline, baseline_text, candidate, candidate_text),) = _PAIR_TEXTS.all(
        pair
    )
    rows = stored(
        Pair,
        {
            "id": pair,
            "prompt_id": prompt,
            "baseline_response_id": baseline,
            "candidate_response_id": candidate,
        },
    )
    content = dict(zip(("input", "messages", "tools"), map(json.loads, parts), strict=True))
    rows.prompt = stored(Prompt, {"id": prompt, "instruction": instruction, **content})
    rows.baseline_response = stored(Response, {"id": baseline, "text": baseline_text})
    rows.candidate_response = stored(Response, {"id": candidate, "text": candidate_text})
    return rows
