"""Check R1 to R6 by SQL after the clients have finished."""

from collections.abc import Mapping
from typing import Any

from django.db import connection

from evaluation.models import Campaign


def broken(campaign: Campaign, acknowledged: Mapping[str, tuple[bool, str]]) -> dict[str, int]:
    """Number of rows that break each rule. `acknowledged`: token → (candidate shown left, preference sent)."""
    stored = {
        str(token).replace("-", ""): (bool(left), preference)
        for token, left, preference in _rows(
            "SELECT a.token, a.candidate_left, r.preference FROM evaluation_rating r"
            " JOIN evaluation_assignment a ON a.id = r.assignment_id WHERE r.campaign_id = %s",
            campaign,
        )
    }
    seen = {token.replace("-", ""): answer for token, answer in acknowledged.items()}
    return {
        "R1 an acknowledged rating is not stored": sum(token not in stored for token in seen),
        "R2 a reviewer rated a pair twice": _count(
            "SELECT COUNT(*) FROM (SELECT a.reviewer_id, a.item_id FROM evaluation_rating r"
            " JOIN evaluation_assignment a ON a.id = r.assignment_id WHERE r.campaign_id = %s"
            " GROUP BY a.reviewer_id, a.item_id HAVING COUNT(*) > 1) twice",
            campaign,
        ),
        "R3 a pair has more ratings and leases than its overlap": _count(
            "SELECT COUNT(*) FROM (SELECT a.item_id FROM evaluation_assignment a"
            " JOIN evaluation_reviewitem i ON i.id = a.item_id WHERE i.campaign_id = %s AND i.kind = 'real'"
            " AND a.status IN ('leased', 'rated') GROUP BY a.item_id HAVING COUNT(*) > %s) many",
            campaign,
            campaign.overlap,
        ),
        "R3 a pair's open slots are miscounted": _count(
            "SELECT COUNT(*) FROM (SELECT i.id FROM evaluation_reviewitem i LEFT JOIN evaluation_assignment a"
            " ON a.item_id = i.id AND a.status IN ('leased', 'rated') WHERE i.campaign_id = %s AND i.kind = 'real'"
            " GROUP BY i.id, i.open_slots HAVING COUNT(a.id) + i.open_slots <> %s) wrong",
            campaign,
            campaign.overlap,
        ),
        "R4 a rating came after the close": _count(
            "SELECT COUNT(*) FROM evaluation_rating r JOIN evaluation_campaign c ON c.id = r.campaign_id"
            " WHERE c.id = %s AND c.closed_at IS NOT NULL AND r.submitted_at > c.closed_at",
            campaign,
        ),
        "R5 a block shows the candidate twice on one side": _count(
            "SELECT COUNT(*) FROM (SELECT a.item_id FROM evaluation_assignment a"
            " JOIN evaluation_reviewitem i ON i.id = a.item_id WHERE i.campaign_id = %s AND i.kind = 'real'"
            " AND a.status IN ('leased', 'rated') GROUP BY a.item_id, a.slot / 2, a.candidate_left"
            " HAVING COUNT(*) > 1) one_sided",
            campaign,
        ),
        "R6 a rating is stored for other sides than were seen": sum(
            stored[token] != answer for token, answer in seen.items() if token in stored
        ),
    }


def _rows(sql: str, campaign: Campaign, *values: Any) -> list[tuple[Any, ...]]:
    key = campaign.pk if connection.vendor == "postgresql" else campaign.pk.hex
    with connection.cursor() as cursor:
        cursor.execute(sql, [key, *values])
        return list(cursor.fetchall())


def _count(sql: str, campaign: Campaign, *values: Any) -> int:
    return int(_rows(sql, campaign, *values)[0][0])
