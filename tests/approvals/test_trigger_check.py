"""The database has exactly the triggers that the code expects, or a check says so."""

from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.test import override_settings

from approvals import checks, triggers
from approvals.models import ChangeSet
from tiers.models import TierVersion

NAME = "guard_tiers_tierversion_four_eyes"

on_postgresql = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="Only PostgreSQL has such triggers."
)
on_sqlite = pytest.mark.skipif(
    connection.vendor != "sqlite", reason="Only SQLite has such triggers."
)


def problems() -> list[str]:
    found = checks.triggers_are_in_place(None, databases=["default"])
    assert {message.id for message in found} <= {"approvals.E001"}
    return [message.msg for message in found]


def run(*statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@pytest.fixture(autouse=True)
def _all_in_place_before_and_after_migrating(db: None) -> None:
    assert problems() == []


def assert_mended_by_migrate(*expected: str) -> None:
    assert sorted(problems()) == sorted(expected)
    # As at the prompt, where a command's own checks come first.
    call_command("migrate", verbosity=0, skip_checks=False)
    assert problems() == []


@on_sqlite
def test_a_dropped_trigger_is_missed_on_sqlite() -> None:
    run(f"DROP TRIGGER {NAME}_update")
    assert_mended_by_migrate(f"Trigger {NAME}_update is missing.")


@on_sqlite
def test_an_altered_trigger_is_noticed_on_sqlite() -> None:
    run(
        f"DROP TRIGGER {NAME}_update",
        f"CREATE TRIGGER {NAME}_update BEFORE UPDATE ON tiers_tierversion "
        "WHEN 1 = 0 BEGIN SELECT RAISE(ABORT, 'Never.'); END",
    )
    assert_mended_by_migrate(f"Trigger {NAME}_update is not as expected.")


@on_sqlite
def test_an_unknown_trigger_is_noticed_on_sqlite() -> None:
    run(
        "CREATE TRIGGER guard_of_old BEFORE UPDATE ON tiers_tierversion "
        "BEGIN SELECT 1; END"
    )
    assert_mended_by_migrate("Trigger guard_of_old is unknown.")


@on_postgresql
@pytest.mark.parametrize("suffix", ["four_eyes", "kept", "kept_t"])
def test_a_dropped_trigger_is_missed_on_postgresql(suffix: str) -> None:
    run(f"DROP TRIGGER guard_tiers_tierversion_{suffix} ON tiers_tierversion")
    assert_mended_by_migrate(f"Trigger guard_tiers_tierversion_{suffix} is missing.")


@on_postgresql
@pytest.mark.parametrize("how", ["DISABLE TRIGGER", "ENABLE REPLICA TRIGGER"])
def test_a_trigger_that_is_switched_off_is_missed(how: str) -> None:
    run(f"ALTER TABLE tiers_tierversion {how} {NAME}")
    assert_mended_by_migrate(f"Trigger {NAME} is missing.")


@on_postgresql
@pytest.mark.parametrize(
    ("events", "when", "problem"),
    [
        ("UPDATE OF note", "", "missing"),
        ("UPDATE", "WHEN (OLD.id < 0)", "missing"),
        ("INSERT", "", "not as expected"),
    ],
)
def test_a_trigger_that_looks_less_often_is_noticed(
    events: str, when: str, problem: str
) -> None:
    run(
        f"DROP TRIGGER {NAME} ON tiers_tierversion",
        f"CREATE TRIGGER {NAME} BEFORE {events} ON tiers_tierversion FOR EACH ROW "
        f"{when} EXECUTE FUNCTION {NAME}()",
    )
    assert_mended_by_migrate(f"Trigger {NAME} is {problem}.")


@on_postgresql
def test_an_altered_function_is_noticed() -> None:
    run(
        f"CREATE OR REPLACE FUNCTION {NAME}() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN RETURN NEW; END'"
    )
    assert_mended_by_migrate(f"Trigger {NAME} is not as expected.")


@on_postgresql
def test_an_unknown_trigger_is_noticed_on_postgresql() -> None:
    run(
        "CREATE FUNCTION guard_of_old() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN RETURN NEW; END'",
        "CREATE TRIGGER guard_of_old BEFORE UPDATE ON tiers_tierversion "
        "FOR EACH ROW EXECUTE FUNCTION guard_of_old()",
    )
    assert_mended_by_migrate("Trigger guard_of_old is unknown.")


def test_a_database_without_our_tables_has_nothing_to_report(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection.introspection, "table_names", lambda: [])
    triggers.uninstall(connection)
    assert problems() == []


@pytest.mark.django_db(transaction=True)
def test_a_migration_that_remakes_tables_leaves_everything_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alter tables that triggers of other tables name, as a later release may."""
    package = tmp_path / "later_migrations"
    package.mkdir()
    (package / "__init__.py").touch()
    names = sorted(
        name
        for app, name in MigrationLoader(None).disk_migrations
        if app == "approvals"
    )
    for name in names:
        (package / f"{name}.py").write_text(
            "import importlib\n"
            f"module = importlib.import_module('approvals.migrations.{name}')\n"
            "Migration = module.Migration\n"
        )
    (package / "9999_later.py").write_text(
        "from django.db import migrations, models\n"
        "class Migration(migrations.Migration):\n"
        f"    dependencies = [('approvals', '{names[-1]}')]\n"
        "    operations = [\n"
        "        migrations.AlterField('changeset', 'note', models.TextField(null=True)),\n"
        "        migrations.AlterField('contribution', 'role',\n"
        "                              models.CharField(max_length=20)),\n"
        "    ]\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    with override_settings(MIGRATION_MODULES={"approvals": "later_migrations"}):
        try:
            call_command("migrate", "approvals", verbosity=0)
            assert null_allowed(ChangeSet._meta.db_table, "note")
            assert problems() == []
        finally:
            call_command("migrate", "approvals", names[-1], verbosity=0)
    assert not null_allowed(ChangeSet._meta.db_table, "note")
    assert problems() == []


def null_allowed(table: str, column: str) -> bool:
    with connection.cursor() as cursor:
        description = connection.introspection.get_table_description(cursor, table)
    return next(bool(field.null_ok) for field in description if field.name == column)


def test_the_looked_at_triggers_are_of_the_tables_that_they_should_be_on() -> None:
    tables = {guard.table for guard in triggers.guards()}
    assert {TierVersion._meta.db_table, ChangeSet._meta.db_table} < tables
