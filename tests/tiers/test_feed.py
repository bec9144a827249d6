"""Whoever polls for tier changes sees each of them once, whoever commits when."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction

from loyalty import points
from loyalty.models import Member
from tests import factories
from tests.counts import count
from tests.races import somebody_waits
from tiers import feed
from tiers.models import TierEvent

Poll = Callable[[], list[int]]


@pytest.fixture
def members(group: Any) -> list[Member]:
    return [factories.make_member(group.program) for _ in range(6)]


def events() -> Any:
    return TierEvent.objects.all()


def seen(position: int = 0, limit: int = 10, **filters: Any) -> tuple[list[int], int]:
    """Return whom a page tells of, and where the next one goes on."""
    page = feed.after(position, events().filter(**filters), among=events(), limit=limit)
    last = page.events[-1].position if page.events else position
    return [event.member_id for event in page.events], last or 0


# In order


@pytest.mark.django_db
def test_events_come_once_and_in_the_order_in_which_they_happened(members):
    for member in members[:3]:
        factories.earn(member, 500)
    ids = [member.pk for member in members]

    first, position = seen(limit=2)
    second, position = seen(position)
    assert (first, second) == (ids[:2], ids[2:3])

    assert seen(position)[0] == []
    factories.earn(members[3], 500)
    assert seen(position)[0] == ids[3:4]
    assert seen()[0] == ids[:4]


@pytest.mark.django_db
def test_who_wants_some_events_only_leaves_the_others_in_their_order(members):
    member = members[0]
    factories.earn(member, 500)
    factories.earn(members[1], 500)
    factories.earn(member, 500)
    # Its reader sees the second of the member's events before anybody sees the first.
    gold = factories.live_tier(member.program.tier_groups.get(), "Gold").tier_id

    assert seen(to_tier=gold)[0] == [member.pk]
    assert seen()[0] == [member.pk, members[1].pk, member.pk]


@pytest.mark.django_db
def test_a_page_says_whether_more_are_there(members, monkeypatch):
    monkeypatch.setattr(feed, "AT_ONCE", 2)
    for member in members[:5]:
        factories.earn(member, 500)
    read, position = [], 0
    for goes_on in (True, True, False, False):
        page = feed.after(position, events(), among=events(), limit=4)
        assert page.goes_on is goes_on
        read += [event.member_id for event in page.events]
        position = page.events[-1].position or 0 if page.events else position
    assert read == [member.pk for member in members[:5]]


@pytest.mark.django_db
def test_polling_costs_one_query_more_when_nothing_is_new(
    members, django_assert_num_queries
):
    for member in members[:3]:
        factories.earn(member, 500)
    # a page, what is new; savepoint, the last position, the oldest, update, release;
    # the page again. PostgreSQL takes its lock besides.
    with django_assert_num_queries(9 if connection.vendor == "postgresql" else 8):
        _ids, position = seen()
    with django_assert_num_queries(1):
        seen(0, limit=2)
    with django_assert_num_queries(2):
        seen(position)


# At once

racing = pytest.mark.django_db(transaction=True)


class Pause:
    """A transaction that is as good as over, and waits for a word to commit."""

    def __init__(self, act: Callable[[], Any]) -> None:
        self.act = act
        self.done, self.go_on = threading.Event(), threading.Event()
        self.pool = ThreadPoolExecutor(1)
        self.future = self.pool.submit(self._run)
        assert self.done.wait(20)

    def _run(self) -> None:
        try:
            with transaction.atomic():
                self.act()
                self.done.set()
                assert self.go_on.wait(20)
        finally:
            connection.close()

    def commit(self) -> None:
        self.go_on.set()
        self.future.result()
        self.pool.shutdown()


def by_position() -> Poll:
    position = 0

    def poll() -> list[int]:
        nonlocal position
        ids, position = seen(position, limit=1000)
        return ids

    return poll


def by_id() -> Poll:
    """The control: how one would poll without positions."""
    last = 0

    def poll() -> list[int]:
        nonlocal last
        found = list(events().filter(pk__gt=last).order_by("pk"))
        last = found[-1].pk if found else last
        return [event.member_id for event in found]

    return poll


def take_back(member: Member, amount: int) -> None:
    points.adjust(
        member,
        factories.definition_of(member.program),
        -amount,
        reference=str(uuid4()),
        source="tests",
        by=None,
    )


def overtaken(members: list[Member], poll: Poll) -> list[int]:
    """Poll while an event with a smaller id has not been committed yet."""
    slow = Pause(lambda: factories.earn(members[0], 500))
    factories.earn(members[1], 500)
    read = poll()
    assert read == [members[1].pk]
    slow.commit()
    return read + poll()


@racing
@pytest.mark.postgres
def test_an_event_that_is_committed_late_is_read_late(members):
    assert overtaken(members, by_position()) == [members[1].pk, members[0].pk]


@racing
@pytest.mark.postgres
def test_by_their_ids_it_would_be_skipped(members):
    assert overtaken(members, by_id()) == [members[1].pk]


def polled_while_posting(members: list[Member], polls: list[Poll]) -> list[list[int]]:
    """Let everybody move up and down in threads, and some poll; return what each read."""
    finished = threading.Event()

    def post(member: Member) -> None:
        try:
            for _ in range(count(6, 40)):
                factories.earn(member, 500)
                take_back(member, 500)
        finally:
            connection.close()

    def read(poll: Poll) -> list[int]:
        try:
            found = []
            # As often as anybody would; polling all the time, two alone keep SQLite busy.
            while not finished.wait(0.01):
                found += poll()
            # What somebody else gave a position just behind the first look, the next
            # one finds: late, and never not at all.
            return found + poll() + poll()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(members) + len(polls)) as pool:
        readers = [pool.submit(read, poll) for poll in polls]
        writers = [pool.submit(post, member) for member in members]
        try:
            for writer in writers:
                writer.result(120)
        finally:
            finished.set()
        return [reader.result(60) for reader in readers]


@racing
@pytest.mark.proof
def test_pollers_miss_nothing_while_many_post(members):
    told = polled_while_posting(members, [by_position(), by_position()])
    everything = sorted(events().values_list("member_id", flat=True))
    assert len(everything) >= 2 * 6 * len(members)
    for read in told:
        assert sorted(read) == everything


@racing
@pytest.mark.postgres
@pytest.mark.proof
def test_two_who_give_positions_wait_for_each_other(members):
    for member in members:
        factories.earn(member, 500)
    first = Pause(lambda: feed.give_positions(events()))
    with ThreadPoolExecutor(1) as pool:
        second = pool.submit(given, events())
        wait_for_one_who_waits()
        first.commit()
        assert second.result(20) == ""
    assert seen()[0] == [member.pk for member in members]


@racing
@pytest.mark.postgres
@pytest.mark.proof
def test_without_the_lock_they_would_give_one_twice(members, monkeypatch):
    monkeypatch.setattr(feed, "_lock", lambda: None)
    half = [member.pk for member in members[:3]]
    for member in members:
        factories.earn(member, 500)
    first = Pause(
        lambda: feed.give_positions(TierEvent.objects.filter(member__in=half))
    )
    with ThreadPoolExecutor(1) as pool:
        others = TierEvent.objects.exclude(member__in=half)
        second = pool.submit(given, others)
        wait_for_one_who_waits()
        first.commit()
        assert "tier_event_has_a_position_of_its_own" in second.result(20)


def given(some: Any) -> str:
    try:
        feed.give_positions(some)
    except Exception as problem:
        return str(problem)
    finally:
        connection.close()
    return ""


def wait_for_one_who_waits() -> None:
    for _ in range(200):
        if somebody_waits():
            return
        time.sleep(0.05)
    pytest.fail("Nobody waits.")
