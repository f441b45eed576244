"""Dump tables to JSON lines and load them again.

The format is the same for every database, so a backup can also move from one kind of database to another.
"""

import base64
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date, time
from itertools import islice
from typing import Any

from django.apps import apps
from django.apps.registry import Apps
from django.core.exceptions import ValidationError
from django.core.management.color import no_style
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.graph import MigrationGraph
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import Field, JSONField, Model, Value

from ftplatform.errors import DomainError

# Users have to sign in again after a restore.
_LEFT_OUT = {"sessions.session"}
_ROWS_AT_ONCE = 1000


def all_tables(registry: Apps = apps) -> dict[str, type[Model]]:
    """Every model of `registry` that has its own table, by its label."""
    tables = registry.get_models(include_auto_created=True)
    return {
        model._meta.label_lower: model
        for model in tables
        if model._meta.managed and not model._meta.proxy and model._meta.label_lower not in _LEFT_OUT
    }


def migrations() -> list[str]:
    """The migrations applied to this database, as `app.name`. Databases with the same list have the same tables."""
    return sorted(f"{app}.{name}" for app, name in MigrationRecorder(connection).applied_migrations())


def missing_migrations() -> list[str]:
    """The migrations of this version of the code that the database does not have."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


def migrate_to(names: Iterable[str]) -> Apps:
    """Migrate an empty database to exactly these migrations, forwards or backwards. Return the models of that state.

    Raises DomainError `other_version` for a migration that this version of the code does not have.
    """
    executor = MigrationExecutor(connection)
    graph = executor.loader.graph
    wanted = {(app, name) for app, _, name in (each.partition(".") for each in names)}
    if unknown := sorted(wanted - graph.nodes.keys()):
        raise DomainError(
            "other_version",
            f"The backup was made by a newer version of ftplatform ({len(unknown)} migrations are unknown here, "
            f"first {'.'.join(unknown[0])}). Restore it with that version.",
        )
    last = [node for node in wanted if not any(_follows(graph, node, other) for other in wanted)]
    untouched = [(app, None) for app in sorted({app for app, _ in graph.nodes} - {app for app, _ in wanted})]
    executor.migrate([*untouched, *last])
    executor.loader.build_graph()
    return executor.loader.project_state(last).apps


def _follows(graph: MigrationGraph, node: tuple[str, str], other: tuple[str, str]) -> bool:
    """Whether `other` is a later migration of the same app."""
    return other[0] == node[0] and any(child.key == other for child in graph.node_map[node].children)


@contextmanager
def snapshot() -> Iterator[None]:
    """All reads in the block see the database as it is now. Writers are not blocked."""
    begin = {"postgresql": "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY", "sqlite": "BEGIN DEFERRED"}
    with connection.cursor() as cursor:
        cursor.execute(begin[connection.vendor])
        try:
            yield
        finally:
            cursor.execute("ROLLBACK")


def dump(model: type[Model]) -> Iterator[bytes]:
    """A line with the column names, then one line for each row, in the order of the key."""
    names = [field.attname for field in model._meta.local_concrete_fields]
    yield _line(names)
    for row in model._base_manager.order_by("pk").values_list(*names).iterator(_ROWS_AT_ONCE):
        yield _line(row)


def clear(models: Iterable[type[Model]]) -> None:
    """Delete the rows that migrations added to an empty installation. The backup has them, with its own ids."""
    with connection.cursor() as cursor:
        for model in models:
            cursor.execute(f"DELETE FROM {connection.ops.quote_name(model._meta.db_table)}")  # noqa: S608 (our own names)


def load(model: type[Model], lines: Iterator[bytes], *, moved: tuple[str, str]) -> int:
    """Insert the lines of `dump` unchanged and return the number of rows. A `path` below the first folder of `moved`
    is changed to be below the second one.

    Raises DomainError `other_columns`, `unfit`.
    """
    label = model._meta.label_lower
    by_name = {field.attname: field for field in model._meta.local_concrete_fields}
    names = json.loads(next(lines, b"null"))
    if not isinstance(names, list) or sorted(names) != sorted(by_name):
        raise DomainError("other_columns", f"{label} has other columns in the backup than here.")
    fields = [by_name[name] for name in names]
    count = 0
    size = min(_ROWS_AT_ONCE, connection.ops.bulk_batch_size(fields, [None] * _ROWS_AT_ONCE))
    while some := list(islice(lines, size)):
        try:
            batch = [_row(model, fields, line, moved) for line in some]
            # Saves many rows as Django saves one raw row: no signals, and timestamps are kept.
            model._base_manager._insert(batch, fields=fields, using=connection.alias, raw=True)  # type: ignore[attr-defined]
        except (ValueError, TypeError, ValidationError, Error) as error:
            # PostgreSQL's further lines repeat the row, which may be confidential.
            reason = str(error).partition("\n")[0]
            raise DomainError(
                "unfit",
                f"The database refuses {label}, one of the rows {count + 1:,} to {count + len(some):,}: {reason}.",
            ) from error
        count += len(batch)
    return count


def continue_numbering(models: Iterable[type[Model]]) -> None:
    """Reset the id sequences, so that new rows are numbered after the loaded ones."""
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), list(models)):
            cursor.execute(statement)


def _row(
    model: type[Model], fields: "Iterable[Field[Any, Any]]", line: bytes, moved: tuple[str, str]
) -> Model:
    row = model()
    for field, value in zip(fields, json.loads(line), strict=True):
        setattr(row, field.attname, _value(field, value, moved))
    return row


def _value(field: "Field[Any, Any]", value: Any, moved: tuple[str, str]) -> Any:
    if isinstance(field, JSONField):
        # In a NOT NULL column, None stands for JSON's null.
        return Value(None, JSONField()) if value is None and not field.null else value
    before, now = moved
    if field.name == "path" and isinstance(value, str) and value.startswith(f"{before}/"):
        return now + value.removeprefix(before)
    return field.to_python(value)


def _line(values: Iterable[Any]) -> bytes:
    text = json.dumps(list(values), default=_plain, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass") + b"\n"


def _plain(value: Any) -> str:
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(value).decode("ascii")
    return value.isoformat() if isinstance(value, date | time) else str(value)
