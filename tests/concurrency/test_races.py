"""Many reviewers at the same moment, on real connections; each guard has its negative control."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import close_old_connections, connection, connections, transaction
from django.utils import timezone

from evaluation.models import Assignment, Campaign, Rating, Reviewer, ReviewItem
from evaluation.review import statements
from evaluation.review.services import assignments, campaigns, ratings
from ftplatform.errors import DomainError
from ftplatform.jobs import services as jobs
from ftplatform.prepared import Statement
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
CROWD = 50


def at_once(work, items):
    """Run `work(item)` for every item from its own thread and connection, all leaving one barrier together."""
    barrier = threading.Barrier(len(items))

    def one(item):
        close_old_connections()
        barrier.wait(timeout=120)
        try:
            return work(item)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(items)) as pool:
        return list(pool.map(one, items))


def rate_next(reviewer):
    current = assignments.next_for(reviewer=reviewer)
    if current is None:
        return 0
    ratings.submit(reviewer=reviewer, token=current.token, answer=factories.answer(reviewer.campaign))
    return 1


def rate_all(reviewer):
    """Until nothing is left, as the review screen does: a rating brings along the pair after the one in hand."""
    rated, pair = 0, assignments.next_for(reviewer=reviewer)
    ahead = pair and assignments.next_for(reviewer=reviewer, after=pair.token)
    while pair is not None:
        _, following = ratings.submit_and_go_on(
            reviewer=reviewer,
            token=pair.token,
            after=ahead.token if ahead else None,
            answer=factories.answer(reviewer.campaign),
        )
        rated += 1
        pair, ahead = (ahead, following) if ahead else (following, None)
    return rated


@pytest.mark.parametrize("overlap", [1, 3])
def test_a_crowd_racing_for_the_last_slots_fills_exactly_the_overlap(overlap):
    campaign = factories.campaign(factories.user("manager"), pairs=1, overlap=overlap)
    crowd = [factories.reviewer(campaign) for _ in range(CROWD)]
    assert sum(at_once(rate_next, crowd)) == overlap
    assert Rating.objects.count() == overlap
    assert ReviewItem.objects.get().open_slots == 0


def test_two_reviewers_racing_for_the_last_slot():
    campaign = factories.campaign(factories.user("manager"), pairs=1, overlap=2)
    assert rate_next(factories.reviewer(campaign)) == 1
    assert sorted(at_once(rate_next, [factories.reviewer(campaign) for _ in range(2)])) == [0, 1]
    assert Rating.objects.count() == 2


def test_without_the_lock_and_the_constraint_the_crowd_overshoots():
    """The negative control: the same race, read-then-write without a guard, stores too many."""
    campaign = factories.campaign(factories.user("manager"), pairs=1, overlap=3)
    crowd = [factories.reviewer(campaign) for _ in range(CROWD)]
    item = ReviewItem.objects.get()
    constraint = next(c for c in Assignment._meta.constraints if c.name == "assignment_slot_held_once")
    looked = threading.Barrier(CROWD)

    def unguarded(reviewer):
        used = Assignment.objects.filter(item=item).count()
        looked.wait(timeout=120)  # everybody has looked before anybody writes
        if used >= campaign.overlap:
            return 0
        Assignment.objects.create(
            item=item, reviewer=reviewer, slot=used, candidate_left=True, lease_expires_at=timezone.now()
        )
        return 1

    with connection.schema_editor() as editor:
        editor.remove_constraint(Assignment, constraint)
    try:
        assert sum(at_once(unguarded, crowd)) > campaign.overlap
        assert Assignment.objects.filter(item=item).count() > campaign.overlap
    finally:
        Assignment.objects.all().delete()
        with connection.schema_editor() as editor:
            editor.add_constraint(Assignment, constraint)


def rate_each(reviewer):
    return sum(iter(lambda: rate_next(reviewer), 0))


@pytest.mark.parametrize("drain", [rate_each, rate_all])
def test_a_crowd_draining_a_campaign_rates_every_pair_exactly_and_balanced(drain):
    campaign = factories.campaign(factories.user("manager"), pairs=12, overlap=4)
    crowd = [factories.reviewer(campaign) for _ in range(10)]
    assert sum(at_once(drain, crowd)) == 48
    shown = list(Rating.objects.values_list("assignment__item_id", "assignment__candidate_left"))
    assert set(Counter(item for item, _ in shown).values()) == {4}
    assert set(Counter(item for item, left in shown if left).values()) == {2}


def test_late_ratings_and_returning_reviewers_never_overfill_a_pair():
    campaign = factories.campaign(factories.user("manager"), pairs=3, overlap=2)
    crowd = [factories.reviewer(campaign) for _ in range(8)]
    held = [(reviewer, lease) for reviewer in crowd if (lease := assignments.next_for(reviewer=reviewer))]
    Assignment.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    assignments.release_expired(campaign.pk)

    def act(actor):
        reviewer, late = actor
        if late is None:
            return rate_each(reviewer)
        try:
            ratings.submit(reviewer=reviewer, token=late.token, answer=factories.answer(campaign))
        except DomainError as error:
            assert error.code in ("lease_expired_full", "already_rated")
            return 0
        return 1

    at_once(act, [*held, *((reviewer, None) for reviewer in crowd)])
    shown = list(Rating.objects.values_list("assignment__item_id", "assignment__candidate_left"))
    assert set(Counter(item for item, _ in shown).values()) == {2}
    assert set(Counter(item for item, left in shown if left).values()) == {1}
    assert not ReviewItem.objects.exclude(open_slots=0).exists()


def late_beside_next(monkeypatch, patience):
    """A rating comes late while `next` is between counting what its reviewer holds and giving them another pair; it
    goes on when the rating is through, or after so many seconds.

    Answers with how many real pairs they then hold, of one that they may.
    """
    campaign = factories.campaign(factories.user("manager"), pairs=3, overlap=2, max_per_reviewer=1)
    reviewer = factories.reviewer(campaign)
    late = factories.lease(reviewer)
    Assignment.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    assignments.release_expired(campaign.pk)
    counted, rated, taking = threading.Event(), threading.Event(), assignments._take_item

    def slowly(*args, **options):
        counted.set()
        rated.wait(patience)
        return taking(*args, **options)

    def act(work):
        if work == "next":
            return assignments.next_for(reviewer=reviewer)
        counted.wait(timeout=120)
        try:
            mine = Reviewer.objects.select_related("campaign").get(pk=reviewer.pk)
            return ratings.submit(reviewer=mine, token=late.token, answer=factories.answer(campaign))
        except DomainError as error:
            assert error.code == "cap_reached"
            return None
        finally:
            rated.set()

    monkeypatch.setattr(assignments, "_take_item", slowly)
    at_once(act, ["next", "late"])
    return reviewer.assignments.filter(status__in=Assignment.HOLDING).count()


def test_a_late_rating_beside_next_stays_within_the_cap(monkeypatch):
    assert late_beside_next(monkeypatch, patience=0.5) == 1


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time, locks or not")
def test_without_the_lock_on_the_reviewer_a_late_rating_passes_the_cap(monkeypatch):
    monkeypatch.setattr(ratings, "_lock", lambda reviewer: None)
    assert late_beside_next(monkeypatch, patience=120) == 2


def test_one_reviewer_in_many_tabs_holds_one_lease():
    campaign = factories.campaign(factories.user("manager"), pairs=4)
    reviewer = factories.reviewer(campaign)
    shown = at_once(lambda _: factories.lease(reviewer).pk, range(8))
    assert len(set(shown)) == 1


def test_the_same_rating_sent_ten_times_at_once_is_one_row():
    campaign = factories.campaign(factories.user("manager"))
    reviewer = factories.reviewer(campaign)
    token = factories.lease(reviewer).token
    sent = factories.answer(campaign)
    stored = at_once(lambda _: ratings.submit(reviewer=reviewer, token=token, answer=sent).pk, range(10))
    assert len(set(stored)) == 1 and Rating.objects.count() == 1


def test_closing_while_ratings_arrive_loses_no_accepted_one_and_takes_none_after():
    many = (
        100 if connection.vendor == "postgresql" else 30
    )  # who must wait for one writer, one after the other
    campaign = factories.campaign(factories.user("manager"), pairs=many, overlap=2)
    crowd = [factories.reviewer(campaign) for _ in range(many)]
    leases = {reviewer.pk: factories.lease(reviewer) for reviewer in crowd}

    def act(actor):
        if isinstance(actor, Campaign):
            campaigns.close(campaign=actor, user=actor.created_by, reason="race")
            return "closed", Rating.objects.count()
        try:
            stored = ratings.submit(
                reviewer=actor, token=leases[actor.pk].token, answer=factories.answer(campaign)
            )
        except DomainError as error:
            return error.code, None
        return "stored", stored.pk

    outcomes = at_once(act, [*crowd[: many // 2], campaign, *crowd[many // 2 :]])
    stored = {pk for word, pk in outcomes if word == "stored"}
    at_close = next(count for word, count in outcomes if word == "closed")
    assert {word for word, _ in outcomes} <= {"stored", "closed", "campaign_closed"}
    assert set(Rating.objects.values_list("pk", flat=True)) == stored
    assert len(stored) == at_close


def counted_by_a_close_during(campaign, reviewer, patience):
    """How many ratings a close counts that begins while one is stored but not yet committed; the rating commits when
    the close has counted, or after so many seconds."""
    lease = factories.lease(reviewer)
    stored, counted = threading.Event(), threading.Event()

    def store():
        with transaction.atomic():
            ratings.submit(reviewer=reviewer, token=lease.token, answer=factories.answer(campaign))
            stored.set()
            counted.wait(patience)

    def close():
        assert stored.wait(timeout=120)
        campaigns.close(campaign=campaign, user=campaign.created_by, reason="race")
        count = Rating.objects.count()
        counted.set()
        return count

    return at_once(lambda work: work(), [store, close])[1]


def test_a_close_waits_for_a_rating_that_is_being_stored():
    campaign = factories.campaign(factories.user("manager"), pairs=3, overlap=1)
    assert counted_by_a_close_during(campaign, factories.reviewer(campaign), patience=2) == 1
    assert Rating.objects.count() == 1


@pytest.mark.skipif(
    connection.vendor == "sqlite", reason="its one writer makes the close wait without any lock"
)
def test_without_its_lock_a_rating_is_stored_after_the_close(monkeypatch):
    """The negative control: the row that a rating refers to is checked no earlier than when it commits."""
    without = Statement(statements.LOCK_CAMPAIGN.sqlite)
    monkeypatch.setattr(statements, "LOCK_CAMPAIGN", without)
    campaign = factories.campaign(factories.user("manager"), pairs=3, overlap=1)
    assert counted_by_a_close_during(campaign, factories.reviewer(campaign), patience=120) == 0
    assert Rating.objects.count() == 1


def test_a_job_offered_to_many_workers_is_claimed_once():
    factories.training_run(factories.user())
    claims = at_once(lambda n: jobs.claim_next(queue="gpu", worker=f"w{n}"), range(10))
    assert sum(claim is not None for claim in claims) == 1


def test_twenty_launches_with_one_key_are_one_run():
    from evaluation.comparison.services import comparisons
    from evaluation.models import Comparison
    from training.config import DecodingConfig

    owner = factories.user()
    prompts, candidate = factories.prompt_set(owner), factories.adapter(owner)

    def launch(_):
        return comparisons.launch(
            user=owner,
            name="same",
            prompt_set=prompts,
            candidates=[candidate],
            decoding=DecodingConfig(),
            idempotency_key="one",
        ).pk

    assert len(set(at_once(launch, range(20)))) == 1
    assert Comparison.objects.count() == 1
    assert transaction.get_autocommit()
