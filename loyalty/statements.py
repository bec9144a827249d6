"""Reads that systems ask for all day: SQL that is written once, sent in one trip.

The ORM takes several times longer to write the SQL of a read, and to make model
instances of its rows, than a database takes to answer it. What is asked stays a
queryset, with our managers' methods in it; its text is kept, each run fills in other
values, and rows come back as plain tuples with names.

Several are asked together. PostgreSQL then gets them in one message, and runs one
after the other: each sees what was committed before it began, so what stands behind
a lock is what is true under that lock. SQLite answers one by one, without any trip.
"""

from collections import namedtuple
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from json import dumps
from typing import Any, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.models import QuerySet

#: Stands for the first number while the SQL is written; the next ones follow.
_STAND_IN = 2_147_000_000

_Model = TypeVar("_Model", bound=models.Model)
Value = int | str | list[int] | list[str]


@dataclass(slots=True)
class Ask:
    """A statement with its values; ``rows`` are the answer, once there is one."""

    sql: str
    parameters: Sequence[Any]
    read: Callable[[list[Any]], list[Any]] = list
    rows: list[Any] = field(default_factory=list)


@models.Field.register_lookup
@models.ForeignKey.register_lookup
class Among(models.Lookup):
    """``pk__among``: one of a list, which is one parameter however long it is.

    The SQL of ``pk__in`` differs with the length of its list, and takes longer to write
    and to read than a thousand rows do to find.
    """

    lookup_name = "among"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        column, parameters = self.process_lhs(compiler, connection)
        sql = "%s = ANY(%%s)"
        if connection.vendor == "sqlite":
            sql = "%s IN (SELECT value FROM json_each(%%s))"
        return sql % column, [*parameters, self.rhs]


class Statement:
    """The named columns of a queryset that is a function of numbers, texts and lists.

    ``build`` may use each value in lookups only, where it becomes a parameter of the
    SQL, and a list in ``among``. It is called once a process and kind of database.
    """

    def __init__(
        self, columns: Sequence[str], build: Callable[..., QuerySet[Any, Any]]
    ) -> None:
        self._columns = columns
        self._build = build
        self._row: Any = namedtuple("Row", columns)  # type: ignore[misc]
        self._written = lru_cache(self._write)

    def run(self, *values: Value) -> list[Any]:
        asked = self.of(*values)
        ask([asked])
        return asked.rows

    def of(self, *values: Value) -> Ask:
        vendor = connections[DEFAULT_DB_ALIAS].vendor
        kinds = tuple(map(type, values))
        sql, parameters, read = self._written(vendor, kinds)
        if vendor == "sqlite":
            values = tuple(dumps(v) if isinstance(v, list) else v for v in values)
        given = dict(zip(_stand_ins(kinds), values, strict=True))
        return Ask(sql, [given.get(value, value) for value in parameters], read)

    def _write(self, vendor: str, kinds: tuple[type, ...]) -> Any:
        stand_ins = _stand_ins(kinds)
        queryset = self._build(*stand_ins).values_list(*self._columns)
        compiler = queryset.query.get_compiler(DEFAULT_DB_ALIAS)
        sql, parameters = compiler.as_sql()
        if missing := set(stand_ins) - set(parameters):
            raise ValueError(f"{len(missing)} values are no parameters of {sql}")
        converters = [
            (place, expression, functions)
            for place, (functions, expression) in compiler.get_converters(
                [column for column, *_ in compiler.select]
            ).items()
        ]

        def read(found: list[Any]) -> list[Any]:
            connection = connections[DEFAULT_DB_ALIAS]
            rows = [list(row) for row in found] if converters else found
            for row in rows:
                for place, expression, functions in converters:
                    for convert in functions:
                        row[place] = convert(row[place], expression, connection)
            return [self._row._make(row) for row in rows]

        return sql, parameters, read


def asking(queryset: QuerySet[Any, Any]) -> Ask:
    """Return what asks for the rows of a queryset of plain columns, written anew."""
    compiler = queryset.query.get_compiler(DEFAULT_DB_ALIAS)
    sql, parameters = compiler.as_sql()
    return Ask(sql, parameters)


def ask(asked: Sequence[Ask]) -> None:
    """Have statements answered, one after the other."""
    connection = connections[DEFAULT_DB_ALIAS]
    with connection.cursor() as cursor:
        if len(asked) < 2 or not in_one_trip(connection):
            for one in asked:
                cursor.execute(one.sql, one.parameters)
                one.rows = one.read(cursor.fetchall())
            return
        cursor.execute(
            ";\n".join(one.sql for one in asked),
            [value for one in asked for value in one.parameters],
        )
        for place, one in enumerate(asked):
            if place:
                cursor.nextset()
            one.rows = one.read(cursor.fetchall())


def in_one_trip(connection: Any) -> bool:
    """Whether several statements can be one message: with values written into it."""
    return connection.vendor == "postgresql" and not connection.settings_dict[
        "OPTIONS"
    ].get("server_side_binding")


def instances(
    model: type[_Model], names: Sequence[str], rows: Iterable[Sequence[Any]]
) -> list[_Model]:
    """Make model instances of rows with columns of the model, in its order."""
    return [model.from_db(DEFAULT_DB_ALIAS, names, row) for row in rows]


def columns_of(model: type[models.Model], *names: str) -> list[str]:
    """Return the model's columns, or those named, in the order that instances ask."""
    columns = [field.attname for field in model._meta.concrete_fields]
    return [column for column in columns if column in names or not names]


def _stand_ins(kinds: Sequence[type]) -> list[int | str]:
    return [
        _STAND_IN + place if kind is int else f"\0{place}"
        for place, kind in enumerate(kinds)
    ]
