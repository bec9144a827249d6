"""Writing thousands of rows without a model object for each.

``bulk_create`` builds an object a row and an expression a value, which takes several
times as long as the database does. These functions take plain values, have the
model's fields adapt them, and send them all at once.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection, connections, models

Adapter = Callable[[Any], Any]


def insert(
    model: type[models.Model],
    names: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    lookups: dict[str, str] | None = None,
    replace: Sequence[str] = (),
    unique: Sequence[str] = (),
) -> None:
    """Insert ``rows``, whose values are those of the fields ``names``.

    ``lookups`` says of a foreign key which unique field of the other model its values
    are; the database looks the key up. Rows of which some refer to others among them are
    written one after the other. Where a row has the same ``unique`` fields
    already, its fields ``replace`` are updated instead.
    """
    fields = _fields(model, names)
    lookups = lookups or {}
    places = []
    given = []
    for field in fields:
        target = lookups.get(field.name)
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
    into = f"INSERT INTO {_q(model._meta.db_table)} ({columns})"
    conflict = ""
    if replace:
        target = ", ".join(_q(field.column) for field in _fields(model, unique))
        assignments = ", ".join(
            f"{_q(field.column)} = excluded.{_q(field.column)}"
            for field in _fields(model, replace)
        )
        conflict = f" ON CONFLICT ({target}) DO UPDATE SET {assignments}"
    _execute(
        f"{into} VALUES ({', '.join(places)}){conflict}",
        f"{into} SELECT {', '.join(places)} FROM {{source}}{conflict}",  # noqa: S608
        given,
        rows,
        one_by_one=any(
            field.related_model is model for field in fields if field.name in lookups
        ),
    )


def update(
    model: type[models.Model], names: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    """Set the fields ``names`` of rows; each row ends with its primary key."""
    pk: Any = model._meta.pk
    fields = _fields(model, names)
    table = _q(model._meta.db_table)
    assignments = ", ".join(f"{_q(field.column)} = {{}}" for field in fields)
    setting = f"UPDATE {table} SET {assignments}"  # noqa: S608
    where = f"WHERE {table}.{_q(pk.column)} = {{}}"
    _execute(
        f"{setting} {where}",
        f"{setting} FROM {{source}} {where}",
        [*fields, pk],
        rows,
    )


def _execute(
    for_one: str,
    for_many: str,
    fields: Sequence[Any],
    rows: Iterable[Sequence[Any]],
    *,
    one_by_one: bool = False,
) -> None:
    """Run a statement for all rows; each ``{}`` in it is a value of the next field.

    PostgreSQL takes many rows as one array a column, in one statement; SQLite runs one
    for each of them, which costs it nothing.
    """
    adapted = [(place, a) for place, f in enumerate(fields) if (a := _adapter(f))]
    parameters = []
    for row in rows:
        values = list(row)
        for place, adapt in adapted:
            values[place] = adapt(values[place])
        parameters.append(values)
    if not parameters:
        return
    sql = for_one.format(*["%s"] * len(fields))
    with connection.cursor() as cursor:
        if len(parameters) == 1:
            cursor.execute(sql, parameters[0])
        elif connection.vendor == "postgresql" and not one_by_one:
            names = [f"c{n}" for n in range(len(fields))]
            arrays = ", ".join(f"%s::{_type(field)}[]" for field in fields)
            source = f"unnest({arrays}) AS source ({', '.join(names)})"
            columns = [list(column) for column in zip(*parameters, strict=True)]
            places = [f"source.{name}" for name in names]
            cursor.execute(for_many.format(*places, source=source), columns)
        else:
            cursor.executemany(sql, parameters)


def _type(field: Any) -> str:
    while field.is_relation:
        field = field.target_field
    found = str(field.db_type(connection))
    # A cast would cut what is too long; the column refuses it.
    return "text" if found.startswith("varchar") else found


def _adapter(field: Any) -> Adapter | None:
    """Return what makes a field's values fit for the driver, or None if they are."""
    while field.is_relation:
        field = field.target_field
    if isinstance(field, models.IntegerField | models.CharField):
        return None
    # The connection itself: a look-up in its proxy costs more than the adapting.
    prepare = partial(field.get_db_prep_save, connection=connections[DEFAULT_DB_ALIAS])
    if not isinstance(field, models.DateTimeField):
        return prepare
    # A batch holds few instants, many times each.
    return lru_cache(maxsize=None)(prepare)


def _fields(model: type[models.Model], names: Sequence[str]) -> list[Any]:
    return [model._meta.get_field(name) for name in names]


def _q(name: str) -> str:
    return connection.ops.quote_name(name)
