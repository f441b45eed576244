"""Each statement of `next` and submit gives what the queryset says that stands beside it here, on both databases."""

from collections import Counter
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from evaluation.models import Assignment, Pair, Rating, Reviewer, ReviewItem
from evaluation.review import statements
from evaluation.review.services import assignments, ratings, reported_problems
from tests import factories

pytestmark = pytest.mark.django_db
PAIRS, OVERLAP = 32, 3


@pytest.fixture
def campaign():
    return factories.campaign(factories.user("manager"), pairs=PAIRS, overlap=OVERLAP)


@pytest.fixture
def reviewer(campaign):
    """Somebody with two leases, of which one has run out, and with rated, expired and skipped pairs behind them; two
    others have rated some pairs as well."""
    reviewer, *others = (factories.reviewer(campaign) for _ in range(3))
    for one, rated in ((reviewer, 5), (others[0], 7), (others[1], 2)):
        for _ in range(rated):
            lease = factories.lease(one)
            ratings.submit(reviewer=one, token=lease.token, answer=factories.answer(campaign))
    reported_problems.skip(
        reviewer=reviewer, token=factories.lease(reviewer).token, reason="language", text=""
    )
    run_out(factories.lease(reviewer))
    assignments.release_expired(campaign.pk)
    first = factories.lease(reviewer)
    assert assignments.next_for(reviewer=reviewer, after=first.token) is not None
    run_out(first)
    return reviewer


def run_out(lease):
    Assignment.objects.filter(pk=lease.pk).update(lease_expires_at=timezone.now() - timedelta(minutes=1))


def test_a_token_finds_its_reviewer_with_campaign_and_form(campaign, django_assert_num_queries):
    token = "the token"
    pk = factories.reviewer(campaign).pk
    Reviewer.objects.filter(pk=pk).update(digest=Reviewer.digest_of(token), practice=[{"right": True}])
    expected = Reviewer.objects.select_related("campaign").get(pk=pk)
    assert statements.reviewer_by_token("another") is None
    statements.reviewer_by_token(token)  # reads the form
    with django_assert_num_queries(1):
        found = statements.reviewer_by_token(token)
        assert found == expected and found.campaign == expected.campaign
        assert found.campaign.rubric == expected.campaign.rubric
        assert found.campaign.form == expected.campaign.form
    for one, other in ((found, expected), (found.campaign, expected.campaign)):
        read = {field.attname for field in one._meta.concrete_fields} - one.get_deferred_fields()
        assert len(read) > 5
        for name in read:
            assert getattr(one, name) == getattr(other, name)


def test_leases_that_ran_out_are_noticed_in_their_own_campaign(reviewer):
    other = factories.campaign(factories.user("manager"), pairs=2)
    now = timezone.now()
    expired = Assignment.objects.filter(status="leased", lease_expires_at__lte=now)
    for campaign in (reviewer.campaign, other):
        expected = expired.filter(item__campaign=campaign).exists()
        assert statements.has_expired_leases(campaign.pk, now) is expected
        assert expected is (campaign == reviewer.campaign)
    assert not statements.has_expired_leases(reviewer.campaign_id, now - timedelta(hours=1))
    assignments.release_expired(reviewer.campaign_id)
    assert not statements.has_expired_leases(reviewer.campaign_id, now)


def test_a_locked_reviewer_comes_with_what_may_have_changed(reviewer):
    Reviewer.objects.filter(pk=reviewer.pk).update(practice=[{"preference": "left", "right": True}])
    expected = Reviewer.objects.values_list("status", "practice", "campaign__status").get(pk=reviewer.pk)
    with transaction.atomic():
        assert statements.lock_reviewer(reviewer.pk) == expected
        with pytest.raises(Reviewer.DoesNotExist):
            statements.lock_reviewer(0)


def test_assignments_are_counted_and_leases_listed(reviewer):
    now = timezone.now()
    groups = statements.assignments_of(reviewer.pk, now)
    mine = Assignment.objects.filter(reviewer=reviewer)
    past = mine.exclude(status="leased").values_list("kind", "status", "candidate_left")
    assert {tuple(group[:3]): group.number for group in groups if not group.lease} == Counter(past)
    assert {status for _, status, _ in past} == {"rated", "expired", "skipped"}
    leases = mine.filter(status="leased").order_by("pk")
    assert [group for group in groups if group.lease] == [
        (one.kind, "leased", one.candidate_left, 1, one.pk, one.token, one.lease_expires_at > now)
        for one in leases
    ]
    assert [group.is_live for group in groups if group.lease] == [False, True]


def unseen(reviewer):
    items = ReviewItem.objects.filter(campaign=reviewer.campaign, open_slots__gt=0)
    seen = Assignment.objects.filter(reviewer=reviewer).values("item")
    return items.exclude(pk__in=seen).order_by("-open_slots", "rank")


def as_open(items):
    held = ("leased", "rated")
    return [
        (
            *(item.pk, item.pair_id, item.rank, item.sides, item.open_slots),
            frozenset(item.assignments.filter(status__in=held).values_list("slot", flat=True)),
        )
        for item in items
    ]


