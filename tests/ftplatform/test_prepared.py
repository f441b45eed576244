"""Statements as text: on both databases they give what a queryset gives, and PostgreSQL prepares them."""

import pytest
from django.db import IntegrityError, connection, transaction

from evaluation.models import Assignment, Campaign, Reviewer
from ftplatform.prepared import Columns, Statement, as_uuid
from tests import factories

pytestmark = pytest.mark.django_db
postgresql = pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite keeps its own statements")


@pytest.fixture
def lease():
    return factories.lease(
        factories.reviewer(factories.campaign(factories.user("manager"), pairs=2, overlap=1))
    )


def loaded(model, *names):
    columns = Columns(model, "given", names)
    table = model._meta.db_table
    select = Statement(f"SELECT {columns.sql} FROM {table} given WHERE given.id = %s")  # noqa: S608
    return lambda pk: columns.instance(select.first(pk) or ())


@pytest.mark.parametrize(
    ("model", "names"),
    [
        (Assignment, [field.name for field in Assignment._meta.concrete_fields]),
        (Campaign, ["title", "id", "practice", "allow_skip", "max_per_hour", "created_by", "closed_at"]),
    ],
)
def test_a_row_becomes_the_instance_that_a_queryset_gives(lease, model, names):
    pk = lease.pk if model is Assignment else lease.reviewer.campaign_id
    found, expected = loaded(model, *names)(pk), model.objects.get(pk=pk)
    assert found == expected
    for name in names:
        attribute = model._meta.get_field(name).attname
        assert getattr(found, attribute) == getattr(expected, attribute)
        assert type(getattr(found, attribute)) is type(getattr(expected, attribute))


def test_a_field_that_was_not_read_is_loaded_when_it_is_used(lease, django_assert_num_queries):
    read = loaded(Reviewer, "id", "status")
    with django_assert_num_queries(1):
        found = read(lease.reviewer_id)
        assert found.status == "active"
    with django_assert_num_queries(1):
        assert found.completion_code == lease.reviewer.completion_code


def test_parameters_of_every_type_find_their_row(lease):
    find = Statement(
        "SELECT token FROM evaluation_assignment"
        " WHERE token = %s AND lease_expires_at = %s AND candidate_left = %s AND status = %s AND slot = %s"
    )
    values = (lease.token, lease.lease_expires_at, lease.candidate_left, "leased", lease.slot)
    assert as_uuid(find.all(*values)[0][0]) == lease.token
    assert find.first(*values[:-1], lease.slot + 1) is None


def test_a_change_tells_how_many_rows_it_changed(lease):
    skip = Statement("UPDATE evaluation_assignment SET status = 'skipped' WHERE id = %s AND status = %s")
    assert [skip.run(lease.pk, "leased"), skip.run(lease.pk, "leased")] == [1, 0]


def test_a_broken_constraint_is_an_integrity_error_of_django(lease):
    again = Statement("UPDATE evaluation_reviewer SET digest = %s WHERE id = %s")
    other = factories.reviewer(lease.reviewer.campaign)
    with pytest.raises(IntegrityError), transaction.atomic():
        again.run(other.digest, lease.reviewer_id)


def test_the_lock_is_for_postgresql_only():
    statement = Statement("SELECT 1", lock="FOR UPDATE")
    assert (statement.postgresql, statement.sqlite) == ("SELECT 1 FOR UPDATE", "SELECT 1")


@postgresql
def test_postgresql_keeps_the_statement_and_plans_it_once(lease):
    def kept():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement LIKE %s",
                ["%evaluation_reviewer% = $1"],
            )
            return cursor.fetchall()

    for _ in range(20):
        Reviewer.objects.order_by().get(pk=lease.reviewer_id)
    assert not kept(), "a queryset is planned every time"
    read = loaded(Reviewer, "id", "status")
    for _ in range(20):
        read(lease.reviewer_id)
    assert kept() == [(20, 0)], "one plan for any values, from the first use on"
