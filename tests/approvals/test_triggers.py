"""What the database itself refuses, through its driver and past all of our code.

Each refusal stands beside the like that is let through, so that it can fail.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, models, transaction
from django.utils import timezone

from approvals import fingerprint, kinds, lifecycle, triggers
from approvals.models import (
    AuditEvent,
    ChangeSet,
    ChangeSetItem,
    Contribution,
    Decision,
    Version,
)
from approvals.transitions import ALLOWED_MOVES
from tests import factories

from .conftest import WORDS, Stage
from .stories import switch_approval

Status = Version.Status
Kind = Decision.Kind

REFUSED = (sqlite3.IntegrityError, psycopg.errors.CheckViolation)
LIVE_ONLY = "goes live only with a decision on exactly what it says"
NOT_WHAT_WAITS = "A decision is on exactly what waits"

pytestmark = pytest.mark.forges


def run(sql: str) -> int:
    """Run SQL in the driver itself, with nothing of Django's in between."""
    connection.ensure_connection()
    return int(connection.connection.execute(sql).rowcount)


def refuse(sql: str, because: str) -> None:
    with pytest.raises(REFUSED, match=because), transaction.atomic():
        run(sql)


def allow(sql: str) -> None:
    """Run what must go through, and take it back."""
    with transaction.atomic():
        assert run(sql) == 1
        transaction.set_rollback(True)


