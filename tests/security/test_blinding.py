"""Nothing sent to a reviewer depends on which model wrote a response. Each test fails on a planted leak."""

import itertools
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction

from evaluation.models import Campaign
from evaluation.review.api import blind, review
from evaluation.review.services import quality
from tests import factories
from tests.security import worlds

pytestmark = pytest.mark.django_db


class Undo(Exception):
    pass


def seen_in(patch: pytest.MonkeyPatch, *, swapped: bool) -> list[worlds.Answer]:
    """The answers of a reviewer's crawl of one world; the database is restored afterwards."""
    with patch.context() as still:
        worlds.make_still(still, swapped=swapped)
        still.setattr(factories, "_numbers", itertools.count(1))
        seen: list[worlds.Answer] = []
        try:
            with transaction.atomic():
                seen = worlds.crawl(worlds.campaign(swapped=swapped))
                raise Undo
        except Undo:
            return seen


def differences(patch: pytest.MonkeyPatch) -> list[str]:
    one, other = (seen_in(patch, swapped=swapped) for swapped in (False, True))
    assert len(one) > 60 and {answer.status for answer in one} >= {200, 204, 302, 400, 403, 404, 409, 410}
    assert any("alpha answer" in answer.body for answer in one)
    found = [first.request for first, second in zip(one, other, strict=False) if first != second]
    return found + ["more answers"] * (len(one) != len(other))


def test_two_worlds_with_base_and_tuned_swapped_look_the_same(monkeypatch):
    assert differences(monkeypatch) == []


def leaking_text(assignment: Any) -> tuple[str, str]:
    """An invisible mark in the candidate's text."""
    left, right = TEXTS(assignment)
    return (f"{left}\u200bx", right) if assignment.candidate_left else (left, f"{right}\u200bx")


def leaking_field(assignment: Any) -> dict[str, Any]:
    pair = assignment.item.pair
    return BLIND(assignment) | {
        "cost": pair.candidate_response.output_tokens * (1 + assignment.candidate_left)
    }


def leaking_header(self: Any, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
    final = FINAL(self, request, response, *args, **kwargs)
    if isinstance(getattr(final, "data", None), dict) and "left" in final.data:
        final["Server-Timing"] = f"db;dur={final.data['left']['text'].startswith('alpha') + TRUTH()}"
    return final


TEXTS, BLIND, FINAL = quality.shown_texts, blind.blind_assignment, review.ReviewerView.finalize_response


def TRUTH() -> int:
    from evaluation.models import Assignment

    return int(Assignment.objects.latest("pk").candidate_left) * 10


@pytest.mark.parametrize(
    ("place", "name", "leak"),
    [
        (quality, "shown_texts", leaking_text),
        (review, "blind_assignment", leaking_field),
        (review.ReviewerView, "finalize_response", leaking_header),
    ],
)
def test_the_two_worlds_tell_a_planted_leak(monkeypatch, place, name, leak):
    monkeypatch.setattr(place, name, leak)
    assert differences(monkeypatch) != []


def leaked(seen: list[worlds.Answer]) -> set[str]:
    """Canaries that appear in bodies, headers or the scripts that the pages load."""
    scripts = [path.read_text() for path in Path(settings.BASE_DIR / "static").rglob("*.js")]
    everything = [answer.body + repr(answer.headers) + answer.request for answer in seen] + scripts
    words = [*worlds.CANARIES.values(), "canary-device-0aa1", "1237", "912.5"]
    return {word for word in words for text in everything if word in text}


def test_no_canary_reaches_a_reviewer():
    assert leaked(worlds.crawl(worlds.campaign(swapped=False))) == set()


def test_a_canary_in_a_title_is_heard():
    campaign = worlds.campaign(swapped=False)
    Campaign.objects.update(title=f"Is {worlds.CANARIES['tuned']} better?")
    campaign.refresh_from_db()
    assert leaked(worlds.crawl(campaign)) == {worlds.CANARIES["tuned"]}


CACHED = ("/review/worker.js", "/manifest.webmanifest")  # identical for every visitor and campaign


def remembered(seen: list[worlds.Answer]) -> set[str]:
    """Answers that a cache might store, or whose headers reveal when or from what they were generated."""
    telling = {"ETag", "Last-Modified", "Server-Timing", "X-Request-Id", "Age"}
    kept = set()
    for answer in seen:
        headers = dict(answer.headers)
        inside = "/review/" in answer.request or "/assignments/" in answer.request
        stored = inside and answer.status == 200 and "no-store" not in headers.get("Cache-Control", "")
        if telling & set(headers) or (stored and not answer.request.endswith(CACHED)):
            kept.add(answer.request)
    return kept


def test_nothing_of_a_review_may_be_kept_and_no_header_tells_of_its_making(settings):
    campaign = worlds.campaign(swapped=False)
    assert remembered(worlds.crawl(campaign)) == set()


def test_a_middleware_that_marks_contents_is_noticed(settings):
    settings.MIDDLEWARE = ["django.middleware.http.ConditionalGetMiddleware", *settings.MIDDLEWARE]
    campaign = worlds.campaign(swapped=False)
    assert remembered(worlds.crawl(campaign)) != set()
