"""Reads that systems ask for all day, with SQL that is written once.

The ORM takes several times longer to write the SQL of a wide read, and to make model
instances of its rows, than a database takes to answer it. What is asked stays a
queryset, with our managers' methods in it; its text is kept, each run fills in other
numbers, and rows come back as plain tuples with names.
"""

from collections import namedtuple
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import QuerySet

#: Stands for the first number while the SQL is written; the next ones follow.
_STAND_IN = 2_147_000_000


class Statement:
    """The named columns of a queryset that is a function of whole numbers.

    ``build`` may use each number in lookups only, where it becomes a parameter of the
    SQL. It is called once a process and kind of database.
    """

    def __init__(self, columns: Sequence[str], build: Callable[..., QuerySet]) -> None:
        self._columns = columns
        self._build = build
        self._row: Any = namedtuple("Row", columns)  # type: ignore[misc]
        self._written = lru_cache(self._write)

    def run(self, *numbers: int) -> list[Any]:
        connection = connections[DEFAULT_DB_ALIAS]
        sql, parameters, converters = self._written(connection.vendor, len(numbers))
        given = {_STAND_IN + index: number for index, number in enumerate(numbers)}
        with connection.cursor() as cursor:
            cursor.execute(sql, [given.get(value, value) for value in parameters])
            rows = [list(row) for row in cursor.fetchall()]
        for row in rows:
            for place, expression, functions in converters:
                for convert in functions:
                    row[place] = convert(row[place], expression, connection)
        return [self._row._make(row) for row in rows]

    def _write(self, vendor: str, count: int) -> tuple[str, Sequence[Any], list[Any]]:
        stand_ins = range(_STAND_IN, _STAND_IN + count)
        queryset = self._build(*stand_ins).values_list(*self._columns)
        compiler = queryset.query.get_compiler(DEFAULT_DB_ALIAS)
        sql, parameters = compiler.as_sql()
        if missing := set(stand_ins) - set(parameters):
            raise ValueError(f"{len(missing)} numbers are no parameters of {sql}")
        converters = compiler.get_converters([column for column, *_ in compiler.select])
        return (
            sql,
            parameters,
            [(place, column, how) for place, (how, column) in converters.items()],
        )
