"""Unfinished ratings, stored so that a reviewer can continue on another device. A draft is never a rating."""

import json
from typing import Any
from uuid import UUID

from evaluation.models import Assignment, Draft, Reviewer
from ftplatform.errors import DomainError

MAX_BYTES = 64 * 1024


def save(*, reviewer: Reviewer, token: UUID, content: dict[str, Any]) -> Draft | None:
    """Store what the reviewer has filled in for a pair that they can still rate, replacing any earlier draft.

    Returns None, and stores nothing, for a rated or skipped pair. Raises DomainError `unknown_assignment`,
    `draft_too_large`.
    """
    assignment = Assignment.objects.filter(token=token, reviewer=reviewer).first()
    if assignment is None:
        raise DomainError("unknown_assignment", "This pair is not yours to rate.", status=404)
    if len(json.dumps(content).encode()) > MAX_BYTES:
        raise DomainError("draft_too_large", f"A draft may have {MAX_BYTES:,} bytes.", status=413)
    if assignment.status not in (Assignment.Status.LEASED, Assignment.Status.EXPIRED):
        return None
    values = {"assignment": assignment, "content": content}
    return Draft.objects.update_or_create(reviewer=reviewer, defaults=values)[0]


def content(assignment: Assignment) -> dict[str, Any] | None:
    """The content of the assignment's draft; None if no draft is stored."""
    draft = Draft.objects.filter(assignment=assignment, reviewer=assignment.reviewer_id).first()
    return draft.content if draft else None
