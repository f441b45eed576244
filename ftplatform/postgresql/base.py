"""Django's PostgreSQL backend, with prepared statements and a health check that costs no round trip."""

import select
from typing import Any

from django.db.backends.postgresql import base
from psycopg import Cursor


class DatabaseWrapper(base.DatabaseWrapper):
    def get_connection_params(self) -> dict[str, Any]:
        """Without a threshold psycopg prepares nothing, not even what asks for it; Django's own cursors never ask."""
        return super().get_connection_params() | {"prepare_threshold": 5}

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Beside Django's cursors, which bind on this side, one for prepared statements lives as long as the
        connection: making it costs as much as running a short statement."""
        connection = super().get_new_connection(conn_params)
        self.planned: Cursor[Any] = Cursor(connection)
        return connection

    def init_connection_state(self) -> None:
        """Left to itself PostgreSQL may plan a prepared statement at every use, which costs more than running it."""
        super().init_connection_state()
        assert self.connection is not None  # noqa: S101 (Django has just opened it)
        self.connection.execute("SET plan_cache_mode = force_generic_plan")

    def is_usable(self) -> bool:
        """A server that has gone has closed its end, which this end can see; only what has something to say is asked.

        Django asks every connection at every request. A peer that vanished without a word is noticed by the statement
        that follows, as it would be by the question.
        """
        connection: Any = self.connection
        if connection is None or connection.closed:
            return False
        line = select.poll()
        line.register(connection.fileno(), select.POLLIN)
        return not line.poll(0) or super().is_usable()
