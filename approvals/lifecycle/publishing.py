"""Making versions live: at once, where nobody has to approve, or when it is time."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from .. import kinds, notices
from ..errors import ApprovalRequired, BaseMoved, Refused
from ..models import ChangeSet, Decision, Version
from . import guards, questions, steps

Status = Version.Status


def publish(
    change_set: ChangeSet,
    versions: Sequence[Any],
    source: str,
    *,
    at: datetime,
    **approved: Any,
) -> None:
    """Make the set's versions live, in the transaction and under the locks held.

    Nothing else does. Programs go last, so that whether approval may be waived is
    judged by the program as it was.
    """
    for version in versions:
        if steps.live_id(version) != version.based_on_id:
            raise BaseMoved(
                f"{guards.label(version)} was published by somebody else after this "
                "change was begun. Edit the change to bring it up to date, then "
                "submit again."
            )
    guards.as_submitted(change_set, versions)
    guards.sound(versions)
    hashes = {(i.kind, i.version_id): i.content_hash for i in change_set.items.all()}
    groups = kinds.by_kind(versions)
    for kind, group in reversed(groups):
        for version in group:
            _replace(version, at=at)
            steps.swap(
                version,
                source,
                Status.LIVE,
                "publish",
                live_from=at,
                change_set=change_set,
                content_hash=hashes[kind.name, version.pk],
                **approved,
            )
            if version.is_retirement:
                steps.swap(
                    version, Status.LIVE, Status.SNAPSHOT, "replace", live_until=at
                )
    change_set.published_at, change_set.due_at = at, None
    change_set.save(update_fields=["published_at", "due_at"])
    for kind, group in groups:
        for follow in kind.followers:
            follow(group, at)


def _replace(version: Any, *, at: datetime) -> None:
    """Retire the live version in whose place this one goes."""
    if version.based_on_id is None:
        return
    live = type(version)._default_manager.filter(
        pk=version.based_on_id, status=Status.LIVE
    )
    if not live.update(status=Status.SNAPSHOT, live_until=at):
        raise BaseMoved("What is live changed at this very moment. Try again.")


@transaction.atomic
def publish_now(
    versions: Sequence[Any],
    *,
    by: Any,
    note: str = "",
    at: datetime | None = None,
) -> ChangeSet:
    """Make drafts live without a reviewer, where the program asks for none."""
    program_id = steps.one_program(versions)
    guards.allowed(by, "maker", program_id)
    guards.publisher(by)
    note = guards.readable(note)
    steps.lock(versions)
    if kinds.programs().approval_required(program_id):
        raise ApprovalRequired(
            f"Changes to {kinds.programs().name(program_id)} are approved by a "
            "reviewer: submit this one instead."
        )
    at = at or timezone.now()
    drafts = steps.unchanged_drafts(versions, "publish_now")
    change_set = steps.bundle(drafts, by=by, note=note, at=at)
    steps.decide(change_set, Decision.Kind.WAIVED, by=by, comment="", at=at)
    publish(change_set, drafts, Status.DRAFT, at=at)
    for version in drafts:
        steps.record("publish_now", version, by=by, at=at, reason=note)
    for version in versions:
        version.refresh_from_db()
    return change_set


@transaction.atomic
def go_live(change_set: ChangeSet, *, at: datetime) -> bool:
    """Publish a scheduled change set whose time has come; return whether it did.

    What cannot go live (its base moved, the live set would be unsound) becomes
    PUBLISH_FAILED and says why; what is live stays.
    """
    held = steps.hold(change_set)
    if held.due_at is None or held.go_live_at is None or held.go_live_at > at:
        return False
    versions = questions.versions_of(held)
    try:
        with transaction.atomic():
            steps.lock(versions)
            publish(held, versions, Status.SCHEDULED, at=held.go_live_at)
    except Refused as problem:
        _fail(steps.hold(held), problem.message, at=at)
        return False
    for version in versions:
        steps.record("go_live", version, by=None, at=at)
    return True


def _fail(held: ChangeSet, problem: str, *, at: datetime) -> None:
    held.due_at, held.failed_at, held.failure = None, at, problem
    held.save(update_fields=["due_at", "failed_at", "failure"])
    for version in questions.versions_of(held):
        steps.swap(version, Status.SCHEDULED, Status.PUBLISH_FAILED, "go_live")
        steps.record("fail", version, by=None, at=at, reason=problem)
    notices.failed(held, at=at)
