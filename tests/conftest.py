"""What every test may rely on."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import TransactionTestCase
from playwright.sync_api import Browser, Page, sync_playwright
from pytest_django import DjangoDbBlocker
from pytest_django.live_server_helper import LiveServer

from approvals import lifecycle
from loyalty.models import Program
from tests import factories, scenes
from tiers.models import TierGroup, TierVersion


def pytest_configure() -> None:
    # Real password hashing costs a tenth of a second a user, on purpose.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    # Workers of one run share a Valkey: to each its own database of it.
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    if "OPTIONS" in settings.CACHES["default"]:
        settings.CACHES["default"]["OPTIONS"]["db"] = 1 + int(worker)


# First, so that -m knows the mark.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what asks for the database; skip what needs PostgreSQL where there is none.

    ``make test`` brings PostgreSQL, and runs there what is marked.
    """
    has_postgresql = settings.DATABASES["default"]["ENGINE"].endswith("postgresql")
    for item in items:
        if asks_for_the_database(item):
            item.add_marker(pytest.mark.database)
        if item.get_closest_marker("postgres") and not has_postgresql:
            item.add_marker(pytest.mark.skip(reason="This needs PostgreSQL."))


def asks_for_the_database(item: pytest.Item) -> bool:
    """Tell by its marks and fixtures; pytest-django refuses queries to all others."""
    marked = any(item.get_closest_marker(mark) for mark in ("django_db", "postgres"))
    fixtures = {"_django_db_helper", "live_server"}
    return marked or not fixtures.isdisjoint(getattr(item, "fixturenames", ()))


def pytest_collection_finish() -> None:
    # What is imported by now stays to the end: a fifth of the suite's time went into
    # looking through all of it for garbage, again and again.
    gc.collect()
    gc.freeze()


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


@pytest.fixture(scope="session")
def theatre(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[scenes.Theatre]:
    """Put the next test's scene on where Django would empty all tables after a test."""
    with django_db_blocker.unblock():
        theatre = scenes.Theatre()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            TransactionTestCase,
            "_fixture_teardown",
            lambda case: theatre.leave_in_disorder(),
        )
        yield theatre


@pytest.fixture
def scene(
    request: pytest.FixtureRequest,
    theatre: scenes.Theatre,
    django_db_blocker: DjangoDbBlocker,
) -> dict[str, Any]:
    """What the test's kept fixtures made, by their names."""
    with django_db_blocker.unblock():
        return theatre.put_on(scenes.makers_for(request))


@pytest.fixture
def _django_db_helper(scene: dict[str, Any], _django_db_helper: None) -> None:
    """Put the scene on before pytest-django begins the test's transaction."""


@pytest.fixture(autouse=True)
def _database_first(request: pytest.FixtureRequest) -> None:
    """Set the database up before other fixtures stop the clock, or do other mischief."""
    if "_django_db_helper" in request.fixturenames:
        request.getfixturevalue("_django_db_helper")


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


@scenes.kept
def maya() -> User:
    """The maker."""
    return factories.make_maker("maya")


@scenes.kept
def chen() -> User:
    """The reviewer."""
    return factories.make_reviewer("chen")


@scenes.kept
def aude() -> User:
    """The auditor, who reads."""
    return factories.make_auditor("aude")


@scenes.kept
def program(maya: User) -> Program:
    """A program that asks for approval."""
    return factories.make_program(maya)


@scenes.kept
def group(program: Program, maya: User, chen: User) -> TierGroup:
    """Bronze for everybody, Silver from 500, Gold from 1,000; all live."""
    return factories.make_group(program, by=maya, reviewer=chen)


@scenes.kept
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
