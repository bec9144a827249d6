"""Verbs on a change set: hand it in, take it back, settle it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from .. import kinds, notices
from ..errors import GoLiveInPast, InvalidTransition
from ..models import ChangeSet, Contribution, Decision, Version
from . import guards, publishing, questions, steps

Status = Version.Status
WITHDRAWN = "Withdrawn."
TRIED_AGAIN = "Tried again."


@transaction.atomic
def submit(
    versions: Sequence[Any],
    *,
    by: Any,
    note: str = "",
    go_live_at: datetime | None = None,
    at: datetime | None = None,
) -> ChangeSet:
    """Hand drafts of one program to the reviewers, as one change set."""
    at = at or timezone.now()
    guards.allowed(by, "maker", steps.one_program(versions))
    note = guards.readable(note)
    if go_live_at and go_live_at <= at:
        raise GoLiveInPast(
            f"The go-live time {guards.when(go_live_at)} has passed; choose a later "
            "one."
        )
    drafts = steps.unchanged_drafts(versions, "submit")
    guards.sound(drafts)
    change_set = steps.bundle(drafts, by=by, note=note, go_live_at=go_live_at, at=at)
    hashes = {(i.kind, i.version_id): i.content_hash for i in change_set.items.all()}
    for kind, group in kinds.by_kind(drafts):
        for version in group:
            steps.swap(
                version,
                Status.DRAFT,
                Status.PENDING_APPROVAL,
                "submit",
                change_set=change_set,
                content_hash=hashes[kind.name, version.pk],
                submitted_at=at,
                submitted_by=by,
                rejection_comment="",
                rejected_at=None,
                rejected_by=None,
            )
            steps.contribute(version, by=by, role=Contribution.Role.SUBMITTER, at=at)
            steps.record("submit", version, by=by, at=at, reason=note)
    notices.to_review(change_set, at=at)
    for version in versions:
        version.refresh_from_db()
    return change_set


@transaction.atomic
def withdraw(change_set: ChangeSet, *, by: Any, at: datetime | None = None) -> None:
    """Take a submission back; its versions are drafts again."""
    at = at or timezone.now()
    guards.allowed(by, "maker", change_set.program_id)
    held = steps.hold(change_set)
    guards.had_a_hand(by, held)
    if _voided_by(held, by, WITHDRAWN):
        return
    guards.undecided(held)
    steps.void(held, by=by, at=at, reason=WITHDRAWN, verb="withdraw")
    notices.voided(held, by=by, reason="", at=at)


@transaction.atomic
def approve(
    change_set: ChangeSet,
    *,
    by: Any,
    fingerprint: str,
    comment: str = "",
    at: datetime | None = None,
) -> Decision:
    """Approve exactly the contents named by ``fingerprint``; publish what is due.

    The same reviewer approving the same contents again gets the first decision.
    """
    guards.allowed(by, "reviewer", change_set.program_id)
    comment = guards.readable(comment)
    held = steps.hold(change_set)
    kind = Decision.Kind.APPROVED
    before = steps.replayed([held.pk], kind, by=by, seen=fingerprint)
    if before:
        return before
    guards.undecided(held)
    guards.stranger(by, held)
    guards.as_read(held.fingerprint, fingerprint)
    versions = questions.versions_of(held)
    guards.as_submitted(held, versions)
    steps.lock(versions)
    at = at or timezone.now()
    decision = steps.decide(held, kind, by=by, comment=comment, at=at)
    if held.go_live_at and held.go_live_at > at:
        _schedule(held, versions, by=by, at=at)
    else:
        publishing.publish(
            held,
            versions,
            Status.PENDING_APPROVAL,
            at=at,
            approved_at=at,
            approved_by=by,
        )
    for version in versions:
        steps.record("approve", version, by=by, at=at, reason=comment)
    notices.decided(held, decision, at=at)
    return decision


def _schedule(
    held: ChangeSet, versions: Sequence[Any], *, by: Any, at: datetime
) -> None:
    for version in versions:
        steps.swap(
            version,
            Status.PENDING_APPROVAL,
            Status.SCHEDULED,
            "approve",
            approved_at=at,
            approved_by=by,
        )
    held.due_at = held.go_live_at
    held.save(update_fields=["due_at"])


@transaction.atomic
def reject(
    change_set: ChangeSet,
    *,
    by: Any,
    fingerprint: str,
    comment: str,
    at: datetime | None = None,
) -> Decision:
    """Send a change set back to its makers, with a reason."""
    guards.allowed(by, "reviewer", change_set.program_id)
    comment = guards.reason_given(comment, "rejecting")
    held = steps.hold(change_set)
    kind = Decision.Kind.REJECTED
    before = steps.replayed([held.pk], kind, by=by, seen=fingerprint)
    if before:
        return before
    guards.undecided(held)
    guards.as_read(held.fingerprint, fingerprint)
    at = at or timezone.now()
    decision = steps.decide(held, kind, by=by, comment=comment, at=at)
    for version in questions.versions_of(held):
        steps.swap(
            version,
            Status.PENDING_APPROVAL,
            Status.REJECTED,
            "reject",
            rejected_at=at,
            rejected_by=by,
            rejection_comment=comment,
        )
        steps.record("reject", version, by=by, at=at, reason=comment)
    notices.decided(held, decision, at=at)
    return decision


@transaction.atomic
def unschedule(
    change_set: ChangeSet, *, by: Any, comment: str, at: datetime | None = None
) -> None:
    """Call off an approved change that has not gone live yet."""
    guards.allowed(by, "either", change_set.program_id)
    comment = guards.reason_given(comment, "unscheduling")
    held = steps.hold(change_set)
    if _voided_by(held, by, comment):
        return
    if held.due_at is None:
        raise InvalidTransition(
            f"{held} is not scheduled: it is {held.state.lower()}.",
            state=held.state,
        )
    at = at or timezone.now()
    steps.void(held, by=by, at=at, reason=comment, verb="unschedule")
    notices.called_off(held, by=by, reason=comment, at=at)


def fresh_fingerprint(change_set: ChangeSet) -> str:
    """Return the fingerprint of a failed change set on top of what is live now."""
    return steps.fingerprint_of(
        [(v, steps.live_id(v)) for v in questions.versions_of(change_set)],
        go_live_at=None,
        roll_out=change_set.roll_out,
    )


@transaction.atomic
def retry(
    change_set: ChangeSet,
    *,
    by: Any,
    fingerprint: str,
    comment: str = "",
    at: datetime | None = None,
) -> Decision:
    """Approve a change set whose publication failed anew, on what is live now.

    ``fingerprint`` is the fresh one (see ``fresh_fingerprint``).
    """
    guards.allowed(by, "reviewer", change_set.program_id)
    comment = guards.readable(comment)
    held = steps.hold(change_set)
    kind = Decision.Kind.APPROVED
    versions = questions.versions_of(held)
    sets = {version.change_set_id for version in versions} - {held.pk}
    before = steps.replayed(sets, kind, by=by, seen=fingerprint)
    if before:
        return before
    guards.not_taken_back(held)
    if held.failed_at is None:
        raise InvalidTransition(
            f"{held} has not failed: it is {held.state.lower()}.", state=held.state
        )
    guards.stranger(by, held)
    guards.as_submitted(held, versions)
    steps.lock(versions)
    at = at or timezone.now()
    guards.as_read(fresh_fingerprint(held), fingerprint)
    for version in versions:
        version.based_on_id = steps.live_id(version)
        version.save(update_fields=["based_on"])
    again = steps.bundle(
        versions, by=held.created_by, note=held.note, roll_out=held.roll_out, at=at
    )
    decision = steps.decide(again, kind, by=by, comment=comment, at=at)
    held.voided_at, held.voided_by, held.void_reason = at, by, TRIED_AGAIN
    held.save(update_fields=["voided_at", "voided_by", "void_reason"])
    publishing.publish(
        again,
        versions,
        Status.PUBLISH_FAILED,
        at=at,
        approved_at=at,
        approved_by=by,
    )
    for version in versions:
        steps.record("retry", version, by=by, at=at, reason=comment)
    notices.decided(again, decision, at=at)
    return decision


def _voided_by(held: ChangeSet, by: Any, reason: str) -> bool:
    """Tell whether this very person pressed this very button before."""
    return (held.voided_by_id, held.void_reason) == (by.pk, reason)
