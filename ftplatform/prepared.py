"""Statements that run many times a second: their SQL is made once per database, and PostgreSQL plans them once.

A queryset says what is read, so there is one language for reads; only making its SQL anew each time, which costs
more than running it, is saved.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.models import Model, QuerySet
from django.db.models.query import get_related_populators

R = TypeVar("R")


@dataclass(frozen=True)
class _Made:
    sql: str
    params: list[Any]
    places: list[tuple[int, int]]  # of a parameter, and of the value that goes there
    converters: list[tuple[int, list[Any], Any]]
    instances: Callable[[Sequence[Any]], Any]


class Select(Generic[R]):
    """The queryset that `build(*values)` makes, of models or of a `values_list`.

    `samples` are values that stand for those of a call when the SQL is made: of the right types, within the columns'
    ranges, and unlike each other and every constant in the query.

    With `shared` the rows are locked against whoever holds or wants them FOR UPDATE, and nobody else: FOR KEY SHARE,
    which a queryset cannot say. SQLite, with one writer, needs no such lock.
    """

    def __init__(self, build: Callable[..., QuerySet[Any, R]], *samples: Any, shared: bool = False) -> None:
        self._build = build
        self._samples = samples
        self._shared = shared
        self._made: dict[str, _Made] = {}

    def all(self, *values: Any) -> list[R]:
        here = connections[DEFAULT_DB_ALIAS]  # the proxy `connection` costs at each of its attributes
        made = self._made.get(here.vendor) or self._make(here)
        params = made.params.copy()
        for place, index in made.places:
            params[place] = _adapted(here, values[index])
        rows, _ = _ran(here, made.sql, params)
        return [made.instances(self._converted(here, made, row)) for row in rows]

    def first(self, *values: Any) -> R | None:
        found = self.all(*values)
        return found[0] if found else None

    def _make(self, here: Any) -> _Made:
        queryset = self._build(*self._samples)
        compiler: Any = queryset.query.get_compiler(here.alias)
        sql, params = compiler.as_sql()
        samples = [_adapted(here, sample) for sample in self._samples]
        sql, params = _with_constants(sql, params, samples)
        if self._shared and here.vendor == "postgresql":
            sql += f" FOR KEY SHARE OF {here.ops.quote_name(queryset.model._meta.db_table)}"
        places = [(place, samples.index(value)) for place, value in enumerate(params) if value in samples]
        if {index for _, index in places} != set(range(len(samples))):
            raise ValueError(f"not every sample is in the parameters {params}")
        found = compiler.get_converters([column for column, *_ in compiler.select])
        converters = [(place, *how) for place, how in found.items()]
        instances = tuple if queryset._fields is not None else _instances(compiler, here.alias)  # type: ignore[attr-defined]
        made = _Made(sql, list(params), places, converters, instances)
        self._made[here.vendor] = made
        return made

    @staticmethod
    def _converted(here: Any, made: _Made, row: Sequence[Any]) -> Sequence[Any]:
        if not made.converters:
            return row
        values = list(row)
        for place, converters, expression in made.converters:
            for convert in converters:
                values[place] = convert(values[place], expression, here)
        return values


def _with_constants(sql: str, params: Sequence[Any], samples: list[Any]) -> tuple[str, list[Any]]:
    """The query's own constants written into it: a plan made once may then use an index on some of the rows only."""
    pieces = sql.split("%s")
    written, kept = pieces[0], []
    for value, piece in zip(params, pieces[1:], strict=True):
        if value in samples or not isinstance(value, str | int):
            written += "%s"
            kept.append(value)
        else:
            plain = str(value).replace("%", "%%").replace("'", "''")
            written += f"'{plain}'" if isinstance(value, str) else plain
        written += piece
    return written, kept


def _instances(compiler: Any, alias: str) -> Callable[[Sequence[Any]], Any]:
    """From a row to an instance, as Django's `ModelIterable` does it."""
    info, select = compiler.klass_info, compiler.select
    model = info["model"]
    first, last = info["select_fields"][0], info["select_fields"][-1] + 1
    names = [column[0].target.attname for column in select[first:last]]
    related = get_related_populators(info, select, alias)  # type: ignore[call-arg]
    annotated = list(compiler.annotation_col_map.items())

    def instance(row: Sequence[Any]) -> Any:
        made = model.from_db(alias, names, row[first:last])
        for populator in related:
            populator.populate(row, made)
        for name, place in annotated:
            setattr(made, name, row[place])
        return made

    return instance


def insert(row: Model) -> None:
    """Store a new row and give it its key, as `save(force_insert=True)` does for a model without parents."""
    here = connections[DEFAULT_DB_ALIAS]
    sql, fields = _insert_into(type(row), here.vendor)
    values = [field.get_db_prep_save(field.pre_save(row, add=True), here) for field in fields]
    rows, _ = _ran(here, sql, values)
    row.pk = rows[0][0]
    row._state.adding, row._state.db = False, here.alias


@cache
def _insert_into(model: type[Model], vendor: str) -> tuple[str, list[Any]]:
    fields = [field for field in model._meta.local_concrete_fields if not field.primary_key]
    quote = connection.ops.quote_name
    columns = ", ".join(quote(str(field.column)) for field in fields)
    marks = ", ".join("%s" for _ in fields)
    assert model._meta.pk  # noqa: S101 (every model has one)
    table, key = quote(model._meta.db_table), quote(str(model._meta.pk.column))
    return f"INSERT INTO {table} ({columns}) VALUES ({marks}) RETURNING {key}", fields  # noqa: S608 (names only)


def execute(sql: str, *values: Any) -> int:
    """Run a statement that both databases understand; returns how many rows it changed."""
    here = connections[DEFAULT_DB_ALIAS]
    _, changed = _ran(here, sql, [_adapted(here, value) for value in values], fetch=False)
    return changed


def rows(sql: str, *values: Any) -> list[Any]:
    """The same for a statement that returns rows, as the databases give them: only for columns of plain types."""
    here = connections[DEFAULT_DB_ALIAS]
    found, _ = _ran(here, sql, [_adapted(here, value) for value in values])
    return found


def _adapted(here: Any, value: Any) -> Any:
    if isinstance(value, UUID):
        return value if here.features.has_native_uuid_field else value.hex
    if isinstance(value, datetime):
        return here.ops.adapt_datetimefield_value(value)
    return value


def _ran(here: Any, sql: str, params: list[Any], *, fetch: bool = True) -> tuple[list[Any], int]:
    """The rows of a statement, none unless they are to `fetch`, and how many it read or changed."""
    if here.vendor != "postgresql" or here.queries_logged:
        with here.cursor() as cursor:
            cursor.execute(sql, params)
            return (cursor.fetchall() if fetch else []), cursor.rowcount
    here.close_if_health_check_failed()
    here.ensure_connection()
    here.validate_no_broken_transaction()
    # Django's own cursor binds on this side, so that PostgreSQL would plan the statement every time.
    with here.wrap_database_errors:
        here.planned.execute(sql, params, prepare=True)
        return (here.planned.fetchall() if fetch else []), here.planned.rowcount
