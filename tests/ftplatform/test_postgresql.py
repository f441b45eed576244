"""A connection whose server has gone is found out without asking, and made anew."""

from typing import Any

import pytest
from django.db import connection

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL's own"),
]


def test_a_live_connection_is_usable_without_a_statement(django_assert_num_queries):
    connection.ensure_connection()
    with django_assert_num_queries(0):
        assert connection.is_usable()


def test_a_connection_that_the_server_has_ended_is_not_usable_and_the_next_request_gets_another():
    connection.ensure_connection()
    ended = connection.connection
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 10000)", [ended.info.backend_pid])
    finally:
        other.close()
    assert not connection.is_usable()
    next_request: Any = connection
    next_request.health_check_enabled, next_request.health_check_done = True, False
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)
    assert connection.connection is not ended
