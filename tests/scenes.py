"""What many tests start from, made once and then put back from a copy.

A test's scene is what its fixtures marked ``@scenes.kept`` make: exactly those rows,
and nothing where it asks for none. The first test of a scene has it made by the real
verbs in an empty database, and committed; the transaction of every test rolls back to
it. Before a test of another scene, or after one that committed something itself, the
database is put back from a copy: triggers stay where they are and do not fire.
"""

import copy
import inspect
import sqlite3
from collections.abc import Callable
from typing import Any, Protocol

import pytest
import time_machine
from django.db import connection, transaction

from tests import factories

Maker = Callable[..., Any]
Makers = dict[str, Maker]


def kept(make: Maker) -> Any:
    """Make a fixture of ``make``, whose parameters are fixtures like it.

    It gives each test objects of its own, as they were when they were made.
    """
    name = make.__name__
    parameters = ["db", "scene", *inspect.signature(make).parameters]

    def find(*, db: None, scene: dict[str, Any], **needed: Any) -> Any:
        # A test may also ask for it half way, with request.getfixturevalue().
        return scene[name] if name in scene else make(**needed)

    find.__doc__ = make.__doc__
    find.kept = make  # type: ignore[attr-defined]
    find.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(each, inspect.Parameter.KEYWORD_ONLY) for each in parameters]
    )
    return pytest.fixture(name=name)(find)


def at_present() -> time_machine.travel:
    """Let a maker's clock show the present, for what is about the past few months."""
    return time_machine.travel(time_machine.escape_hatch.time.time())


def makers_for(request: pytest.FixtureRequest) -> Makers:
    """Return what makes a test's scene, by the names of its fixtures."""
    definitions = request.node._fixtureinfo.name2fixturedefs
    last = {name: found[-1].func for name, found in definitions.items() if found}
    return {name: func.kept for name, func in last.items() if hasattr(func, "kept")}


class Theatre:
    """The test database of this process, and the scene that is on."""

    def __init__(self) -> None:
        nothing: frozenset[Maker] = frozenset()
        self.copies = {nothing: copy_database()}
        self.things: dict[frozenset[Maker], dict[str, Any]] = {nothing: {}}
        self.scene: frozenset[Maker] | None = nothing

    def put_on(self, makers: Makers) -> dict[str, Any]:
        """Bring the database into a scene; return the scene's objects by name."""
        scene = frozenset(makers.values())
        if scene not in self.copies:
            self.put_on({})
            self.things[scene] = _make_all(makers)
            self.copies[scene] = copy_database()
        elif scene != self.scene:
            self.copies[scene].put_back()
        self.scene = scene
        # All at once: a program's creator stays the very person of the test.
        return copy.deepcopy(self.things[scene])

    def leave_in_disorder(self) -> None:
        """Note that a test has committed something."""
        self.scene = None


def _make_all(makers: Makers) -> dict[str, Any]:
    things: dict[str, Any] = {}

    def find(name: str) -> Any:
        if name not in things:
            make = makers[name]
            needed = inspect.signature(make).parameters
            things[name] = make(**{each: find(each) for each in needed})
        return things[name]

    # Long ago, so that no test's frozen clock is before it.
    with time_machine.travel(factories.LONG_AGO), transaction.atomic():
        for name in makers:
            find(name)
        # In a test's transaction too, nothing follows on what its fixtures do.
        connection.run_on_commit.clear()
    return things


class DatabaseCopy(Protocol):
    def put_back(self) -> None: ...


def copy_database() -> DatabaseCopy:
    connection.ensure_connection()
    return SQLiteCopy() if connection.vendor == "sqlite" else PostgreSQLCopy()


class SQLiteCopy:
    """All pages of the file, tables and triggers included."""

    def __init__(self) -> None:
        self.memory = sqlite3.connect(":memory:")
        connection.connection.backup(self.memory)

    def put_back(self) -> None:
        connection.ensure_connection()
        self.memory.backup(connection.connection)


class PostgreSQLCopy:
    """All rows; sequences go on from where they are."""

    def __init__(self) -> None:
        tables = connection.introspection.django_table_names(
            only_existing=True, include_views=False
        )
        self.tables = {connection.ops.quote_name(table): b"" for table in tables}
        with connection.cursor() as cursor:
            for table in self.tables:
                with cursor.copy(f"COPY {table} TO STDOUT") as rows:
                    self.tables[table] = b"".join(bytes(part) for part in rows)

    def put_back(self) -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            # Neither our triggers nor foreign keys have anything to say to a copy.
            cursor.execute("SET LOCAL session_replication_role = replica")
            # Faster than TRUNCATE, which gives every table and index new files.
            cursor.execute("; ".join(f"DELETE FROM {table}" for table in self.tables))
            for table, content in self.tables.items():
                if content:
                    with cursor.copy(f"COPY {table} FROM STDIN") as rows:
                        rows.write(content)
