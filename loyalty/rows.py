"""Writing rows without a model object for each, one row or thousands.

``bulk_create`` builds an object a row and an expression a value, which takes several
times as long as the database does. These functions take plain values, have the
model's fields adapt them, and send them all at once. What is written to several
tables can be sent together: that takes one trip to PostgreSQL, and many rows of a
table another one each, which copies them.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

from django.db import DEFAULT_DB_ALIAS, connections, models

from .statements import in_one_trip

Adapter = Callable[[Any], Any]

#: So many rows and more are copied: that takes PostgreSQL, and the driver, less time.
WORTH_COPYING = 50


class Command(NamedTuple):
    """A statement that writes, with its values; ``many`` lists of them, one by one, or
    all of them by ``copy``."""

    sql: str
    parameters: Any
    many: bool = False
    copy: bool = False


def insert(
    model: type[models.Model],
    names: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    lookups: dict[str, str] | None = None,
    replace: Sequence[str] = (),
    unique: Sequence[str] = (),
) -> None:
    """Insert ``rows``; see ``inserting``."""
    send(inserting(model, names, rows, lookups=lookups, replace=replace, unique=unique))


def update(
    model: type[models.Model], names: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    """Set the fields ``names`` of rows; each row ends with its primary key."""
    send(updating(model, names, rows))


def inserting(
    model: type[models.Model],
    names: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    lookups: dict[str, str] | None = None,
    replace: Sequence[str] = (),
    unique: Sequence[str] = (),
) -> list[Command]:
    """Return what inserts ``rows``, whose values are those of the fields ``names``.

    ``lookups`` says of a foreign key which unique field of the other model its values
    are; the database looks the key up. Rows of which some refer to others among them
    are written one after the other. Where a row has the same ``unique`` fields
    already, its fields ``replace`` are updated instead.
    """
    looked_up = tuple((lookups or {}).items())
    written = _insertion(
        _vendor(), model, tuple(names), looked_up, tuple(replace), tuple(unique)
    )
    return _commands(written, rows)


def updating(
    model: type[models.Model], names: Sequence[str], rows: Iterable[Sequence[Any]]
) -> list[Command]:
    return _commands(_change(_vendor(), model, tuple(names)), rows)


def send(commands: Sequence[Command]) -> None:
    """Run commands one after the other; PostgreSQL gets them in one message, but for
    what is copied."""
    if not commands:
        return
    connection: Any = connections[DEFAULT_DB_ALIAS]
    with connection.cursor() as cursor:
        for is_copy, alike in groupby(commands, key=attrgetter("copy")):
            if is_copy:
                for command in alike:
                    _copy(connection, cursor, command)
            else:
                _execute(connection, cursor, list(alike))


def _execute(connection: Any, cursor: Any, commands: list[Command]) -> None:
    if len(commands) > 1 and in_one_trip(connection):
        compose = connection.ops.compose_sql
        cursor.execute(";\n".join(compose(*command[:2]) for command in commands))
        return
    for sql, parameters, many, _ in commands:
        (cursor.executemany if many else cursor.execute)(sql, parameters)


def _copy(connection: Any, cursor: Any, command: Command) -> None:
    # Django words the driver's errors itself for every statement but this one.
    with connection.wrap_database_errors, cursor.copy(command.sql) as copy:
        for row in command.parameters:
            copy.write_row(row)


def reserve(model: type[models.Model], number: int) -> list[int]:
    """Return the keys of so many rows to come, for those that refer to them.

    SQLite gives none: there a key is looked up for nothing.
    """
    connection = connections[DEFAULT_DB_ALIAS]
    if connection.vendor != "postgresql":
        return []
    pk: Any = model._meta.pk
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence(%s, %s)) "
            "FROM generate_series(1, %s)",
            [_q(model._meta.db_table), pk.column, number],
        )
        return [key for (key,) in cursor.fetchall()]


class _Written(NamedTuple):
    """SQL for one row and for many; each ``{}`` was a value of the next field."""

    for_one: str
    for_many: str
    #: Which places have values that the driver does not take as they are.
    adapted: Sequence[tuple[int, Any]]
    #: Rows refer to one another: each has to be there before the next.
    one_by_one: bool
    #: For very many, if nothing has to be looked up or replaced for them.
    by_copy: str


@lru_cache
def _insertion(
    vendor: str,
    model: type[models.Model],
    names: Sequence[str],
    lookups: Sequence[tuple[str, str]],
    replace: Sequence[str],
    unique: Sequence[str],
) -> _Written:
    fields = _fields(model, names)
    targets = dict(lookups)
    places = []
    given = []
    for field in fields:
        target = targets.get(field.name)
        if target is None:
            places.append("{}")
            given.append(field)
            continue
        other: Any = field.related_model
        looked_up = other._meta.get_field(target)
        places.append(
            f"(SELECT {_q(other._meta.pk.column)} FROM {_q(other._meta.db_table)} "  # noqa: S608
            f"WHERE {_q(looked_up.column)} = {{}})"
        )
        given.append(looked_up)
    columns = ", ".join(_q(field.column) for field in fields)
    table = f"{_q(model._meta.db_table)} ({columns})"
    into, copied = f"INSERT INTO {table}", f"COPY {table}"
    conflict = ""
    if replace:
        target = ", ".join(_q(field.column) for field in _fields(model, unique))
        assignments = ", ".join(
            f"{_q(field.column)} = excluded.{_q(field.column)}"
            for field in _fields(model, replace)
        )
        conflict = f" ON CONFLICT ({target}) DO UPDATE SET {assignments}"
    return _write(
        f"{into} VALUES ({', '.join(places)}){conflict}",
        f"{into} SELECT {', '.join(places)} FROM {{source}}{conflict}",  # noqa: S608
        given,
        one_by_one=any(
            field.related_model is model for field in fields if field.name in targets
        ),
        by_copy="" if lookups or replace else f"{copied} FROM STDIN",
    )


@lru_cache
def _change(vendor: str, model: type[models.Model], names: Sequence[str]) -> _Written:
    pk: Any = model._meta.pk
    fields = _fields(model, names)
    table = _q(model._meta.db_table)
    assignments = ", ".join(f"{_q(field.column)} = {{}}" for field in fields)
    setting = f"UPDATE {table} SET {assignments}"  # noqa: S608
    where = f"WHERE {table}.{_q(pk.column)} = {{}}"
    return _write(
        f"{setting} {where}", f"{setting} FROM {{source}} {where}", [*fields, pk]
    )


def _write(
    for_one: str,
    for_many: str,
    fields: Sequence[Any],
    *,
    one_by_one: bool = False,
    by_copy: str = "",
) -> _Written:
    names = [f"c{number}" for number in range(len(fields))]
    arrays = ", ".join(f"%s::{_type(field)}[]" for field in fields)
    return _Written(
        for_one.format(*["%s"] * len(fields)),
        for_many.format(
            *[f"source.{name}" for name in names],
            source=f"unnest({arrays}) AS source ({', '.join(names)})",
        ),
        [
            (place, target)
            for place, target in enumerate(map(_target, fields))
            if not isinstance(target, models.IntegerField | models.CharField)
        ],
        one_by_one,
        by_copy,
    )


def _commands(written: _Written, rows: Iterable[Sequence[Any]]) -> list[Command]:
    """Return what runs a statement for all rows.

    PostgreSQL takes many rows as one array a column, in one statement; SQLite runs one
    for each of them, which costs it nothing.
    """
    # The connection itself: a look-up in its proxy costs more than the adapting.
    connection = connections[DEFAULT_DB_ALIAS]
    adapters = [(place, _adapter(f, connection)) for place, f in written.adapted]
    parameters = []
    for row in rows:
        values = list(row)
        for place, adapt in adapters:
            values[place] = adapt(values[place])
        parameters.append(values)
    if connection.vendor != "postgresql":
        return [Command(written.for_one, parameters, many=True)] if parameters else []
    if len(parameters) < 2 or written.one_by_one:
        return [Command(written.for_one, values) for values in parameters]
    if written.by_copy and len(parameters) >= WORTH_COPYING:
        return [Command(written.by_copy, parameters, copy=True)]
    columns = [list(column) for column in zip(*parameters, strict=True)]
    return [Command(written.for_many, columns)]


def _target(field: Any) -> Any:
    while field.is_relation:
        field = field.target_field
    return field


def _type(field: Any) -> str:
    found = str(_target(field).db_type(connections[DEFAULT_DB_ALIAS]))
    # A cast would cut what is too long; the column refuses it.
    return "text" if found.startswith("varchar") else found


def _adapter(field: Any, connection: Any) -> Adapter:
    """Return what makes a field's values fit for the driver."""
    prepare = partial(field.get_db_prep_save, connection=connection)
    if not isinstance(field, models.DateTimeField):
        return prepare
    # A batch holds few instants, many times each.
    return lru_cache(maxsize=None)(prepare)


def _fields(model: type[models.Model], names: Sequence[str]) -> list[Any]:
    return [model._meta.get_field(name) for name in names]


def _q(name: str) -> str:
    return connections[DEFAULT_DB_ALIAS].ops.quote_name(name)


def _vendor() -> str:
    return connections[DEFAULT_DB_ALIAS].vendor
