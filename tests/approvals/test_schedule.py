"""The beat entry and the command that make scheduled change sets live."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from approvals import lifecycle, schedule, tasks
from approvals.models import ChangeSet, Version

from .conftest import Stage
from .stories import fresh

Status = Version.Status


def run(*options: str) -> str:
    out = StringIO()
    call_command("go_live", *options, stdout=out)
    return out.getvalue().strip()


@pytest.fixture
def due(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A tier and a program that are to go live in an hour, and that hour later."""
    later = timezone.now() + timedelta(hours=1)
    versions = [stage.draft("tier"), stage.draft("program")]
    for version in versions:
        stage.approve(stage.submitted(version, go_live_at=later))
    assert run() == "0 change sets went live, 0 failed."
    monkeypatch.setattr(timezone, "now", lambda: later)
    return versions


def test_the_command_says_what_is_due_and_does_it(due: list[Any]) -> None:
    assert run("--dry-run") == "2 change sets are due."
    assert {fresh(v).status for v in due} == {Status.SCHEDULED}
    assert run() == "2 change sets went live, 0 failed."
    assert {fresh(v).status for v in due} == {Status.LIVE}
    assert run() == "0 change sets went live, 0 failed."


def test_the_task_does_the_same(due: list[Any]) -> None:
    assert tasks.go_live() == {"published": 2, "failed": 0}
    assert tasks.go_live() == {"published": 0, "failed": 0}


def test_one_that_fails_does_not_hold_up_the_others(
    due: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither where something forbids it, nor where our code breaks off."""
    go_live = lifecycle.go_live
    first = ChangeSet.objects.due(timezone.now()).order_by("due_at", "pk")[0]

    def break_off(change_set: ChangeSet, *, at: Any) -> bool:
        if change_set.pk == first.pk:
            raise RuntimeError("A fault of ours.")
        return go_live(change_set, at=at)

    monkeypatch.setattr(lifecycle, "go_live", break_off)
    assert schedule.go_live_due(as_of=timezone.now()) == {"published": 1, "failed": 1}
    first.refresh_from_db()
    assert first.due_at == timezone.now() + schedule.LEASE
    monkeypatch.setattr(lifecycle, "go_live", go_live)
    later = timezone.now() + schedule.LEASE
    assert schedule.go_live_due(as_of=later) == {"published": 1, "failed": 0}
    assert {fresh(v).status for v in due} == {Status.LIVE}
    assert {fresh(v).live_from for v in due} == {first.go_live_at}


def test_what_another_worker_claimed_is_left_to_it(due: list[Any]) -> None:
    as_of = timezone.now()
    for change_set in ChangeSet.objects.due(as_of):
        assert schedule.claim(change_set, as_of)
        assert not schedule.claim(change_set, as_of)
    assert schedule.go_live_due(as_of=as_of) == {"published": 0, "failed": 0}
