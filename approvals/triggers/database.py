"""Putting guards into a database, and finding out whether they are there."""

import hashlib
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.db import connections, transaction

from .catalogue import Guard, guards


def remove_before_migrate(sender: Any, using: str, plan: Any, **kwargs: Any) -> None:
    """Get out of the way of migrations on SQLite.

    It alters a table by making a new one, dropping the old one and giving the new
    one its name, and in between refuses every trigger that names the table.
    """
    if plan and connections[using].vendor == "sqlite":
        uninstall(connections[using])


def install_after_migrate(sender: Any, using: str, **kwargs: Any) -> None:
    """Install once per ``migrate``, after the last of our apps."""
    last = [c.name for c in apps.get_app_configs() if c.models_module][-1]
    if sender.name == last:
        install(connections[using])


def install(connection: Any) -> None:
    """Make the database have exactly the guards of this code.

    In one transaction, so that nobody writes while they are away; and not at all
    where they are in place, since replacing a trigger stops all work on its table.
    """
    if not differences(connection):
        return
    tables = set(connection.introspection.table_names())
    with transaction.atomic(using=connection.alias):
        uninstall(connection)
        with connection.cursor() as cursor:
            for guard_ in guards():
                if guard_.table in tables:
                    for statement in statements(connection.vendor, guard_):
                        cursor.execute(statement)


def uninstall(connection: Any) -> None:
    """Remove our guards, as where SQLite alters tables."""
    with connection.cursor() as cursor:
        for name, table in _installed_names(connection):
            if connection.vendor == "postgresql":
                cursor.execute(f"DROP TRIGGER IF EXISTS {name} ON {table}")
                cursor.execute(f"DROP FUNCTION IF EXISTS {name}()")
            else:
                cursor.execute(f"DROP TRIGGER IF EXISTS {name}")


def differences(connection: Any) -> list[str]:
    """Return a sentence for each guard that the database lacks or has otherwise."""
    wanted = dict(_wanted(connection.vendor))
    present = dict(_installed(connection))
    return [
        f"Trigger {name} is {'missing' if name not in present else 'not as expected'}."
        for name, definition in wanted.items()
        if present.get(name) != definition
    ] + [f"Trigger {name} is unknown." for name in present if name not in wanted]


def statements(vendor: str, guard_: Guard) -> Iterator[str]:
    """Return the SQL that puts a guard into a database."""
    if vendor == "postgresql":
        name = _name(guard_, "")
        # A session plans a function once. Were that while a table is still empty, a
        # look-up would read the whole table for every row of a bulk insert.
        looks_up = "SET enable_seqscan = off " if "SELECT" in guard_.condition else ""
        yield (
            f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql {looks_up}AS "
            f"$guard${_postgresql_body(guard_)}$guard$"
        )
        yield (
            f"CREATE TRIGGER {name} BEFORE {' OR '.join(guard_.events)} "
            f"ON {guard_.table} FOR EACH ROW EXECUTE FUNCTION {name}()"
        )
        if "DELETE" in guard_.events:
            yield (
                f"CREATE TRIGGER {name}_t BEFORE TRUNCATE ON {guard_.table} "
                f"FOR EACH STATEMENT EXECUTE FUNCTION {name}()"
            )
        return
    for event in guard_.events:
        yield _sqlite_body(guard_, event)


def _postgresql_body(guard_: Guard) -> str:
    condition = guard_.condition.replace("{distinct}", "IS DISTINCT FROM")
    message = guard_.message.replace("'", "''")
    truncated = "IF TG_OP = 'TRUNCATE' THEN "
    raise_ = f"RAISE EXCEPTION '{message}' USING ERRCODE = 'check_violation'; "
    return (
        "BEGIN "
        + (f"{truncated}{raise_}END IF; " if "DELETE" in guard_.events else "")
        + f"IF {condition} THEN {raise_}END IF; "
        + "IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END;"
    )


def _sqlite_body(guard_: Guard, event: str) -> str:
    condition = guard_.condition.replace("{distinct}", "IS NOT")
    message = guard_.message.replace("'", "''")
    return (
        f"CREATE TRIGGER {_name(guard_, event)} BEFORE {event} ON {guard_.table} "
        f"FOR EACH ROW WHEN {condition} BEGIN "
        f"SELECT RAISE(ABORT, '{message}'); END"
    )


def _name(guard_: Guard, event: str) -> str:
    suffix = f"_{event.lower()}" if event else ""
    name = f"guard_{guard_.table}_{guard_.name}{suffix}"
    if len(name) <= 60:
        return name
    # PostgreSQL cuts names at 63 bytes.
    return f"{name[:50]}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _wanted(vendor: str) -> Iterator[tuple[str, str]]:
    for guard_ in guards():
        if vendor == "postgresql":
            name, body = _name(guard_, ""), _postgresql_body(guard_)
            events = sum(_EVENT_BITS[event] for event in guard_.events)
            yield name, f"{guard_.table} {_BEFORE_ROW | events} {body}"
            if "DELETE" in guard_.events:
                yield f"{name}_t", f"{guard_.table} {_BEFORE_TRUNCATE} {body}"
        else:
            for event in guard_.events:
                yield _name(guard_, event), _sqlite_body(guard_, event)


# PostgreSQL's pg_trigger.tgtype: row 1, before 2, insert 4, delete 8, update 16,
# truncate 32.
_BEFORE_ROW = 3
_BEFORE_TRUNCATE = 34
_EVENT_BITS = {"INSERT": 4, "DELETE": 8, "UPDATE": 16}


def _installed(connection: Any) -> list[tuple[str, str]]:
    """Return name and definition of our triggers that are there and switched on."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT t.tgname, c.relname || ' ' || t.tgtype || ' ' || p.prosrc "
                "FROM pg_trigger t "
                "JOIN pg_proc p ON p.oid = t.tgfoid "
                "JOIN pg_class c ON c.oid = t.tgrelid "
                "JOIN pg_namespace n ON n.oid = c.relnamespace "
                "WHERE n.nspname = current_schema() AND t.tgname LIKE 'guard\\_%' "
                # Neither switched off nor narrowed by WHEN or UPDATE OF.
                "AND t.tgenabled IN ('O', 'A') AND t.tgqual IS NULL "
                "AND t.tgattr = ''::int2vector"
            )
        else:
            cursor.execute(
                "SELECT name, sql FROM sqlite_master "
                "WHERE type = 'trigger' AND name LIKE 'guard\\_%' ESCAPE '\\'"
            )
        return list(cursor.fetchall())


def _installed_names(connection: Any) -> list[tuple[str, str]]:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT t.tgname, c.relname FROM pg_trigger t "
                "JOIN pg_class c ON c.oid = t.tgrelid "
                "JOIN pg_namespace n ON n.oid = c.relnamespace "
                "WHERE n.nspname = current_schema() AND t.tgname LIKE 'guard\\_%' "
                # A function goes with its last trigger, the shorter name.
                "ORDER BY length(t.tgname) DESC"
            )
        else:
            cursor.execute(
                "SELECT name, tbl_name FROM sqlite_master "
                "WHERE type = 'trigger' AND name LIKE 'guard\\_%' ESCAPE '\\'"
            )
        return list(cursor.fetchall())
