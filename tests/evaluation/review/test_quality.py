"""Quality items: shown between real pairs, never counted, and what they say about a reviewer."""

from collections import Counter
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from evaluation.models import Assignment, Pair, Rating, Response, ReviewItem
from evaluation.review.api.blind import blind_assignment
from evaluation.review.selectors.counted_ratings import ratings_arrays
from evaluation.review.selectors.progress import campaign_progress
from evaluation.review.selectors.reviewers import passed
from evaluation.review.selectors.reviewing import reviewer_progress
from evaluation.review.services import assignments, quality, ratings
from tests import factories

pytestmark = pytest.mark.django_db
Kind = ReviewItem.Kind
WORDS = "Dear customer, your refund is on its way and should arrive within five working days."


@pytest.fixture
def owner():
    return factories.user("manager")


def opened(owner, **options):
    """Twelve of sixteen pairs with long enough texts, one quality item after about every three."""
    run = factories.comparison(owner, 16)
    for number, response in enumerate(Response.objects.filter(comparison=run)):
        Response.objects.filter(pk=response.pk).update(text=f"{number} {WORDS}")
    return factories.campaign(owner, 12, 2, comparison=run, **{"quality_every": 3} | options)


def drain(campaign, reviewer, preference="left"):
    met = []
    while (current := assignments.next_for(reviewer=reviewer)) is not None:
        met.append(current)
        answer = factories.answer(campaign, preference=preference)
        ratings.submit(reviewer=reviewer, token=current.token, answer=answer)
    return met


