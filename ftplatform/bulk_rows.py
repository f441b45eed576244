"""Insert thousands of rows without an object for each: for imports, where objects cost more than the database."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias, cast

from django.db import connection, models

# SQLite allows at most 32,766.
_MOST_PARAMETERS = 30_000

_Field: TypeAlias = "models.Field[Any, Any]"


def insert(
    model: type[models.Model],
    constants: Mapping[str, Any],
    columns: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
) -> list[int]:
    """Insert `rows`, whose values are in the order of `columns`, with the same `constants` in each. Return their
    keys in order.

    Together they must name every column except the key, foreign keys by their `_id`. The model's defaults and
    signals do not apply. The database's constraints do: after an IntegrityError, no row of that statement is stored.
    """
    alike = [_field(model, name) for name in constants]
    own = [_field(model, name) for name in columns]
    fixed = [
        field.get_db_prep_save(value, connection)
        for field, value in zip(alike, constants.values(), strict=True)
    ]
    source = _as_document if connection.vendor == "postgresql" else _as_values
    quote = connection.ops.quote_name
    names = ", ".join(quote(str(field.column)) for field in (*alike, *own))
    table, key = quote(model._meta.db_table), quote(str(_field(model, "id").column))
    keys: list[int] = []
    with connection.cursor() as cursor:
        for chunk in _chunks(rows, _MOST_PARAMETERS // (len(alike) + len(own))):
            values, parameters = source(fixed, own, chunk)
            # The SQL text contains only names from the models; every value is a parameter.
            cursor.execute(f"INSERT INTO {table} ({names}) {values} RETURNING {key}", parameters)
            keys += [pk for (pk,) in cursor.fetchall()]
    return keys


def _as_values(fixed: list[Any], own: list[_Field], rows: Sequence[tuple[Any, ...]]) -> tuple[str, list[Any]]:
    """VALUES with a parameter for each value."""
    encoded = [place for place, field in enumerate(own) if isinstance(field, models.JSONField)]
    parameters: list[Any] = []
    for row in rows:
        cells = list(row)
        for place in encoded:
            if cells[place] is not None:
                cells[place] = connection.ops.adapt_json_value(cells[place], None)
        parameters += fixed
        parameters += cells
    row_of_places = f"({', '.join(['%s'] * (len(fixed) + len(own)))})"
    return f"VALUES {', '.join([row_of_places] * len(rows))}", parameters


def _as_document(
    fixed: list[Any], own: list[_Field], rows: Sequence[tuple[Any, ...]]
) -> tuple[str, list[Any]]:
    """All rows as one JSON parameter: psycopg takes longer to bind each value than PostgreSQL takes to store it."""
    names = [f"c{place}" for place in range(len(own))]
    typed = ", ".join(
        f"{name} {field.cast_db_type(connection)}" for name, field in zip(names, own, strict=True)
    )
    cells = ", ".join(["%s"] * len(fixed) + names)
    document = json.dumps([dict(zip(names, row, strict=True)) for row in rows])
    records = f"ROWS FROM (json_to_recordset(%s) AS ({typed})) WITH ORDINALITY AS records ({', '.join(names)}, place)"
    return f"SELECT {cells} FROM {records} ORDER BY place", [*fixed, document]  # noqa: S608


def _field(model: type[models.Model], name: str) -> _Field:
    return cast("_Field", model._meta.get_field(name))


def _chunks(rows: Sequence[tuple[Any, ...]], size: int) -> Iterator[Sequence[tuple[Any, ...]]]:
    return (rows[start : start + size] for start in range(0, len(rows), size))
