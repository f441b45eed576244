"""Statements made once: the same answers as the querysets that they are made from, on both databases."""

import uuid

import pytest
from django.db import IntegrityError, connection, transaction

from evaluation.models import Assignment, Rating, Reviewer
from ftplatform import prepared
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def reviewer():
    return factories.reviewer(factories.campaign(factories.user("manager"), pairs=2, overlap=1))


def with_campaign(pk):
    return Reviewer.objects.filter(pk=pk).select_related("campaign").order_by()


def test_a_select_gives_what_its_queryset_gives_for_other_values_too(reviewer):
    second = factories.reviewer(reviewer.campaign)
    select = prepared.Select(with_campaign, 987_654_321)
    for wanted in (reviewer, second, reviewer):
        found, queried = select.first(wanted.pk), with_campaign(wanted.pk).get()
        for field in (*Reviewer._meta.concrete_fields,):
            assert getattr(found, field.attname) == getattr(queried, field.attname)
        assert (
            found is not None
            and found.campaign == queried.campaign
            and found.campaign.rubric == queried.campaign.rubric
        )
    assert select.first(0) is None


def test_a_related_row_comes_with_it_and_costs_no_query(reviewer, django_assert_num_queries):
    select = prepared.Select(with_campaign, 987_654_321)
    with django_assert_num_queries(1):
        found = select.first(reviewer.pk)
        assert found is not None and found.campaign.title == "Replies"


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite keeps its own cache of statements")
def test_postgresql_keeps_the_statement_and_plans_it_once(reviewer):
    def kept():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement LIKE %s",
                [like],
            )
            return cursor.fetchall()

    like = '%"evaluation_reviewer"."id" = $1'
    for _ in range(20):
        with_campaign(reviewer.pk).get()
    assert not kept(), "a queryset is planned every time"
    select = prepared.Select(with_campaign, 987_654_321)
    for _ in range(20):
        select.first(reviewer.pk)
    assert kept() == [(20, 0)], "one plan for any values, from the first use on"


def test_values_come_converted(reviewer):
    lease = factories.lease(reviewer)
    select = prepared.Select(
        lambda token: (
            Assignment.objects.filter(token=token).values_list("token", "lease_expires_at").order_by()
        ),
        uuid.UUID(int=1),
    )
    assert select.all(lease.token) == [(lease.token, lease.lease_expires_at)]


def test_a_sample_that_is_lost_in_the_query_is_an_error():
    with pytest.raises(ValueError, match="not every sample"):
        prepared.Select(lambda pk: Reviewer.objects.all(), 987_654_321).all(1)


def test_an_inserted_row_is_stored_whole_and_only_once(reviewer):
    lease = factories.lease(reviewer)
    values = factories.answers(reviewer.campaign)
    rating = Rating(assignment=lease, campaign=reviewer.campaign, **values)
    prepared.insert(rating)
    stored = Rating.objects.get(pk=rating.pk)
    assert {name: getattr(stored, name) for name in values} == values
    assert stored.submitted_at == rating.submitted_at and not rating._state.adding
    with pytest.raises(IntegrityError), transaction.atomic():
        prepared.insert(Rating(assignment=lease, campaign=reviewer.campaign, **values))
