"""Writing thousands of rows without a model object for each.

``bulk_create`` builds an object a row and an expression a value, which takes several
times as long as the database does. These functions take plain values, have the
model's fields adapt them, and send one statement with many parameter lists.
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
    are; the database looks the key up. Where a row has the same ``unique`` fields
    already, its fields ``replace`` are updated instead.
    """
    fields = _fields(model, names)
    lookups = lookups or {}
    places = []
    adapters = []
    for field in fields:
        target = lookups.get(field.name)
        if target is None:
            places.append("%s")
            adapters.append(_adapter(field))
            continue
        other: Any = field.related_model
        looked_up = other._meta.get_field(target)
        places.append(
            f"(SELECT {_q(other._meta.pk.column)} FROM {_q(other._meta.db_table)} "  # noqa: S608
            f"WHERE {_q(looked_up.column)} = %s)"
        )
        adapters.append(_adapter(looked_up))
    columns = ", ".join(_q(field.column) for field in fields)
    sql = (
        f"INSERT INTO {_q(model._meta.db_table)} ({columns}) "  # noqa: S608
        f"VALUES ({', '.join(places)})"
    )
    if replace:
        target = ", ".join(_q(field.column) for field in _fields(model, unique))
        assignments = ", ".join(
            f"{_q(field.column)} = excluded.{_q(field.column)}"
            for field in _fields(model, replace)
        )
        sql += f" ON CONFLICT ({target}) DO UPDATE SET {assignments}"
    _execute(sql, adapters, rows)


def update(
    model: type[models.Model], names: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    """Set the fields ``names`` of rows; each row ends with its primary key."""
    pk: Any = model._meta.pk
    fields = _fields(model, names)
    assignments = ", ".join(f"{_q(field.column)} = %s" for field in fields)
    sql = (
        f"UPDATE {_q(model._meta.db_table)} SET {assignments} "  # noqa: S608
        f"WHERE {_q(pk.column)} = %s"
    )
    _execute(sql, [_adapter(field) for field in (*fields, pk)], rows)


def _execute(
    sql: str, adapters: Sequence[Adapter | None], rows: Iterable[Sequence[Any]]
) -> None:
    adapted = [(place, adapt) for place, adapt in enumerate(adapters) if adapt]
    parameters = []
    for row in rows:
        values = list(row)
        for place, adapt in adapted:
            values[place] = adapt(values[place])
        parameters.append(values)
    with connection.cursor() as cursor:
        if len(parameters) == 1:
            cursor.execute(sql, parameters[0])
        elif parameters:
            cursor.executemany(sql, parameters)


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
