"""SQL statements that run many times a second, as text for both databases.

PostgreSQL parses and plans each of them only once per connection. Building the SQL of a queryset costs several times
as much as running it.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import BooleanField, DateTimeField, ForeignKey, JSONField, Model, UUIDField

from ftplatform.postgresql.base import DatabaseWrapper

M = TypeVar("M", bound=Model)
Row = tuple[Any, ...]


class Statement:
    """SQL with one %s for each parameter. Parameters may be of the types str, int, bool, UUID, datetime and None.

    `lock` is the locking clause at its end, for PostgreSQL only: SQLite has one writer at a time. Rows are returned
    as the database driver gives them; `Columns.instance` and `as_uuid` convert what SQLite stores as text to
    Python's types. Errors are those of `django.db`.
    """

    def __init__(self, sql: str, *, lock: str = "") -> None:
        self.postgresql = f"{sql} {lock}".strip()
        # SQLite has STRING_AGG only since version 3.44.
        self.sqlite = sql.replace("STRING_AGG(", "GROUP_CONCAT(")

    def all(self, *parameters: Any) -> list[Row]:
        rows: list[Row] = self._execute(parameters).fetchall()
        return rows

    def first(self, *parameters: Any) -> Row | None:
        """The first row, or None if there is none."""
        rows = self.all(*parameters)
        return rows[0] if rows else None

    def run(self, *parameters: Any) -> int:
        """Run a statement that returns no rows. Return how many rows it changed."""
        changed: int = self._execute(parameters).rowcount
        return changed

    def _execute(self, parameters: Sequence[Any]) -> Any:
        database = connections[DEFAULT_DB_ALIAS]  # faster than the proxy `django.db.connection`
        if isinstance(database, DatabaseWrapper):
            cursor = database.prepared_cursor()
            cursor.execute(self.postgresql, parameters)
        else:
            cursor = database.cursor()
            cursor.execute(self.sqlite, [_for_sqlite(value, database) for value in parameters])
        return cursor


_UUID: Any = UUIDField()
_DATETIME: Any = DateTimeField()


def _for_sqlite(value: Any, database: Any) -> Any:
    if isinstance(value, UUID):
        return _UUID.get_db_prep_value(value, database)
    if isinstance(value, datetime):
        return _DATETIME.get_db_prep_value(value, database)
    return value


def as_uuid(value: Any) -> UUID:
    return value if isinstance(value, UUID) else UUID(value)


def _as_datetime(value: datetime) -> datetime:
    return value if value.tzinfo else value.replace(tzinfo=UTC)


_READERS: list[tuple[type[Any], Callable[[Any], Any]]] = [
    (UUIDField, as_uuid),
    (DateTimeField, _as_datetime),
    (JSONField, json.loads),
    (BooleanField, bool),
]


class Columns(Generic[M]):
    """The columns of some fields of a model. `sql` lists them for a SELECT from its table with the alias `table`.

    Supports the field types in `_READERS`, numbers, text and keys.
    """

    def __init__(self, model: type[M], table: str, names: Sequence[str]) -> None:
        fields: list[Any] = [model._meta.get_field(name) for name in names]
        self._model = model
        self._names = [str(field.attname) for field in fields]
        self._readers = [(place, read) for place, field in enumerate(fields) if (read := _reader(field))]
        self.sql = ", ".join(f"{table}.{field.column}" for field in fields)

    def __len__(self) -> int:
        return len(self._names)

    def instance(self, row: Sequence[Any]) -> M:
        """A model instance with the values of a row. A field that was not read is loaded when it is first used."""
        values = list(row)
        for place, read in self._readers:
            if values[place] is not None:
                values[place] = read(values[place])
        return stored(self._model, dict(zip(self._names, values, strict=True)))


def _reader(field: Any) -> Callable[[Any], Any] | None:
    while isinstance(field, ForeignKey):
        field = field.target_field
    return next((read for kind, read in _READERS if isinstance(field, kind)), None)


def stored(model: type[M], values: Mapping[str, Any]) -> M:
    """A model instance of a stored row with these values by attribute name (`item_id`, not `item`). A field without
    a value is loaded when it is first used."""
    # `from_db` expects the values in the order of the model's fields.
    names = [name for field in model._meta.concrete_fields if (name := field.attname) in values]
    return model.from_db(DEFAULT_DB_ALIAS, names, [values[name] for name in names])
