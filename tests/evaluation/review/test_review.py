"""Assignment and rating, one request at a time: overlap, balance, leases, close, idempotency."""

from collections import Counter
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from evaluation.models import Assignment, Rating, ReviewItem
from evaluation.review.selectors import reviewing
from evaluation.review.selectors.counted_ratings import ratings_arrays
from evaluation.review.services import assignments, campaigns, ratings
from ftplatform.errors import DomainError
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return factories.user("manager")


def rate(campaign, reviewer, **changes):
    current = assignments.next_for(reviewer=reviewer)
    if current is None:
        return None
    return ratings.submit(
        reviewer=reviewer, token=current.token, answer=factories.answer(campaign, **changes)
    )


def expire(current):
    Assignment.objects.filter(pk=current.pk).update(lease_expires_at=timezone.now() - timedelta(seconds=1))


def test_every_pair_gets_exactly_its_overlap_and_balanced_sides(owner):
    campaign = factories.campaign(owner, pairs=6, overlap=4)
    for _ in range(7):
        reviewer = factories.reviewer(campaign)
        while rate(campaign, reviewer):
            pass
    shown = Rating.objects.values_list("assignment__item_id", "assignment__candidate_left")
    assert Counter(item for item, _ in shown) == dict.fromkeys(campaign.items.values_list("pk", flat=True), 4)
    assert Counter(item for item, left in shown if left) == dict.fromkeys(
        campaign.items.values_list("pk", flat=True), 2
    )
    assert not ReviewItem.objects.filter(open_slots__gt=0).exists()


def test_sides_of_an_odd_overlap_differ_by_one_at_most(owner):
    campaign = factories.campaign(owner, pairs=40, overlap=3)
    lefts = [item.sides.count("L") for item in campaign.items.all()]
    assert set(lefts) == {1, 2}  # all of one kind has a chance of 2 in 2**40


def test_a_reviewer_sees_the_candidate_about_as_often_left_as_right(owner):
    campaign = factories.campaign(owner, pairs=30, overlap=4)
    reviewer = factories.reviewer(campaign)
    while rate(campaign, reviewer):
        pass
    lefts = Rating.objects.filter(assignment__candidate_left=True).count()
    assert lefts == 15


def test_a_reload_shows_the_same_pair_on_the_same_sides(owner):
    reviewer = factories.reviewer(factories.campaign(owner))
    assert factories.lease(reviewer).pk == factories.lease(reviewer).pk


def test_a_reviewer_never_sees_a_pair_twice(owner):
    campaign = factories.campaign(owner, pairs=2, overlap=3)
    reviewer = factories.reviewer(campaign)
    assert rate(campaign, reviewer) and rate(campaign, reviewer)
    assert assignments.next_for(reviewer=reviewer) is None


def test_the_cap_per_reviewer_ends_their_work(owner):
    campaign = factories.campaign(owner, pairs=4, max_per_reviewer=1)
    reviewer = factories.reviewer(campaign)
    assert rate(campaign, reviewer)
    assert assignments.next_for(reviewer=reviewer) is None


def test_an_expired_lease_frees_its_slot(owner):
    campaign = factories.campaign(owner, pairs=1, overlap=1)
    slow, other = factories.reviewer(campaign), factories.reviewer(campaign)
    lease = factories.lease(slow)
    assert assignments.next_for(reviewer=other) is None
    expire(lease)
    taken = assignments.next_for(reviewer=other)
    assert taken is not None and taken.slot == lease.slot


def test_a_late_rating_counts_while_its_slot_is_free(owner):
    campaign = factories.campaign(owner, pairs=2, overlap=1)
    slow, other = factories.reviewer(campaign), factories.reviewer(campaign)
    lease = factories.lease(slow)
    expire(lease)
    assignments.release_expired(campaign.pk)
    ratings.submit(reviewer=slow, token=lease.token, answer=factories.answer(campaign))
    assert factories.lease(other).item_id != lease.item_id
    assert ReviewItem.objects.get(pk=lease.item_id).open_slots == 0


def test_a_late_rating_whose_slot_was_taken_is_not_counted(owner):
    campaign = factories.campaign(owner, pairs=1, overlap=1)
    slow, other = factories.reviewer(campaign), factories.reviewer(campaign)
    lease = factories.lease(slow)
    expire(lease)
    assert rate(campaign, other)
    with pytest.raises(DomainError) as caught:
        ratings.submit(reviewer=slow, token=lease.token, answer=factories.answer(campaign))
    assert caught.value.code == "lease_expired_full"
    assert Rating.objects.count() == 1


