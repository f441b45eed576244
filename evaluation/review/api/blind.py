"""What the API sends to reviewers. Every field is listed explicitly, so that a new model field is never sent by
accident. Both sides go through the same calls, in the order drawn for them."""

from functools import lru_cache
from typing import Any

from evaluation.comparison.turns import shown_prompt
from evaluation.models import Assignment, Rating
from evaluation.review import statements
from evaluation.review.selectors.reviewing import reviewer_progress
from evaluation.review.services import quality
from evaluation.review.services.ratings import ANSWER_FIELDS
from ftplatform.text import html


def blind_assignment(assignment: Assignment) -> dict[str, Any]:
    """A pair as its reviewer may see it: two texts in the order drawn for them, treated alike."""
    item, campaign = assignment.item, assignment.reviewer.campaign
    item.pair = statements.pair_texts(item.pair_id)
    left, right = quality.shown_texts(assignment)
    return {
        "token": str(assignment.token),
        "prompt": shown_prompt(item.prompt),
        "left": _side(left, campaign.allow_markdown),
        "right": _side(right, campaign.allow_markdown),
        "rubric": _rubric(campaign.rubric),
        "lease_expires_at": assignment.lease_expires_at.isoformat(timespec="seconds"),
        "progress": reviewer_progress(assignment.reviewer),
    }


# All reviewers of a campaign read the same texts.
_as_html = lru_cache(maxsize=256)(html.document)


def _rubric(rubric: dict[str, Any]) -> dict[str, Any]:
    """The form; sections have their text as `html` too, unless they were stored before texts were Markdown."""
    if not rubric.get("markdown"):
        return rubric
    return rubric | {"sections": [part | {"html": _as_html(part["text"])} for part in rubric["sections"]]}


def _side(text: str, markdown: bool) -> dict[str, str]:
    shown = {"text": text.strip()}
    return {**shown, "html": html.response(shown["text"])} if markdown else shown


def stored_rating(rating: Rating) -> dict[str, Any]:
    """A stored rating with the reviewer's progress, as sent to its reviewer."""
    return {
        "token": str(rating.assignment.token),
        **_answers(rating),
        "progress": reviewer_progress(rating.assignment.reviewer),
    }


def own_rating(rating: Rating) -> dict[str, Any]:
    """A rated pair with its reviewer's answers."""
    return {"pair": blind_assignment(rating.assignment), "rating": _answers(rating)}


def _answers(rating: Rating) -> dict[str, Any]:
    return {name: getattr(rating, name) for name in ANSWER_FIELDS}