def test_open_items_are_the_least_rated_that_the_reviewer_has_not_seen(reviewer):
    full = [item.pk for item in unseen(reviewer)[:3]]
    ReviewItem.objects.filter(pk__in=full).update(open_slots=0)
    expected = as_open(unseen(reviewer)[: statements.WINDOW])
    assert statements.open_items(reviewer.campaign_id, reviewer.pk) == expected
    assert len(expected) == statements.WINDOW
    ReviewItem.objects.filter(open_slots=OVERLAP).update(open_slots=0)
    expected = as_open(unseen(reviewer))
    assert statements.open_items(reviewer.campaign_id, reviewer.pk) == expected
    assert any(held for *_, held in expected)


@pytest.mark.parametrize("rank", [0, 10, PAIRS])
def test_from_a_rank_on_only_the_least_rated_are_open(reviewer, rank):
    most = unseen(reviewer)[0].open_slots
    expected = unseen(reviewer).filter(open_slots=most, rank__gte=rank)[: statements.WINDOW]
    assert statements.least_rated_from(reviewer.campaign_id, reviewer.pk, rank) == as_open(expected)


def test_a_slot_is_taken_only_while_as_many_are_open(campaign):
    item = campaign.items.first()
    assert not statements.take_slot(item.pk, OVERLAP - 1)
    assert statements.take_slot(item.pk, OVERLAP)
    assert not statements.take_slot(item.pk, OVERLAP)
    item.refresh_from_db()
    assert item.open_slots == OVERLAP - 1


def fields_of(row):
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def test_a_lease_is_stored_whole_and_only_once(campaign, django_assert_num_queries):
    reviewer, item = factories.reviewer(campaign), campaign.items.first()
    values = {"item": item, "reviewer": reviewer, "slot": 1, "candidate_left": True}
    with django_assert_num_queries(1):
        lease = statements.insert_lease(**values, lease_expires_at=timezone.now())
        assert lease.item is item and lease.reviewer is reviewer
        stored = fields_of(lease)
    assert stored == fields_of(Assignment.objects.get())
    with pytest.raises(IntegrityError), transaction.atomic():
        statements.insert_lease(**values, lease_expires_at=timezone.now())


def test_only_the_reviewers_own_lease_is_marked_as_rated(campaign):
    reviewer, other = factories.reviewer(campaign), factories.reviewer(campaign)
    lease = factories.lease(reviewer)
    assert statements.rate_lease(other, lease.token) is None
    rated = statements.rate_lease(reviewer, lease.token)
    assert rated is not None and fields_of(rated) == fields_of(Assignment.objects.get(pk=lease.pk))
    assert rated.status == "rated"
    assert statements.rate_lease(reviewer, lease.token) is None


def test_a_rating_is_stored_whole_and_only_once(campaign, django_assert_num_queries):
    reviewer = factories.reviewer(campaign)
    lease = factories.lease(reviewer)
    answer = factories.answer(campaign, comment="Für „beide“", hidden_ms=7, answers={"a": {"left": True}})
    with django_assert_num_queries(1):
        rating = statements.insert_rating(lease, campaign.pk, answer.values())
        stored = fields_of(rating)
    found = Rating.objects.get()
    assert stored == fields_of(found)
    assert {name: getattr(found, name) for name in answer.values()} == answer.values()
    with pytest.raises(IntegrityError), transaction.atomic():
        statements.insert_rating(lease, campaign.pk, answer.values())


def test_a_locked_campaign_comes_with_the_reviewers_count(reviewer):
    rated = Rating.objects.filter(assignment__reviewer=reviewer, kind="real").count()
    with transaction.atomic():
        assert statements.lock_campaign(reviewer.campaign_id, reviewer.pk) == ("open", rated)
        assert statements.lock_campaign(reviewer.campaign_id, 0) == ("open", 0)


@pytest.mark.parametrize("has_turns", [False, True])
def test_the_texts_of_a_pair_take_one_query(campaign, django_assert_num_queries, has_turns):
    if has_turns:
        factories.with_turns(campaign.comparison.prompt_set)
    expected = Pair.objects.select_related("prompt", "baseline_response", "candidate_response").latest("pk")
    with django_assert_num_queries(1):
        found = statements.pair_texts(expected.pk)
        for name in ("instruction", "input", "messages", "tools"):
            assert getattr(found.prompt, name) == getattr(expected.prompt, name)
        assert found.baseline_response.text == expected.baseline_response.text
        assert found.candidate_response.text == expected.candidate_response.text


@pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL's own")
def test_postgresql_prepares_each_statement_of_a_rating_and_of_the_next_pair(campaign):
    reviewer = factories.reviewer(campaign)
    lease = factories.lease(reviewer)
    for _ in range(3):
        _, following = ratings.submit_and_go_on(
            reviewer=reviewer, token=lease.token, after=None, answer=factories.answer(campaign)
        )
        assert following is not None
        lease = following
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement, custom_plans FROM pg_prepared_statements")
        plans = cursor.fetchall()
    for table in ("evaluation_reviewitem", "evaluation_reviewer", "evaluation_campaign", "evaluation_rating"):
        assert any(table in sql for sql, _ in plans)
    assert not any(custom for _, custom in plans)
