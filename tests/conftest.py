"""What every test may rely on."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import TransactionTestCase
from playwright.sync_api import Browser, Page, sync_playwright
from pytest_django.live_server_helper import LiveServer

from approvals import lifecycle, triggers
from loyalty.models import Program
from tests import factories
from tiers.models import TierGroup, TierVersion


def pytest_configure() -> None:
    # Real password hashing costs a tenth of a second a user, on purpose.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    # Workers of one run share a Valkey: to each its own database of it.
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    if "OPTIONS" in settings.CACHES["default"]:
        settings.CACHES["default"]["OPTIONS"]["db"] = 1 + int(worker)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs PostgreSQL where there is none; ``make test`` brings it."""
    if settings.DATABASES["default"]["ENGINE"].endswith("postgresql"):
        return
    for item in items:
        if item.get_closest_marker("postgres"):
            item.add_marker(pytest.mark.skip(reason="This needs PostgreSQL."))


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Put SQLite's test database into a file: threads and WAL work as they do live."""
    database = settings.DATABASES["default"]
    if database["ENGINE"].endswith("sqlite3"):
        folder = tmp_path_factory.mktemp("database")
        database["TEST"]["NAME"] = str(folder / "tests.sqlite3")


@contextmanager
def _triggers_off(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Let a session do what triggers refuse; on PostgreSQL they stay where they are."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = replica")
        yield
        with connection.cursor() as cursor:
            cursor.execute("RESET session_replication_role")
    else:
        triggers.uninstall(connection)
        yield
    triggers.install(connection)


def _flush_without_triggers(case: TransactionTestCase) -> None:
    """Let the flush after a test empty tables that are append-only otherwise."""
    with _triggers_off(connections[DEFAULT_DB_ALIAS]):
        _flush(case)


_flush = TransactionTestCase._fixture_teardown  # type: ignore[attr-defined]
TransactionTestCase._fixture_teardown = _flush_without_triggers  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def _empty_cache() -> Iterator[None]:
    yield
    cache.clear()


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the path of Debian's browser; CI never goes without it."""
    path = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    if not Path(path).exists():
        message = f"There is no browser at {path}: install chromium, or set CHROMIUM."
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return path


# The cast. Everybody's password is "demo".


@pytest.fixture
def maya(db: None) -> User:
    """The maker."""
    return factories.make_maker("maya")


@pytest.fixture
def chen(db: None) -> User:
    """The reviewer."""
    return factories.make_reviewer("chen")


@pytest.fixture
def aude(db: None) -> User:
    """The auditor, who reads."""
    return factories.make_auditor("aude")


@pytest.fixture
def program(maya: User) -> Program:
    """A program that asks for approval."""
    return factories.make_program(maya)


@pytest.fixture
def group(program: Program, maya: User, chen: User) -> TierGroup:
    """Bronze for everybody, Silver from 500, Gold from 1,000; all live."""
    return factories.make_group(program, by=maya, reviewer=chen)


@pytest.fixture
def draft(group: TierGroup, maya: User) -> TierVersion:
    """Maya's draft that raises Gold to 1,200."""
    gold = factories.live_tier(group, "Gold")
    version: TierVersion = lifecycle.draft_change(
        gold, by=maya, changes={"threshold": 1200}
    )
    return version


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # Playwright keeps an event loop in this thread, in which Django would refuse
        # to talk to the database.
        os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
        # Chromium's sandbox does not work as root, which CI is.
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox"]
        )
        yield browser
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def page(browser: Browser, live_server: LiveServer) -> Iterator[Page]:
    """A page of a fresh browser profile, with addresses relative to the live server."""
    context = browser.new_context(base_url=live_server.url)
    yield context.new_page()
    context.close()
