"""Triggers: what must hold even against raw SQL, on SQLite and PostgreSQL.

* A version starts as a draft, moves only as ``TRANSITIONS`` allows, says the same
  thing for ever once submitted, is never deleted, and goes live only with a
  decision on exactly what it says: approved by somebody who had no hand in any
  version of its change set, or waived while its program asks for no approval.
* What was submitted, who had a hand in it, decisions, audit events and whatever
  other tables register here are append-only.
* A change set is closed once and keeps what it was closed on.

They are installed after every ``migrate`` (SQLite drops a table's triggers when
the table is remade) and compared with the catalogue by a system check. The owner
of a database can always disable them; ``INSERT OR REPLACE`` on SQLite fires them
because ``recursive_triggers`` is on for every connection (see settings).
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.db import models

from . import kinds
from .models import (
    AuditEvent,
    ChangeSet,
    ChangeSetItem,
    Contribution,
    Decision,
    Version,
)
from .transitions import ALLOWED_MOVES


@dataclass(frozen=True)
class Guard:
    """Refuse an INSERT, UPDATE or DELETE of a row for which ``condition`` holds.

    ``condition`` is SQL over NEW and OLD that both engines read alike, with
    ``{distinct}`` for "is distinct from".
    """

    table: str
    name: str
    events: tuple[str, ...]
    condition: str
    message: str


@dataclass
class _Registry:
    append_only: list[type[models.Model]] = field(default_factory=list)
    settable_once: list[tuple[type[models.Model], tuple[str, ...]]] = field(
        default_factory=list
    )
    guards: list[Guard] = field(default_factory=list)


_registry = _Registry(
    append_only=[AuditEvent, ChangeSetItem, Contribution, Decision],
)


def append_only(model: type[models.Model]) -> None:
    """Refuse to change or remove rows of ``model``."""
    _registry.append_only.append(model)


def settable_once(model: type[models.Model], *fields: str) -> None:
    """Refuse to remove rows of ``model`` or change them, save to fill ``fields``."""
    _registry.settable_once.append((model, fields))


def guard(
    model: type[models.Model],
    name: str,
    events: Sequence[str],
    condition: str,
    message: str,
) -> None:
    """Refuse what ``condition`` describes; see ``Guard``."""
    table = model._meta.db_table
    _registry.guards.append(Guard(table, name, tuple(events), condition, message))


def guards() -> list[Guard]:
    """Return every guard that this project's databases have."""
    found: list[Guard] = []
    for model in _registry.append_only:
        found += _append_only(model)
    for model, fields in _registry.settable_once:
        found += _settable_once(model, fields)
    found += _change_set_guards()
    for kind in kinds.all_kinds():
        found += _version_guards(kind)
    return found + _registry.guards


def _append_only(model: type[models.Model]) -> list[Guard]:
    name = str(model._meta.verbose_name_plural)
    return [
        Guard(
            model._meta.db_table,
            "append_only",
            ("UPDATE", "DELETE"),
            "1 = 1",
            f"The table of {name} is append-only.",
        )
    ]


def _settable_once(model: type[models.Model], fields: Sequence[str]) -> list[Guard]:
    name = str(model._meta.verbose_name_plural)
    fixed = [f.column for f in model._meta.concrete_fields if f.name not in fields]
    once = [model._meta.get_field(name).column for name in fields]  # type: ignore[union-attr]
    changed = _differs(fixed) + [
        f"(OLD.{_q(column)} IS NOT NULL AND OLD.{_q(column)} "
        f"{{distinct}} NEW.{_q(column)})"
        for column in once
    ]
    table = model._meta.db_table
    message = f"What is written of {name} does not change."
    return [
        Guard(table, "kept", ("DELETE",), "1 = 1", f"Rows of {name} are kept."),
        Guard(table, "fixed", ("UPDATE",), " OR ".join(changed), message),
    ]


def _change_set_guards() -> list[Guard]:
    return _settable_once(
        ChangeSet, ("voided_at", "voided_by", "published_at", "failed_at")
    )[:1] + [
        Guard(
            ChangeSet._meta.db_table,
            "fixed",
            ("UPDATE",),
            " OR ".join(
                _differs(
                    (
                        "id",
                        "program_id",
                        "note",
                        "go_live_at",
                        "roll_out",
                        "fingerprint",
                        "created_at",
                        "created_by_id",
                    )
                )
                + [
                    f"(OLD.{column} IS NOT NULL AND OLD.{column} "
                    f"{{distinct}} NEW.{column})"
                    for column in ("voided_at", "published_at", "failed_at")
                ]
            ),
            "What was submitted, and how that ended, does not change.",
        )
    ]


