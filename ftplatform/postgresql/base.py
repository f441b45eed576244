"""Django's PostgreSQL backend, with prepared statements and a health check that costs no round trip."""

import select
from typing import Any

from django.db.backends.postgresql import base
from django.db.backends.utils import CursorWrapper
from psycopg import Cursor


class DatabaseWrapper(base.DatabaseWrapper):
    def prepared_cursor(self) -> CursorWrapper:
        """A cursor whose statements PostgreSQL prepares at their first use on this connection. It need not be
        closed.

        Django's own cursors write the parameters into the SQL, so PostgreSQL parses and plans it every time.
        """
        self.close_if_health_check_failed()
        self.ensure_connection()
        cursor: Any = Cursor(self.connection)
        return self.make_debug_cursor(cursor) if self.queries_logged else self.make_cursor(cursor)

    def get_connection_params(self) -> dict[str, Any]:
        """Turn on psycopg's prepared statements, which Django turns off. 0 prepares a statement at its first use, on
        cursors that leave the parameters to the server; Django's own cursors do not."""
        return super().get_connection_params() | {"prepare_threshold": 0}

    def init_connection_state(self) -> None:
        """Plan a prepared statement once. By default PostgreSQL plans some at every use, which costs more than
        running them. This is not a startup option because poolers such as PgBouncer refuse those."""
        super().init_connection_state()
        assert self.connection is not None  # noqa: S101 (Django has just opened it)
        self.connection.execute("SET plan_cache_mode = force_generic_plan")

    def is_usable(self) -> bool:
        """Whether the connection still works; Django checks this at every request. A server that shuts down closes
        its end, which makes the socket readable, so PostgreSQL is queried only when there is something to read.

        If a server vanishes without closing its end, the next statement fails, just as a query here would.
        """
        connection: Any = self.connection
        if connection is None or connection.closed:
            return False
        poll = select.poll()
        poll.register(connection.fileno(), select.POLLIN)
        return not poll.poll(0) or super().is_usable()