def test_one_comes_in_every_block_and_all_kinds_are_met(owner):
    campaign = opened(owner)
    met = drain(campaign, factories.reviewer(campaign))
    kinds = [one.item.kind for one in met]
    assert kinds.count(Kind.REAL) == 12
    assert set(kinds) == set(Kind)
    real = 0
    blocks: Counter[int] = Counter()
    for kind in kinds:
        if kind == Kind.REAL:
            real += 1
        else:
            blocks[(real - 1) // 3] += 1
    assert set(blocks.values()) == {1} and len(blocks) == 4


def test_they_count_nowhere(owner):
    campaign = opened(owner)
    reviewers = [factories.reviewer(campaign) for _ in range(2)]
    for reviewer in reviewers:
        drain(campaign, reviewer)
    assert Rating.objects.count() > 24
    assert len(ratings_arrays(campaign).ratings) == 24
    assert campaign_progress(campaign)["rated"] == 24
    assert reviewer_progress(reviewers[0]) == {"done": 12, "planned": 12}
    shown = Counter(Rating.objects.filter(kind="real").values_list("assignment__item", flat=True))
    assert set(shown.values()) == {2}


def test_a_repeat_shows_the_same_pair_swapped_and_not_at_once(owner):
    campaign = opened(owner)
    met = drain(campaign, factories.reviewer(campaign))
    places = {one.item.pair_id: n for n, one in enumerate(met) if one.item.kind == Kind.REAL}
    repeats = [(n, one) for n, one in enumerate(met) if one.item.kind == Kind.REPEAT]
    assert repeats
    for n, repeat in repeats:
        first = met[places[repeat.item.pair_id]]
        assert repeat.candidate_left is not first.candidate_left
        assert n - places[repeat.item.pair_id] > quality.REPEAT_AFTER


def test_made_items_use_pairs_outside_the_campaign_first(owner):
    campaign = opened(owner)
    real = set(campaign.items.filter(kind=Kind.REAL).values_list("pair", flat=True))
    spare = set(Pair.objects.filter(comparison=campaign.comparison).values_list("pk", flat=True)) - real
    assert spare <= set(campaign.items.exclude(kind=Kind.REAL).values_list("pair", flat=True))


def test_a_reload_changes_neither_the_item_nor_its_sides(owner):
    campaign = opened(owner, quality_every=1)
    reviewer = factories.reviewer(campaign)
    while (current := factories.lease(reviewer)).item.kind == Kind.REAL:
        ratings.submit(reviewer=reviewer, token=current.token, answer=factories.answer(campaign))
    assert factories.lease(reviewer).token == current.token
    assert blind_assignment(factories.lease(reviewer)) == blind_assignment(current)


def test_what_a_reviewer_gets_names_no_kind_and_has_the_shape_of_a_real_pair(owner):
    campaign = opened(owner)
    met = drain(campaign, factories.reviewer(campaign))
    shapes = {frozenset(blind_assignment(one)) for one in met}
    assert len(shapes) == 1
    for one in met:
        shown = blind_assignment(one)
        text = str([shown[part] for part in ("prompt", "left", "right", "progress")])
        assert not any(word in text for word in ("degraded", "identical", "repeat", "expected", "kind"))


@pytest.mark.parametrize(
    ("kind", "given", "right"),
    [
        (Kind.DEGRADED, "a", True),
        (Kind.DEGRADED, "b", False),
        (Kind.DEGRADED, "tie", False),
        (Kind.IDENTICAL, "tie", True),
        (Kind.IDENTICAL, "both_bad", True),
        (Kind.IDENTICAL, "a", False),
    ],
)
@pytest.mark.parametrize("first_left", [True, False])
def test_an_answer_is_right_by_what_was_shown_where(kind, given, right, first_left):
    expected = ["a"] if kind == Kind.DEGRADED else ["tie", "both_bad"]
    preference = {"a": "left" if first_left else "right", "b": "right" if first_left else "left"}.get(
        given, given
    )
    assert passed({"expected": expected}, first_left=first_left, preference=preference) is right


def test_a_broken_side_is_visibly_broken_and_always_in_the_same_way():
    broken = quality.degrade(WORDS)
    assert broken == quality.degrade(WORDS)
    assert broken.split()[0] == WORDS.split()[9] and len(broken) < len(WORDS)
    assert quality.degrade("Yes, of course.") == "Yes, of course."


def test_an_expired_quality_item_frees_no_slot_and_still_takes_its_rating(owner):
    campaign = opened(owner, quality_every=1)
    reviewer = factories.reviewer(campaign)
    while (current := factories.lease(reviewer)).item.kind == Kind.REAL:
        ratings.submit(reviewer=reviewer, token=current.token, answer=factories.answer(campaign))
    before = list(campaign.items.values_list("pk", "open_slots"))
    Assignment.objects.filter(pk=current.pk).update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    assert assignments.release_expired(campaign.pk) == 1
    assert list(campaign.items.values_list("pk", "open_slots")) == before
    stored = ratings.submit(reviewer=reviewer, token=current.token, answer=factories.answer(campaign))
    assert stored.kind == current.item.kind
    assert list(campaign.items.values_list("pk", "open_slots")) == before


def test_the_database_gives_a_quality_item_no_slots(owner):
    item = opened(owner).items.filter(kind=Kind.CHECK).first()
    with pytest.raises(IntegrityError), transaction.atomic():
        ReviewItem.objects.filter(pk=item.pk).update(open_slots=1)


def test_without_quality_items_none_are_made(owner):
    campaign = factories.campaign(owner, 6, 2)
    assert set(campaign.items.values_list("kind", flat=True)) == {Kind.REAL}


@pytest.mark.parametrize(
    ("platform", "status"),
    [({"preset": "prolific", "codes": {"completed": "C1", "failed": "C3"}}, "failed"), ({}, "completed")],
)
def test_failed_checks_end_a_paid_participants_work_and_nobody_elses(owner, platform, status):
    campaign = opened(owner, quality_every=1, crowd=platform)
    campaign.items.filter(kind=Kind.CHECK).update(content={"expected": ["left"], "a": "x", "b": "y"})
    reviewer = factories.reviewer(campaign, participant={"PROLIFIC_PID": "p"})
    met = drain(campaign, reviewer, preference="right")
    failed = [one.item.kind for one in met].count(Kind.CHECK)
    reviewer.refresh_from_db()
    assert reviewer.status == status
    assert failed == quality.CHECKS_FAILED if platform else failed > quality.CHECKS_FAILED
