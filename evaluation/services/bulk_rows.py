"""Rows stored by the thousand, without an object for each: for imports, where objects cost more than the database."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from django.db import connection, models

# SQLite takes 32,766 at most.
_MOST_PARAMETERS = 30_000


def insert(
    model: type[models.Model],
    constants: Mapping[str, Any],
    columns: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
) -> list[int]:
    """Store `rows`, whose values are in the order of `columns`, with the same `constants` in each; returns their keys
    in order.

    Together they name every column but the key, foreign keys by their `_id`. Defaults and signals of the model play no
    part; what the database demands holds, and its IntegrityError stores nothing of the statement that it refuses.
    """
    fixed = [_field(model, name).get_db_prep_save(value, connection) for name, value in constants.items()]
    fields = [_field(model, name) for name in columns]
    encoded = [place for place, field in enumerate(fields) if isinstance(field, models.JSONField)]
    names = [str(_field(model, name).column) for name in (*constants, *columns)]
    keys: list[int] = []
    with connection.cursor() as cursor:
        for chunk in _chunks(rows, _MOST_PARAMETERS // len(names)):
            values: list[Any] = []
            for row in chunk:
                cells = list(row)
                for place in encoded:
                    if cells[place] is not None:
                        cells[place] = connection.ops.adapt_json_value(cells[place], None)
                values += fixed
                values += cells
            cursor.execute(_statement(model, names, len(chunk)), values)
            keys += [key for (key,) in cursor.fetchall()]
    return keys


def _field(model: type[models.Model], name: str) -> "models.Field[Any, Any]":
    return cast("models.Field[Any, Any]", model._meta.get_field(name))


def _statement(model: type[models.Model], names: list[str], rows: int) -> str:
    quote = connection.ops.quote_name
    columns = ", ".join(map(quote, names))
    values = ", ".join([f"({', '.join(['%s'] * len(names))})"] * rows)
    table, key = quote(model._meta.db_table), quote(str(_field(model, "id").column))
    # Only names from the models go into the text; every value is a parameter.
    return f"INSERT INTO {table} ({columns}) VALUES {values} RETURNING {key}"  # noqa: S608


def _chunks(rows: Sequence[tuple[Any, ...]], size: int) -> Iterator[Sequence[tuple[Any, ...]]]:
    return (rows[start : start + size] for start in range(0, len(rows), size))