def test_the_database_itself_refuses_a_second_holder_of_a_slot(owner):
    campaign = factories.campaign(owner, pairs=1, overlap=1)
    lease = factories.lease(factories.reviewer(campaign))
    copy = {
        "item": lease.item,
        "slot": lease.slot,
        "candidate_left": True,
        "lease_expires_at": timezone.now(),
    }
    with pytest.raises(IntegrityError), transaction.atomic():
        Assignment.objects.create(reviewer=factories.reviewer(campaign), **copy)


def test_the_same_rating_again_answers_alike_and_is_stored_once(owner):
    campaign = factories.campaign(owner)
    reviewer = factories.reviewer(campaign)
    token = factories.lease(reviewer).token
    first = ratings.submit(reviewer=reviewer, token=token, answer=factories.answer(campaign))
    again = ratings.submit(reviewer=reviewer, token=token, answer=factories.answer(campaign))
    assert first.pk == again.pk and Rating.objects.count() == 1
    with pytest.raises(DomainError) as caught:
        ratings.submit(reviewer=reviewer, token=token, answer=factories.answer(campaign, preference="tie"))
    assert (caught.value.code, caught.value.status) == ("already_rated", 422)


def test_another_reviewers_pair_is_not_there(owner):
    campaign = factories.campaign(owner)
    token = factories.lease(factories.reviewer(campaign)).token
    with pytest.raises(DomainError) as caught:
        ratings.submit(reviewer=factories.reviewer(campaign), token=token, answer=factories.answer(campaign))
    assert (caught.value.code, caught.value.status) == ("unknown_assignment", 404)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"preference": "candidate"}, "preference"),
        ({"scores": {}}, "empathy"),
        ({"scores": {"empathy": {"left": 11, "right": 5}}}, "empathy"),
        ({"scores": {"empathy": {"left": 5}}}, "empathy"),
        ({"comment": "x" * 6000}, "comment"),
        ({"comment": "a\x00b"}, "comment"),
    ],
)
def test_an_invalid_rating_names_its_field_and_is_not_stored(owner, changes, field):
    campaign = factories.campaign(owner)
    reviewer = factories.reviewer(campaign)
    with pytest.raises(DomainError) as caught:
        rate(campaign, reviewer, **changes)
    assert caught.value.code == "invalid_rating"
    assert any(field in problem["field"] for problem in caught.value.problems)
    assert not Rating.objects.exists()


def test_after_close_nothing_is_accepted_and_before_it_everything_stays(owner):
    campaign = factories.campaign(owner)
    reviewer = factories.reviewer(campaign)
    assert rate(campaign, reviewer)
    lease = factories.lease(reviewer)
    campaigns.close(campaign=campaign, user=owner, reason="enough")
    for attempt in (
        lambda: ratings.submit(reviewer=reviewer, token=lease.token, answer=factories.answer(campaign)),
        lambda: assignments.next_for(reviewer=reviewer),
        lambda: factories.reviewer(campaign),
    ):
        with pytest.raises(DomainError) as caught:
            attempt()
        assert caught.value.code == "campaign_closed"
    assert Rating.objects.count() == 1


def test_a_rating_counts_for_the_side_its_reviewer_saw(owner):
    """R6: every reviewer always prefers the candidate's side, whatever side that is."""
    campaign = factories.campaign(owner, pairs=8, overlap=2)
    for reviewer in (factories.reviewer(campaign), factories.reviewer(campaign)):
        while (current := assignments.next_for(reviewer=reviewer)) is not None:
            side = "left" if current.candidate_left else "right"
            scores = {
                key: {"left": 3, "right": 3} | {side: 9} for key in factories.answers(campaign)["scores"]
            }
            answer = factories.answer(campaign, preference=side, scores=scores)
            ratings.submit(reviewer=reviewer, token=current.token, answer=answer)
    arrays = ratings_arrays(campaign).ratings
    assert len(arrays) == 16 and set(arrays.outcome) == {0}
    assert 0 < arrays.candidate_left.sum() < 16
    for baseline, candidate in arrays.criteria.values():
        assert set(baseline) == {3.0} and set(candidate) == {9.0}


def test_opening_twice_changes_nothing(owner):
    campaign = factories.campaign(owner)
    items = list(campaign.items.values_list("pk", "sides"))
    campaigns.open_campaign(campaign=campaign, user=owner)
    assert list(campaign.items.values_list("pk", "sides")) == items
    assert campaign.invites.count() == 1