def _version_guards(kind: kinds.Kind) -> list[Guard]:
    model = kind.version
    table = model._meta.db_table
    content = [model._meta.get_field(name).column for name in model.CONTENT]  # type: ignore[union-attr]
    thing = model._meta.get_field(model.THING).column  # type: ignore[union-attr]
    identity = ["id", thing, "number", "object_id", "operation", "direct"]
    status = Version.Status
    moves = " OR ".join(
        f"(OLD.status = '{source}' AND NEW.status = '{target}')"
        for source, target in sorted(ALLOWED_MOVES)
    )
    return [
        Guard(
            table,
            "born_as_draft",
            ("INSERT",),
            f"NEW.status <> '{status.DRAFT}'",
            f"A {kind.word} version starts as a draft.",
        ),
        Guard(
            table,
            "kept",
            ("DELETE",),
            "1 = 1",
            f"Versions of a {kind.word} are kept.",
        ),
        Guard(
            table,
            "moves",
            ("UPDATE",),
            f"OLD.status <> NEW.status AND NOT ({moves})",
            f"A {kind.word} version cannot move from that status to this one.",
        ),
        Guard(
            table,
            "frozen",
            ("UPDATE",),
            " OR ".join(
                _differs(identity)
                + [
                    f"(OLD.status <> '{status.DRAFT}' "
                    f"AND ({' OR '.join(_differs(content))}))"
                ]
            ),
            f"A {kind.word} version changes only while it is a draft.",
        ),
        Guard(
            table,
            "hash_kept",
            ("UPDATE",),
            f"OLD.status <> '{status.DRAFT}' AND NEW.status <> '{status.DRAFT}' "
            "AND OLD.content_hash {distinct} NEW.content_hash",
            f"The hash of a {kind.word} version is set when it is submitted.",
        ),
        Guard(
            table,
            "life_kept",
            ("UPDATE",),
            "(OLD.live_from IS NOT NULL AND OLD.live_from {distinct} NEW.live_from) "
            "OR (OLD.live_until IS NOT NULL AND OLD.live_until {distinct} "
            "NEW.live_until) OR (OLD.live_from IS NOT NULL "
            "AND OLD.change_set_id {distinct} NEW.change_set_id)",
            f"When a {kind.word} version was live does not change.",
        ),
        Guard(
            table,
            "four_eyes",
            ("UPDATE",),
            f"NEW.status = '{status.LIVE}' AND OLD.status <> '{status.LIVE}' "
            f"AND NOT ({_decided(kind)})",
            f"A {kind.word} version goes live only with a decision on exactly what "
            "it says, by somebody who had no hand in it.",
        ),
    ]


def _decided(kind: kinds.Kind) -> str:
    """SQL: the change set of NEW was decided on, with NEW as it is."""
    item = ChangeSetItem._meta.db_table
    hand = (
        f"SELECT 1 FROM {Contribution._meta.db_table} c JOIN {item} o "
        "ON o.kind = c.kind AND o.version_id = c.version_id "
        "WHERE o.change_set_id = s.id AND c.user_id = d.decided_by_id"
    )
    program = (
        f"(SELECT w.program_id FROM {ChangeSet._meta.db_table} w "
        "WHERE w.id = NEW.change_set_id)"
    )
    waiver = kinds.programs().waiver_sql.format(
        program=program,
        version="NEW.id" if kind.name == "program" else "0",
    )
    return (
        f"EXISTS (SELECT 1 FROM {ChangeSet._meta.db_table} s "
        f"JOIN {Decision._meta.db_table} d "
        "ON d.change_set_id = s.id AND d.fingerprint = s.fingerprint "
        f"JOIN {item} i ON i.change_set_id = s.id "
        "WHERE s.id = NEW.change_set_id AND s.voided_at IS NULL "
        f"AND i.kind = '{kind.name}' AND i.version_id = NEW.id "
        "AND i.content_hash = NEW.content_hash "
        f"AND ((d.kind = 'APPROVED' AND NOT EXISTS ({hand})) "
        f"OR (d.kind = 'WAIVED' AND ({waiver}))))"
    )


def _differs(columns: Sequence[str]) -> list[str]:
    return [f"OLD.{_q(c)} {{distinct}} NEW.{_q(c)}" for c in columns]


def _q(column: str) -> str:
    return f'"{column}"'


# Putting them into a database


def install_after_migrate(sender: Any, using: str, **kwargs: Any) -> None:
    """Install once per ``migrate``, after the last of our apps."""
    from django.db import connections

    last = [c.name for c in apps.get_app_configs() if c.models_module][-1]
    if sender.name == last:
        install(connections[using])


def install(connection: Any) -> None:
    """Make the database have exactly the guards of this code."""
    tables = set(connection.introspection.table_names())
    uninstall(connection)
    with connection.cursor() as cursor:
        for guard_ in guards():
            if guard_.table in tables:
                for statement in _statements(connection.vendor, guard_):
                    cursor.execute(statement)


def uninstall(connection: Any) -> None:
    """Remove our guards; a test's flush of all tables needs that, nothing else."""
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
        for name, body in wanted.items()
        if present.get(name) != body
    ] + [f"Trigger {name} is unknown." for name in present if name not in wanted]


def _statements(vendor: str, guard_: Guard) -> Iterator[str]:
    if vendor == "postgresql":
        name = _name(guard_, "")
        yield (
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS "
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
            yield _name(guard_, ""), _postgresql_body(guard_)
        else:
            for event in guard_.events:
                yield _name(guard_, event), _sqlite_body(guard_, event)


def _installed(connection: Any) -> list[tuple[str, str]]:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT t.tgname, p.prosrc FROM pg_trigger t "
                "JOIN pg_proc p ON p.oid = t.tgfoid "
                "JOIN pg_class c ON c.oid = t.tgrelid "
                "JOIN pg_namespace n ON n.oid = c.relnamespace "
                "WHERE n.nspname = current_schema() AND t.tgenabled = 'O' "
                "AND t.tgname LIKE 'guard\\_%' AND t.tgname NOT LIKE '%\\_t'"
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
