"""Commands on standings: what they refuse, and how they end when they are stopped."""

import os
import signal
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import OperationalError, connections
from django.utils import timezone

from loyalty.models import Member
from tests import factories
from tiers import assignment, judging, runs
from tiers.management.commands import rebuild_standings
from tiers.models import Recalculation, Run, Standing, TierGroup


@pytest.fixture
def many(group: TierGroup, monkeypatch: pytest.MonkeyPatch) -> list[Member]:
    monkeypatch.setattr(runs, "PIECE", 4)
    monkeypatch.setattr(runs, "CHUNK", 2)
    return [factories.make_member(group.program) for _ in range(10)]


def code_of(*words: str) -> int:
    with pytest.raises(CommandError) as refused:
        call_command(*words)
    return refused.value.returncode


# Words that make no sense


@pytest.mark.django_db
@pytest.mark.parametrize(
    "words",
    [
        ("recalculate_tiers", "--program", "Gemstone Reward"),
        ("rebuild_standings", "--program", "999999"),
        ("verify", "--program", "caf\udce9"),
        ("verify", "--members", "9-1"),
        ("verify", "--members", "all"),
        ("verify", "--as-of", "2999-01-01T00:00:00Z"),
        ("rebuild_standings", "--workers", "-1"),
        ("rebuild_standings", "--workers", "1_0"),
        ("rebuild_standings", "--as-of", "2026-01-01"),
        ("tick", "--loop", "--period", "0"),
        ("tick", "--loop", "--period", "nan"),
    ],
)
def test_words_that_make_no_sense_are_refused(
    group: TierGroup, words: tuple[str, ...]
) -> None:
    with pytest.raises(CommandError):
        call_command(*words)


@pytest.mark.django_db
def test_a_program_that_is_not_there_is_answered_with_those_that_are(
    group: TierGroup,
) -> None:
    for name in ("Gemstone Reward", "999999"):
        with pytest.raises(CommandError, match=r"\(Gemstone Rewards\)") as refused:
            call_command("verify", "--program", name)
        assert refused.value.returncode == 2


def test_a_process_ends_with_two_for_words_that_make_no_sense() -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "verify", "--members", b"caf\xe9"],
        cwd=settings.BASE_DIR,
        env={**os.environ, "DEBUG": "true"},
        capture_output=True,
    )
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr


# One at a time


@pytest.mark.django_db
def test_a_second_copy_says_who_is_at_work(many: list[Member]) -> None:
    now = timezone.now()
    Recalculation.objects.update(
        holder="host:42 token", started_at=now, due_at=now + timedelta(minutes=1)
    )
    with pytest.raises(CommandError, match="running since .* UTC by host:42\\.") as no:
        call_command("recalculate_tiers")
    assert no.value.returncode == 75
    Recalculation.objects.update(due_at=now)
    call_command("recalculate_tiers")
    assert not Member.objects.marked().exists()


@pytest.mark.django_db
def test_a_second_rebuild_says_who_is_at_work(many: list[Member]) -> None:
    run = runs.begin(many[0].program, Run.Kind.REBUILD, at=timezone.now())
    runs.take(run, "host:42 token", now=timezone.now())
    assert code_of("rebuild_standings") == 75


# Stopped


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_a_rebuild_that_is_stopped_ends_with_its_chunk_and_goes_on(
    many: list[Member],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    number: signal.Signals,
    code: int,
) -> None:
    judge = judging.catch_up
    calls: list[int] = []

    def interrupt_in_the_third(*args: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            signal.raise_signal(number)
        return judge(*args)

    monkeypatch.setattr(judging, "catch_up", interrupt_in_the_third)
    assert code_of("rebuild_standings") == code
    assert Standing.objects.count() == 6
    assert "judged 6 of 10 members" in capsys.readouterr().out
    assert Run.objects.open().exists()
    call_command("rebuild_standings")
    out = capsys.readouterr().out
    assert "going on with what was begun before" in out
    assert "judged 10 of 10 members anew" in out
    assert Standing.objects.count() == 10
    assert not Run.objects.open().exists()


@pytest.mark.django_db
def test_a_recalculation_that_is_stopped_ends_with_its_chunk(
    many: list[Member], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assignment, "CHUNK", 4)
    judge = judging.catch_up

    def interrupt(*args: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        return judge(*args)

    with monkeypatch.context() as patched:
        patched.setattr(judging, "catch_up", interrupt)
        assert code_of("recalculate_tiers") == 130
    assert Standing.objects.count() == 4
    call_command("recalculate_tiers")
    assert Standing.objects.count() == 10


# Rebuilding


@pytest.mark.django_db
def test_a_rebuild_finds_again_what_was_lost(
    many: list[Member], capsys: pytest.CaptureFixture[str]
) -> None:
    factories.earn(many[0], 600)
    call_command("recalculate_tiers")
    tier = Standing.objects.get(member=many[0]).tier
    Standing.objects.update(tier=None, due_at=None, qualifying_points=0)
    call_command("rebuild_standings", "--dry-run")
    assert "10 members would be judged anew" in capsys.readouterr().out
    assert not Standing.objects.filter(tier=tier).exists()
    call_command("rebuild_standings")
    assert "judged 10 of 10 members anew, 10 changed tier" in capsys.readouterr().out
    assert Standing.objects.get(tier=tier).member == many[0]
    call_command("recalculate_tiers")
    call_command("verify")


@pytest.mark.django_db
def test_a_rebuild_can_be_left_to_the_workers(
    many: list[Member], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(assignment, "nudge", asked.append)
    call_command("rebuild_standings", "--workers", "0")
    assert asked == [assignment.WORKERS]
    assert Run.objects.open().get().kind == Run.Kind.REBUILD
    assignment.recalculate(many[0].program, as_of=timezone.now())
    assert not Run.objects.open().exists()


@pytest.mark.django_db(transaction=True)
def test_a_rebuild_by_several_processes_judges_each_member_once(
    many: list[Member], capsys: pytest.CaptureFixture[str]
) -> None:
    run = runs.begin(many[0].program, Run.Kind.REBUILD, at=timezone.now())
    rebuild_standings.work_together(run, 3, rebuild_standings.Asked())
    connections.close_all()
    run.refresh_from_db()
    assert (run.members, run.failed_at) == (10, None)
    assert run.finished_at is not None
    assert Standing.objects.count() == 10


@pytest.mark.django_db
def test_a_run_that_failed_is_named_with_its_members(
    many: list[Member], monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_off(*args: Any) -> Any:
        raise OperationalError("Too much.")

    monkeypatch.setattr(judging, "catch_up", break_off)
    with pytest.raises(
        CommandError, match="were put aside. OperationalError: Too much"
    ):
        call_command("rebuild_standings")


def test_runs_are_named_like_processes() -> None:
    name = runs.worker_name()
    assert runs.shown(name).endswith(f":{os.getpid()}")
    assert name != runs.worker_name()