def test_a_campaign_needs_both_sides_complete(owner):
    run = factories.comparison(owner, finished=False)
    with pytest.raises(DomainError) as caught:
        campaigns.create(user=owner, title="x", comparison=run, rubric_text="", overlap=1)
    assert caught.value.code == "run_incomplete"


def order_of(campaign, reviewer):
    met = []
    while (current := assignments.next_for(reviewer=reviewer)) is not None:
        met.append(current.item_id)
        ratings.submit(reviewer=reviewer, token=current.token, answer=factories.answer(campaign))
    return met


def test_the_pairs_with_the_fewest_ratings_come_first(owner):
    run = factories.comparison(owner, 8)
    for _ in range(8):
        campaign = factories.campaign(owner, pairs=8, overlap=3, comparison=run)
        first = factories.reviewer(campaign)
        ahead = {factories.lease(first).item_id}
        while len(ahead) < 4:
            rate(campaign, first)
            ahead.add(factories.lease(first).item_id)
        met = order_of(campaign, factories.reviewer(campaign))
        assert len(met) == 8 and set(met[4:]) == ahead


def test_every_reviewer_goes_a_way_of_their_own(owner):
    campaign = factories.campaign(owner, pairs=20, overlap=4)
    ways = [order_of(campaign, factories.reviewer(campaign)) for _ in range(4)]
    assert all(len(set(way)) == 20 for way in ways)
    # Two shuffled orders of twenty are the same with a chance of 1 in 20!.
    assert len({tuple(way) for way in ways}) == 4
    in_rank = list(campaign.items.order_by("rank").values_list("pk", flat=True))
    assert in_rank not in ways


def test_a_rating_is_stored_whatever_becomes_of_the_next_pair(owner):
    campaign = factories.campaign(owner, pairs=3, overlap=1, max_per_hour=1)
    reviewer = factories.reviewer(campaign)
    lease, answer = factories.lease(reviewer), factories.answer(campaign)
    stored, following = ratings.submit_and_go_on(
        reviewer=reviewer, token=lease.token, after=None, answer=answer
    )
    assert following is None and Rating.objects.get().pk == stored.pk


def test_a_rating_that_comes_late_is_stored_and_the_next_pair_comes_along(owner):
    campaign = factories.campaign(owner, pairs=3, overlap=1)
    reviewer = factories.reviewer(campaign)
    lease, answer = factories.lease(reviewer), factories.answer(campaign)
    expire(lease)
    assignments.release_expired(campaign.pk)
    stored, following = ratings.submit_and_go_on(
        reviewer=reviewer, token=lease.token, after=None, answer=answer
    )
    assert stored.assignment.pk == lease.pk and following is not None
    assert Assignment.objects.filter(status="rated").count() == 1


def test_a_lease_that_ran_out_elsewhere_is_released_before_the_next_pair_is_chosen(owner):
    campaign = factories.campaign(owner, pairs=2, overlap=1)
    gone, reviewer = factories.reviewer(campaign), factories.reviewer(campaign)
    left_behind, lease = factories.lease(gone), factories.lease(reviewer)
    expire(left_behind)
    _, following = ratings.submit_and_go_on(
        reviewer=reviewer, token=lease.token, after=None, answer=factories.answer(campaign)
    )
    assert following is not None and following.item_id == left_behind.item_id


def test_a_refused_rating_brings_no_pair_along(owner):
    reviewer = factories.reviewer(factories.campaign(owner, pairs=3, overlap=1))
    lease = factories.lease(reviewer)
    answer = factories.answer(reviewer.campaign, preference="neither")
    with pytest.raises(DomainError, match="missing or not valid"):
        ratings.submit_and_go_on(reviewer=reviewer, token=lease.token, after=None, answer=answer)
    assert Assignment.objects.get().status == "leased" and not Rating.objects.exists()


def test_the_script_that_keeps_the_screen_without_a_network_is_served(client):
    script = client.get(reverse("evaluation:review_worker"))
    assert script.status_code == 200 and script["Content-Type"].startswith("text/javascript")


def test_a_conversation_is_listed_by_its_last_question(owner):
    campaign = factories.campaign(owner, pairs=1)
    factories.with_turns(campaign.comparison.prompt_set)

    assert reviewing.prompt_line(campaign.items.get()) == "Where is order 0?"
