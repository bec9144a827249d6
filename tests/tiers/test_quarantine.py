"""A member that cannot be judged holds up nobody else."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import OperationalError, connection
from django.test import Client
from django.urls import reverse

from approvals import lifecycle, ui
from approvals.admin.drafts import lifecycle_url
from approvals.models import AuditEvent
from loyalty.models import Member
from tests import factories
from tiers import assignment, judging, runs
from tiers.models import MemberSetAside, Run, Standing, TierGroup
from tiers.models.runs import ATTEMPTS
from tiers.quarantine import PAUSE

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)

Poison = Callable[[Member | None], Any]


@pytest.fixture(autouse=True)
def clock() -> Iterator[Any]:
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


@pytest.fixture
def poison(monkeypatch: pytest.MonkeyPatch) -> Poison:
    """Have the engine break on a member, after it has written for others."""
    judge = judging.catch_up

    def break_on(member: Member | None) -> list[list[int]]:
        asked: list[list[int]] = []

        def catch_up(program_id: int, ids: Any, as_of: datetime) -> Any:
            asked.append(list(ids))
            moves = judge(program_id, ids, as_of)
            if member is not None and member.pk in ids:
                with connection.cursor() as cursor:
                    # What the database refuses too spoils its transaction.
                    cursor.execute("INSERT INTO tiers_standing DEFAULT VALUES")
            return moves

        monkeypatch.setattr(judging, "catch_up", catch_up)
        return asked

    return break_on


@pytest.fixture
def members(group: TierGroup) -> list[Member]:
    """Nine marked members with 1,000 points each, which make them Gold."""
    members = [factories.make_member(group.program) for _ in range(9)]
    for member in members:
        factories.earn(member, 1000)
    Member.objects.update(marked_at=NOW)
    return members


def judged() -> set[int]:
    """Whose mark is gone."""
    return set(Member.objects.filter(marked_at=None).values_list("pk", flat=True))


def tick(group: TierGroup, at: datetime) -> assignment.Report:
    return assignment.recalculate(group.program, as_of=at)


@pytest.mark.django_db
def test_all_but_the_one_who_breaks_it_are_judged(
    group: TierGroup, members: list[Member], poison: Poison
) -> None:
    asked = poison(members[4])
    report = tick(group, NOW)
    assert not report.broke_off
    assert judged() == {m.pk for m in members} - {members[4].pk}
    # All nine; four and five; of the five two and three, of the two one and one.
    assert sorted(map(len, asked)) == [1, 1, 2, 3, 4, 5, 9]
    row = MemberSetAside.objects.get()
    assert row.member == members[4]
    assert (row.since, row.tried_at, row.attempts) == (NOW, NOW, 1)
    assert row.retry_at == NOW + PAUSE
    assert row.failure.startswith("IntegrityError: ")


@pytest.mark.django_db
def test_they_are_left_alone_for_a_while_then_tried_then_left_to_a_person(
    group: TierGroup, members: list[Member], poison: Poison, clock: Any
) -> None:
    poison(members[0])
    tick(group, NOW)
    asked = poison(members[0])
    tick(group, NOW + PAUSE - timedelta(seconds=1))
    assert asked == []
    for attempt in range(1, ATTEMPTS):
        at = NOW + attempt * PAUSE
        clock.move_to(at, tick=False)
        asked = poison(members[0])
        tick(group, at)
        assert asked == [[members[0].pk]]
        assert MemberSetAside.objects.get().attempts == attempt + 1
    row = MemberSetAside.objects.get()
    assert (row.since, row.tried_at, row.retry_at) == (NOW, at, None)
    asked = poison(members[0])
    tick(group, at + timedelta(days=30))
    assert asked == []


@pytest.mark.django_db
def test_who_can_be_judged_again_is_and_the_row_goes(
    group: TierGroup, members: list[Member], poison: Poison, clock: Any
) -> None:
    poison(members[0])
    tick(group, NOW)
    poison(None)
    clock.move_to(NOW + PAUSE, tick=False)
    tick(group, NOW + PAUSE)
    assert judged() == {m.pk for m in members}
    tick(group, NOW + PAUSE)
    assert not MemberSetAside.objects.exists()


@pytest.mark.django_db
def test_a_posting_that_judges_them_releases_them(
    group: TierGroup, members: list[Member], poison: Poison, clock: Any
) -> None:
    poison(members[0])
    tick(group, NOW)
    clock.shift(1)
    factories.earn(members[0], 1)
    assert members[0].pk in judged()
    tick(group, NOW + timedelta(minutes=15))
    assert not MemberSetAside.objects.exists()


@pytest.mark.django_db
def test_a_run_goes_on_without_them_and_finishes(
    group: TierGroup,
    members: list[Member],
    poison: Poison,
    maya: User,
    chen: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tick(group, NOW)
    monkeypatch.setattr(runs, "CHUNK", 4)
    poison(members[8])
    gold = factories.live_tier(group, "Gold")
    draft = lifecycle.draft_change(gold, by=maya, changes={"threshold": 1200})
    # Few enough members to be judged in the publication's own transaction.
    factories.approve(lifecycle.submit([draft], by=maya), chen)
    run = Run.objects.get(kind=Run.Kind.PUBLISH, finished_at=NOW)
    assert run.moved == 8
    held = Standing.objects.filter(tier=gold.tier).values_list("member", flat=True)
    assert list(held) == [members[8].pk]
    assert MemberSetAside.objects.get().member == members[8]
    # Nothing was due for them: the mark sees to it that a tick tries again.
    assert list(Member.objects.marked()) == [members[8]]


@pytest.mark.django_db
def test_a_database_that_is_away_is_nobodys_fault(
    group: TierGroup, members: list[Member], monkeypatch: pytest.MonkeyPatch
) -> None:
    def deadlock(*args: Any) -> Any:
        raise OperationalError("deadlock detected")

    monkeypatch.setattr(judging, "catch_up", deadlock)
    with pytest.raises(OperationalError):
        tick(group, NOW)
    assert not MemberSetAside.objects.exists()


# In the admin


@pytest.mark.django_db
def test_a_person_finds_them_and_tries_again(
    group: TierGroup,
    members: list[Member],
    poison: Poison,
    maya: User,
    client: Client,
) -> None:
    broken = members[0]
    poison(broken)
    tick(group, NOW)
    client.force_login(maya)
    page = client.get(reverse("admin:tiers_membersetaside_changelist"))
    assert str(broken.contact) in page.content.decode()
    assert "IntegrityError" in page.content.decode()
    assert client.get(ui.change_url(MemberSetAside.objects.get())).status_code == 200
    url = lifecycle_url(broken, "recalculate")
    answer = client.post(url, {"comment": "Mended?"}, follow=True)
    assert "keeps what they hold" in answer.content.decode()
    assert MemberSetAside.objects.get().attempts == 2
    assert not AuditEvent.objects.about("member", broken.pk).exists()
    poison(None)
    client.post(url, {"comment": "Mended."})
    assert broken.pk in judged()
    assert AuditEvent.objects.about("member", broken.pk).get().reason == "Mended."


@pytest.mark.django_db
def test_what_is_set_aside_in_a_program_that_one_may_not_see_is_not_shown(
    group: TierGroup, members: list[Member], poison: Poison, maya: User, client: Client
) -> None:
    poison(members[0])
    tick(group, NOW)
    other = factories.make_program(maya, "Other")
    maya.program_limits.create(program=other)
    client.force_login(maya)
    page = client.get(reverse("admin:tiers_membersetaside_changelist"))
    assert str(members[0].contact) not in page.content.decode()
