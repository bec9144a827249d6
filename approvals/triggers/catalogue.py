"""Which rows every guard refuses, as SQL that both engines read."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db import models

from .. import kinds
from ..models import (
    AuditEvent,
    ChangeSet,
    ChangeSetItem,
    Contribution,
    Decision,
    Version,
)
from ..transitions import ALLOWED_MOVES

#: Who did a step and when, by the beginning of the two fields' names.
STEPS = ("created", "updated", "submitted", "approved", "rejected")


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
    fixed = [f.name for f in model._meta.concrete_fields if f.name not in fields]
    changed = _differs(_columns(model, fixed)) + [
        f"(OLD.{_q(column)} IS NOT NULL AND {differs})"
        for column in _columns(model, fields)
        for differs in _differs([column])
    ]
    table = model._meta.db_table
    message = f"What is written of {name} does not change."
    return [
        Guard(table, "kept", ("DELETE",), "1 = 1", f"Rows of {name} are kept."),
        Guard(table, "fixed", ("UPDATE",), " OR ".join(changed), message),
    ]


def _change_set_guards() -> list[Guard]:
    table = ChangeSet._meta.db_table
    fixed = (
        "id",
        "program_id",
        "note",
        "go_live_at",
        "roll_out",
        "fingerprint",
        "created_at",
        "created_by_id",
    )
    ends = {
        "voided_at": ("voided_at", "voided_by_id", "void_reason"),
        "published_at": ("published_at", "due_at"),
        "failed_at": ("failed_at", "failure"),
    }
    ended = [
        f"(OLD.{end} IS NOT NULL AND ({' OR '.join(_differs(columns))}))"
        for end, columns in ends.items()
    ]
    decisions = Decision._meta.db_table
    return [
        Guard(table, "kept", ("DELETE",), "1 = 1", "Change sets are kept."),
        Guard(
            table,
            "fixed",
            ("UPDATE",),
            " OR ".join([*_differs(fixed), *ended]),
            "What was submitted, and how that ended, does not change.",
        ),
        Guard(
            ChangeSetItem._meta.db_table,
            "before_decision",
            ("INSERT",),
            f"EXISTS (SELECT 1 FROM {decisions} d "
            "WHERE d.change_set_id = NEW.change_set_id)",
            "A change set that was decided on takes no more items.",
        ),
        Guard(
            decisions,
            "four_eyes",
            ("INSERT",),
            f"NOT EXISTS (SELECT 1 FROM {table} s WHERE s.id = NEW.change_set_id "
            "AND s.fingerprint = NEW.fingerprint AND s.voided_at IS NULL "
            f"AND s.published_at IS NULL) OR (NEW.kind = '{Decision.Kind.APPROVED}' "
            f"AND EXISTS ({_hand('NEW.change_set_id', 'NEW.decided_by_id')}))",
            "A decision is on exactly what waits, by somebody who had no hand in it.",
        ),
    ]


def _hand(change_set: str, user: str) -> str:
    """SQL: what a user contributed to the versions of a change set."""
    return (
        f"SELECT 1 FROM {Contribution._meta.db_table} c "
        f"JOIN {ChangeSetItem._meta.db_table} o "
        "ON o.kind = c.kind AND o.version_id = c.version_id "
        f"WHERE o.change_set_id = {change_set} AND c.user_id = {user}"
    )


def _version_guards(kind: kinds.Kind) -> list[Guard]:
    model = kind.version
    table = model._meta.db_table
    content = _columns(model, model.CONTENT)
    [thing] = _columns(model, [model.THING])
    identity = ["id", thing, "number", "object_id", "operation", "direct"]
    history = [
        "change_set_id",
        "based_on_id",
        "note",
        *(f"{step}_{what}" for step in STEPS for what in ("at", "by_id")),
    ]
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
                [
                    *_differs(identity),
                    f"(OLD.status <> '{status.DRAFT}' "
                    f"AND ({' OR '.join(_differs(content))}))",
                    # Trying again puts a change on what is live by then.
                    f"(OLD.status NOT IN ('{status.DRAFT}', '{status.PUBLISH_FAILED}') "
                    f"AND {' OR '.join(_differs(['based_on_id']))})",
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
            f"AND ({' OR '.join(_differs(history))}))",
            f"When and how a {kind.word} version went live does not change.",
        ),
        Guard(
            table,
            "reopened",
            ("UPDATE",),
            f"NEW.status = '{status.DRAFT}' AND OLD.status <> '{status.DRAFT}' "
            f"AND EXISTS (SELECT 1 FROM {ChangeSet._meta.db_table} s "
            "WHERE s.id = OLD.change_set_id AND s.voided_at IS NULL)",
            f"A {kind.word} version becomes a draft again only when its change set "
            "is taken back.",
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
        f"JOIN {ChangeSetItem._meta.db_table} i ON i.change_set_id = s.id "
        "WHERE s.id = NEW.change_set_id AND s.voided_at IS NULL "
        "AND s.published_at IS NULL AND s.failed_at IS NULL "
        "AND (s.go_live_at IS NULL OR s.go_live_at <= NEW.live_from) "
        f"AND i.kind = '{kind.name}' AND i.version_id = NEW.id "
        "AND i.content_hash = NEW.content_hash "
        "AND ((d.kind = 'APPROVED' "
        f"AND NOT EXISTS ({_hand('s.id', 'd.decided_by_id')})) "
        f"OR (d.kind = 'WAIVED' AND ({waiver}))))"
    )


def _differs(columns: Sequence[str]) -> list[str]:
    return [f"OLD.{_q(c)} {{distinct}} NEW.{_q(c)}" for c in columns]


def _columns(model: type[models.Model], names: Sequence[str]) -> list[str]:
    by_name = {field.name: str(field.column) for field in model._meta.concrete_fields}
    return [by_name[name] for name in names]


def _q(column: str) -> str:
    return f'"{column}"'
