"""The next pair is looked for in the order of the campaign until enough are found, however many there are."""

import pytest
from django.db import connection

from evaluation.models import Assignment, ReviewItem
from evaluation.review import statements
from tests import factories

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(
        connection.vendor != "postgresql", reason="SQLite has no plans that depend on what it holds"
    ),
]
PAIRS = 400


@pytest.fixture
def reviewer():
    reviewer = factories.reviewer(factories.campaign(factories.user("manager"), PAIRS, overlap=2))
    for _ in range(20):
        Assignment.objects.filter(pk=factories.lease(reviewer).pk).update(status="rated")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return reviewer


def items_read(reviewer, sql):
    """How many items the statement looks at for one pair, as PostgreSQL counts them with a plan for any values."""
    first, *rest = sql.split("%s")
    numbered = first + "".join(f"${number}{piece}" for number, piece in enumerate(rest, 1))
    values = (reviewer.campaign_id, reviewer.pk, reviewer.campaign_id, reviewer.pk, 0)
    given = ", ".join(f"'{value}'" for value in values)
    with connection.cursor() as cursor:
        cursor.execute("PREPARE looked AS " + numbered)
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE looked ({given})")
        ((plan,),) = cursor.fetchone()
        cursor.execute("DEALLOCATE looked")
    return sum(_read(node) for node in _nodes(plan["Plan"]))


def _nodes(node):
    yield node
    for child in node.get("Plans", []):
        yield from _nodes(child)


def _read(node):
    if node.get("Relation Name") != ReviewItem._meta.db_table:
        return 0
    return (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]


def test_a_window_of_pairs_costs_as_many_looks_as_it_has_rows_and_a_few(reviewer):
    assert 16 <= items_read(reviewer, statements.LEAST_RATED_FROM.postgresql) <= 60


def test_asked_for_what_it_takes_for_rare_postgresql_reads_every_item(reviewer):
    """Why the search is worded as it is."""
    seen = statements.UNSEEN.removeprefix("COALESCE(").removesuffix(", 0) < 1")
    sql = statements.LEAST_RATED_FROM.postgresql.replace(statements.UNSEEN, f"{seen} IS NULL")
    assert "COALESCE" not in sql
    assert items_read(reviewer, sql) > PAIRS / 2