@contextmanager
def forged() -> Iterator[None]:
    """Undo whatever a test forges, and put back the guards that it took away."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def take_away(keep: Callable[[triggers.Guard], bool]) -> None:
    """Leave those guards in place alone that are to be looked at by themselves."""
    kept = [guard for guard in triggers.guards() if keep(guard)]
    triggers.uninstall(connection)
    for guard in kept:
        for statement in triggers.statements(connection.vendor, guard):
            with connection.cursor() as cursor:
                cursor.execute(statement)


def literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int):
        return str(value)
    return "'" + str(value).replace("'", "''") + "'"


def insert(model: type[models.Model], **values: Any) -> str:
    columns, literals = ", ".join(values), ", ".join(map(literal, values.values()))
    return f"INSERT INTO {model._meta.db_table} ({columns}) VALUES ({literals})"


def now() -> str:
    return f"{timezone.now():%Y-%m-%d %H:%M:%S.%f}" + (
        "+00" if connection.vendor == "postgresql" else ""
    )


def decide(change_set: ChangeSet, kind: str, by: User, **values: Any) -> str:
    return insert(
        Decision,
        **{
            "change_set_id": change_set.pk,
            "kind": kind,
            "fingerprint": change_set.fingerprint,
            "decided_at": now(),
            "decided_by_id": by.pk,
            "comment": "Forged.",
            **values,
        },
    )


def put_live(version: Any, **values: Any) -> str:
    values = {"status": Status.LIVE, "live_from": now(), **values}
    written = ", ".join(f"{name} = {literal(v)}" for name, v in values.items())
    return f"UPDATE {version._meta.db_table} SET {written} WHERE id = {version.pk}"


def make_way(version: Any) -> None:
    """Replace what is live, so that nothing but the decision stands in the way."""
    run(
        f"UPDATE {version._meta.db_table} SET status = '{Status.SNAPSHOT}', "
        f"live_until = {literal(now())} WHERE id = {version.based_on_id}"
    )


each_kind = pytest.mark.parametrize("kind", WORDS)


# Going live


@each_kind
def test_nothing_goes_live_without_a_decision(stage: Stage, kind: str) -> None:
    version, held = stage.bring(kind, Status.PENDING_APPROVAL)
    with forged():
        make_way(version)
        refuse(put_live(version), LIVE_ONLY)
        run(decide(held, Kind.REJECTED, stage.rhea))
        refuse(put_live(version), LIVE_ONLY)
    with forged():
        make_way(version)
        run(decide(held, Kind.APPROVED, stage.rhea))
        allow(put_live(version))


@each_kind
def test_a_decision_on_something_else_makes_nothing_live(
    stage: Stage, kind: str
) -> None:
    version, held = stage.bring(kind, Status.PENDING_APPROVAL)
    other = decide(held, Kind.APPROVED, stage.rhea, fingerprint="0" * 64)
    refuse(other, NOT_WHAT_WAITS)
    with forged():
        take_away(lambda guard: guard.table != Decision._meta.db_table)
        make_way(version)
        run(other)
        refuse(put_live(version), LIVE_ONLY)


@each_kind
def test_nobody_approves_what_they_had_a_hand_in(stage: Stage, kind: str) -> None:
    version, held = stage.bring(kind, Status.PENDING_APPROVAL)
    own = decide(held, Kind.APPROVED, stage.olga)
    refuse(own, NOT_WHAT_WAITS)
    allow(decide(held, Kind.REJECTED, stage.olga))
    allow(decide(held, Kind.APPROVED, stage.rhea))
    with forged():
        take_away(lambda guard: guard.table != Decision._meta.db_table)
        make_way(version)
        run(own)
        refuse(put_live(version), LIVE_ONLY)


@pytest.mark.parametrize("role", Contribution.Role)
def test_any_kind_of_hand_in_any_version_of_the_set_counts(
    stage: Stage, role: str
) -> None:
    helper = factories.make_reviewer("hal")
    gold, ladder = stage.draft("tier"), stage.draft("tier group")
    held = stage.submitted(gold, ladder)
    with forged():
        make_way(gold)
        allow(decide(held, Kind.APPROVED, helper))
        run(
            insert(
                Contribution,
                kind="tier group",
                version_id=ladder.pk,
                user_id=helper.pk,
                role=role,
                created_at=now(),
            )
        )
        refuse(decide(held, Kind.APPROVED, helper), NOT_WHAT_WAITS)
        take_away(lambda guard: guard.table != Decision._meta.db_table)
        run(decide(held, Kind.APPROVED, helper))
        refuse(put_live(gold), LIVE_ONLY)


@each_kind
def test_what_was_taken_back_does_not_go_live(stage: Stage, kind: str) -> None:
    version, held = stage.bring(kind, Status.PENDING_APPROVAL)
    void = (
        f"UPDATE {ChangeSet._meta.db_table} SET voided_at = {literal(now())} "
        f"WHERE id = {held.pk}"
    )
    with forged():
        make_way(version)
        run(decide(held, Kind.APPROVED, stage.rhea))
        run(void)
        refuse(put_live(version), LIVE_ONLY)
    with forged():
        run(void)
        refuse(decide(held, Kind.APPROVED, stage.rhea), NOT_WHAT_WAITS)


@each_kind
def test_what_failed_does_not_go_live_on_its_old_approval(
    stage: Stage, kind: str
) -> None:
    version, _ = stage.bring(kind, Status.PUBLISH_FAILED)
    with forged():
        make_way(version)
        later = f"{timezone.now() + timedelta(days=2):%Y-%m-%d %H:%M:%S}"
        refuse(put_live(version, live_from=later), LIVE_ONLY)


@each_kind
def test_what_is_scheduled_does_not_go_live_early(stage: Stage, kind: str) -> None:
    version, held = stage.bring(kind, Status.SCHEDULED)
    with forged():
        make_way(version)
        refuse(put_live(version), LIVE_ONLY)
        assert held.go_live_at is not None
        later = f"{held.go_live_at + timedelta(seconds=1):%Y-%m-%d %H:%M:%S}"
        allow(put_live(version, live_from=later))


@each_kind
def test_a_waiver_holds_while_the_program_asks_for_no_approval(
    stage: Stage, kind: str
) -> None:
    version, held = stage.bring(kind, Status.PENDING_APPROVAL)
    with forged():
        make_way(version)
        run(decide(held, Kind.WAIVED, stage.olga))
        refuse(put_live(version), LIVE_ONLY)


@each_kind
def test_a_waiver_is_good_where_approval_is_off(stage: Stage, kind: str) -> None:
    switch_approval(stage.program, required=False, by=stage.olga, reviewer=stage.rhea)
    version, held = stage.bring(kind, Status.PENDING_APPROVAL)
    with forged():
        make_way(version)
        run(decide(held, Kind.WAIVED, stage.olga))
        allow(put_live(version))


def test_switching_approval_on_may_be_waived_and_switching_it_off_may_not(
    stage: Stage,
) -> None:
    def draft(required: bool) -> tuple[Any, ChangeSet]:
        version = lifecycle.draft_change(
            stage.live("program"),
            by=stage.olga,
            changes={"approval_required": required},
        )
        return version, stage.submitted(version)

    off, held = draft(False)
    with forged():
        make_way(off)
        run(decide(held, Kind.WAIVED, stage.olga))
        refuse(put_live(off), LIVE_ONLY)
    stage.approve(held)
    on, held = draft(True)
    with forged():
        make_way(on)
        run(decide(held, Kind.WAIVED, stage.olga))
        allow(put_live(on))


def test_a_waived_draft_goes_live_with_the_hash_that_was_waived(stage: Stage) -> None:
    switch_approval(stage.program, required=False, by=stage.olga, reviewer=stage.rhea)
    version = stage.draft("tier")
    other = stage.draft("tier group")
    with forged():
        held = ChangeSet.objects.create(
            program_id=stage.program.pk, fingerprint="f", created_at=timezone.now()
        )
        digest = fingerprint.content_hash(version)
        ChangeSetItem.objects.create(
            change_set=held,
            kind="tier",
            version_id=version.pk,
            operation="SET",
            label="Gold",
            content={},
            schema=1,
            content_hash=digest,
        )
        run(decide(held, Kind.WAIVED, stage.olga))
        make_way(version)
        make_way(other)
        refuse(put_live(version, change_set_id=held.pk, content_hash="0"), LIVE_ONLY)
        refuse(put_live(other, change_set_id=held.pk, content_hash=digest), LIVE_ONLY)
        allow(put_live(version, change_set_id=held.pk, content_hash=digest))


def test_nothing_joins_a_change_set_after_its_decision(stage: Stage) -> None:
    version, held = stage.bring("tier", Status.PENDING_APPROVAL)
    other = stage.draft("tier group")
    stowaway = insert(
        ChangeSetItem,
        change_set_id=held.pk,
        kind="tier group",
        version_id=other.pk,
        operation="SET",
        label="Stowaway",
        content="{}",
        schema=1,
        content_hash="0" * 64,
    )
    allow(stowaway)
    stage.approve(held)
    refuse(stowaway, "takes no more items")


@each_kind
def test_nobody_swaps_the_content_under_a_reviewers_eyes(
    stage: Stage, kind: str
) -> None:
    version, held = stage.bring(kind, Status.PENDING_APPROVAL)
    reopen = (
        f"UPDATE {version._meta.db_table} SET status = '{Status.DRAFT}', "
        f"change_set_id = NULL, content_hash = '' WHERE id = {version.pk}"
    )
    refuse(reopen, "becomes a draft again only when its change set is taken back")
    with forged():
        run(
            f"UPDATE {ChangeSet._meta.db_table} SET voided_at = {literal(now())} "
            f"WHERE id = {held.pk}"
        )
        allow(reopen)


# Moving


@each_kind
@pytest.mark.parametrize("old", Status)
def test_statuses_move_as_the_table_allows_and_no_other_way(
    stage: Stage, kind: str, old: str
) -> None:
    version, _ = stage.bring(kind, old)
    refused = "cannot move from that status to this one"
    with forged():
        take_away(lambda guard: guard.name == "moves")
        for new in set(Status) - {old}:
            sql = (
                f"UPDATE {version._meta.db_table} SET status = '{new}' "
                f"WHERE id = {version.pk}"
            )
            if (old, new) not in ALLOWED_MOVES:
                refuse(sql, refused)
                continue
            try:
                with forged():
                    run(sql)
            except (sqlite3.IntegrityError, psycopg.IntegrityError) as other:
                # Let through by this guard; constraints want more columns set.
                assert refused not in str(other)  # noqa: PT017


@each_kind
def test_a_version_is_born_as_a_draft_and_never_goes_away(
    stage: Stage, kind: str
) -> None:
    live = stage.live(kind)
    table = live._meta.db_table
    columns = ", ".join(
        f'"{field.column}"'
        for field in live._meta.concrete_fields
        if field.name not in ("id", "number", "object_id", "status", "live_until")
    )
    copy = (
        f"INSERT INTO {table} (number, object_id, status, live_until, {columns}) "
        f"SELECT 99, 'copied', '%s', {literal(now())}, {columns} FROM {table} "
        f"WHERE id = {live.pk}"
    )
    for status in set(Status) - {Status.DRAFT}:
        refuse(copy % status, f"A {kind} version starts as a draft")
    version = stage.draft(kind)
    for pk in (live.pk, version.pk):
        refuse(f"DELETE FROM {table} WHERE id = {pk}", "are kept")
    with forged():
        take_away(lambda guard: guard.name != "kept")
        allow(f"DELETE FROM {table} WHERE id = {version.pk}")


# Staying the same


def another(field: Any, value: Any) -> Any:
    """Return a value that ``field`` could hold and does not hold now."""
    if isinstance(field, models.BooleanField):
        return not value
    if isinstance(field, models.ForeignKey):
        others = field.related_model._default_manager.exclude(pk=value)
        return others.values_list("pk", flat=True).first()
    if isinstance(field, models.JSONField):
        return [*value, 1] if isinstance(value, list) else {"changed": True}
    if isinstance(field, models.DateTimeField):
        return timezone.now()
    if isinstance(field, models.CharField | models.TextField):
        return f"{value}x"[-(field.max_length or 99) :]
    return (value or 0) + 1


@each_kind
@pytest.mark.parametrize("status", Status)
def test_what_a_version_says_is_frozen_outside_draft(
    stage: Stage, kind: str, status: str
) -> None:
    version, _ = stage.bring(kind, status)
    row = type(version)._default_manager.filter(pk=version.pk)
    frozen = f"A {kind} version changes only while it is a draft"
    for name in version.CONTENT:
        field = version._meta.get_field(name)
        change = {name: another(field, getattr(version, field.attname))}
        if status == Status.DRAFT:
            with forged():
                assert row.update(**change) == 1
            continue
        with pytest.raises(IntegrityError, match=frozen), transaction.atomic():
            row.update(**change)


@each_kind
def test_an_identity_is_for_ever(stage: Stage, kind: str) -> None:
    version = stage.draft(kind)
    table = version._meta.db_table
    for change in (
        "id = 99999",
        "number = 99",
        "object_id = 'other'",
        "operation = 'RETIRE'",
        "direct = TRUE",
        f"{version.THING}_id = 99999",
    ):
        refuse(f"UPDATE {table} SET {change} WHERE id = {version.pk}", "changes only")
    allow(f"UPDATE {table} SET note = 'Hm.' WHERE id = {version.pk}")


@each_kind
def test_how_a_version_went_live_does_not_change(stage: Stage, kind: str) -> None:
    stage.bring(kind, Status.SNAPSHOT)
    rows = type(stage.live(kind))._default_manager.filter(live_from__isnull=False)
    assert {row.status for row in rows} == {Status.LIVE, Status.SNAPSHOT}
    for row in rows:
        changes = {
            "live_from": now(),
            "note": "Rewritten.",
            "change_set_id": None,
            "approved_by_id": stage.olga.pk,
            "approved_at": now(),
            "submitted_by_id": stage.rhea.pk,
            "created_by_id": stage.rhea.pk,
            **({"live_until": now()} if row.live_until else {}),
        }
        for column, value in changes.items():
            if str(getattr(row, column)) == str(value):
                continue
            refuse(
                f"UPDATE {row._meta.db_table} SET {column} = {literal(value)} "
                f"WHERE id = {row.pk}",
                "went live does not change",
            )


@each_kind
def test_a_hash_and_a_base_are_set_when_it_is_submitted(
    stage: Stage, kind: str
) -> None:
    version, _ = stage.bring(kind, Status.PENDING_APPROVAL)
    update = f"UPDATE {version._meta.db_table} SET %s WHERE id = {version.pk}"
    refuse(update % "content_hash = '0'", "set when it is submitted")
    refuse(update % "based_on_id = NULL", "changes only")
    failed, _ = Stage.bring(
        stage, "tier" if kind != "tier" else "program", "PUBLISH_FAILED"
    )
    # Trying again puts a change on what is live by then.
    allow(
        f"UPDATE {failed._meta.db_table} SET based_on_id = NULL WHERE id = {failed.pk}"
    )


# Records


def test_records_of_what_happened_are_only_ever_added_to(stage: Stage) -> None:
    _, held = stage.bring("tier", Status.LIVE)
    records: list[models.Model] = [
        held.decision,
        held.items.all()[0],
        Contribution.objects.all()[0],
        AuditEvent.objects.all()[0],
    ]
    for record in records:
        table = record._meta.db_table
        for field in record._meta.concrete_fields:
            refuse(
                f'UPDATE {table} SET "{field.column}" = "{field.column}" '
                f"WHERE id = {record.pk}",
                "is append-only",
            )
        refuse(f"DELETE FROM {table} WHERE id = {record.pk}", "is append-only")
        with forged():
            take_away(lambda guard: guard.name != "append_only")
            allow(f'UPDATE {table} SET "id" = "id" WHERE id = {record.pk}')


def test_what_was_submitted_and_how_it_ended_does_not_change(stage: Stage) -> None:
    _, waiting = stage.bring("tier", Status.PENDING_APPROVAL)
    table = ChangeSet._meta.db_table
    for column, value in {
        "program_id": 99,
        "note": "Other.",
        "go_live_at": now(),
        "roll_out": "x",
        "fingerprint": "0",
        "created_at": "2020-01-01",
        "created_by_id": stage.rhea.pk,
    }.items():
        refuse(
            f"UPDATE {table} SET {column} = {literal(value)} WHERE id = {waiting.pk}",
            "and how that ended, does not change",
        )
    allow(f"UPDATE {table} SET due_at = {literal(now())} WHERE id = {waiting.pk}")
    refuse(f"DELETE FROM {table} WHERE id = {waiting.pk}", "Change sets are kept")


@pytest.mark.parametrize(
    ("status", "columns"),
    [
        (Status.LIVE, ["published_at", "due_at"]),
        (Status.DRAFT, ["voided_at", "voided_by_id", "void_reason"]),
        (Status.PUBLISH_FAILED, ["failed_at", "failure"]),
    ],
)
def test_a_change_set_ends_once(stage: Stage, status: str, columns: list[str]) -> None:
    _, held = stage.bring("tier", status)
    for column in columns:
        value = stage.rhea.pk if column.endswith("_id") else now()
        refuse(
            f"UPDATE {ChangeSet._meta.db_table} SET {column} = {literal(value)} "
            f"WHERE id = {held.pk}",
            "and how that ended, does not change",
        )


# Other ways to write


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite cannot truncate.")
@pytest.mark.django_db
def test_no_table_is_truncated() -> None:
    tables = {guard.table for guard in triggers.guards() if "DELETE" in guard.events}
    assert len(tables) > 9
    for table in sorted(tables):
        refuse(f"TRUNCATE {table} CASCADE", "kept|append-only|brought up to date")
    with forged():
        triggers.uninstall(connection)
        run(f"TRUNCATE {', '.join(sorted(tables))} CASCADE")


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL has no REPLACE.")
@pytest.mark.parametrize(
    "verb", ["INSERT OR REPLACE", "REPLACE", "INSERT OR IGNORE", "INSERT OR FAIL"]
)
def test_replacing_a_row_is_refused_as_deleting_it_is(stage: Stage, verb: str) -> None:
    _, held = stage.bring("tier", Status.LIVE)
    draft = stage.draft("tier group")
    rows: list[Any] = [held.decision, held.items.all()[0], draft]
    for row in (*rows, AuditEvent.objects.all()[0]):
        table = row._meta.db_table
        before = type(row)._default_manager.filter(pk=row.pk).values().get()
        sql = f"{verb} INTO {table} SELECT * FROM {table} WHERE id = {row.pk}"
        if "REPLACE" in verb:
            refuse(sql, "append-only|kept|takes no more items|exactly what waits")
        else:
            # Whatever it says, the row stays as it was.
            try:
                with transaction.atomic():
                    run(sql)
            except sqlite3.IntegrityError:
                pass
        assert type(row)._default_manager.filter(pk=row.pk).values().get() == before


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL has no REPLACE.")
@pytest.mark.parametrize(
    "clause", ["OR REPLACE", "OR IGNORE", "OR FAIL", "OR ROLLBACK"]
)
def test_a_conflict_clause_does_not_get_around_a_guard(
    stage: Stage, clause: str
) -> None:
    version, _ = stage.bring("tier", Status.PENDING_APPROVAL)
    with pytest.raises(sqlite3.IntegrityError, match=LIVE_ONLY), transaction.atomic():
        run(put_live(version).replace("UPDATE", f"UPDATE {clause}", 1))


@each_kind
def test_the_orm_has_no_way_around_a_guard(stage: Stage, kind: str) -> None:
    version, held = stage.bring(kind, Status.PENDING_APPROVAL)
    table = type(version)._default_manager
    version.status, version.live_from = Status.LIVE, timezone.now()
    routes: list[Callable[[], object]] = [
        lambda: table.filter(pk=version.pk).update(
            status=Status.LIVE, live_from=timezone.now()
        ),
        lambda: table.bulk_update([version], ["status", "live_from"]),
        lambda: version.save(),
        lambda: version.save(update_fields=["status", "live_from"]),
        lambda: version.delete(),
        lambda: table.filter(pk=version.pk).delete(),
        lambda: table.filter(pk=version.pk)._raw_delete("default"),
        lambda: table.bulk_create([type(version)(**copy_of(version, Status.LIVE))]),
        lambda: held.items.all().delete(),
        lambda: held.items.all()._raw_delete("default"),
        lambda: held.items.update(content_hash="0"),
        lambda: held.delete(),
        lambda: AuditEvent.objects.update(actor_name="nobody"),
        lambda: Contribution.objects.all().delete(),
    ]
    before = table.filter(pk=version.pk).values().get()
    for route in routes:
        with pytest.raises((IntegrityError, models.ProtectedError)):
            with transaction.atomic():
                route()
    assert table.filter(pk=version.pk).values().get() == before


def copy_of(version: Any, status: str) -> dict[str, Any]:
    values = {
        f.attname: getattr(version, f.attname) for f in version._meta.concrete_fields
    }
    return values | {"id": None, "number": 99, "object_id": "copied", "status": status}


def test_every_kind_of_version_is_guarded() -> None:
    guarded = {guard.table for guard in triggers.guards() if guard.name == "four_eyes"}
    assert {kind.version._meta.db_table for kind in kinds.all_kinds()} < guarded
