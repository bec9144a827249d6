"""Every change of a version's status, and the only code that makes one live.

A change set is settled once: each verb that settles it first locks its row and
looks again, so that of two people one wins and the other is told who did what,
when. Rows of versions move by compare-and-swap. Locks are taken in one order
everywhere: change set, programs, tier groups, members.

A trigger stands behind ``_publish``: the database refuses a LIVE version without
a matching decision, whoever writes it (see ``triggers``).
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from . import audit, fingerprint, kinds, notices
from .errors import (
    AlreadyDecided,
    ApprovalRequired,
    BaseMoved,
    ContentChanged,
    DraftExists,
    InvalidTransition,
    MixedPrograms,
    NotAllowed,
    ReasonRequired,
    Refused,
    SelfApproval,
    StaleEdit,
    Unsound,
)
from .models import ChangeSet, ChangeSetItem, Contribution, Decision, Version
from .transitions import TRANSITIONS

Status = Version.Status
PERMISSIONS = {
    "maker": ("approvals.make_changes",),
    "reviewer": ("approvals.review_changes",),
    "either": ("approvals.make_changes", "approvals.review_changes"),
}


# Drafting


@transaction.atomic
def open_draft(
    version: Any,
    *,
    by: Any,
    at: datetime | None = None,
    role: str = Contribution.Role.AUTHOR,
) -> Any:
    """Save ``version``, not yet in the database, as its thing's open version.

    Raise ``DraftExists`` when the thing has one, ``ValidationError`` when what the
    version says breaks a rule.
    """
    kind = kinds.kind_of(version)
    _may(by, "maker", kind.program_id(version))
    at = at or timezone.now()
    validate(version)
    version.status = Status.DRAFT
    version.created_at = version.updated_at = at
    version.created_by = version.updated_by = by
    siblings = _siblings(version)
    for _ in range(5):
        live = siblings.filter(status=Status.LIVE).first()
        last = siblings.order_by("-number").values_list("number", flat=True).first()
        version.based_on = live
        version.number = (last or 0) + 1
        try:
            with transaction.atomic():
                version.save(force_insert=True)
            break
        except IntegrityError:
            # Somebody drafted in between: the index says so, no check could.
            version.pk = None
            if version.direct:
                continue
            open_ = siblings.filter(status__in=Version.OPEN, direct=False).first()
            if open_:
                raise DraftExists(
                    f"{_label(open_)} already has an open version, by "
                    f"{_name(open_.created_by)} of {_when(open_.created_at)}: "
                    f"{open_.get_status_display().lower()}.",
                    version_id=open_.pk,
                    object_id=open_.object_id,
                ) from None
    else:
        raise DraftExists(f"{_label(version)} is being changed by others right now.")
    _contribute(version, by=by, role=role, at=at)
    _record("draft", version, by=by, at=at)
    return version


def draft_change(
    live: Any,
    *,
    by: Any,
    at: datetime | None = None,
    operation: str = Version.Operation.SET,
    changes: dict[str, Any] | None = None,
    direct: bool = False,
) -> Any:
    """Open a draft that starts out equal to ``live``, with ``changes`` applied."""
    return open_draft(
        _copy(live, operation=operation, changes=changes or {}, direct=direct),
        by=by,
        at=at,
    )


def roll_back(snapshot: Any, *, by: Any, at: datetime | None = None) -> Any:
    """Open a draft equal to an earlier live version, to be approved like any other."""
    if snapshot.status not in (Status.SNAPSHOT, Status.LIVE) or snapshot.is_retirement:
        raise InvalidTransition(
            f"Only a version that was live can be rolled back to; {_label(snapshot)} "
            f"version {snapshot.number} is {snapshot.get_status_display().lower()}."
        )
    note = f"Back to version {snapshot.number}."
    return draft_change(snapshot, by=by, at=at, changes={"note": note})


@transaction.atomic
def revise(
    version: Any,
    *,
    by: Any,
    changes: dict[str, Any],
    expected_revision: int | None = None,
    at: datetime | None = None,
) -> None:
    """Edit an open version in place; a pending one's submission is voided.

    ``expected_revision`` is the revision that the editor saw: if the row has moved
    on, ``StaleEdit`` says who moved it.
    """
    kind = kinds.kind_of(version)
    _may(by, "maker", kind.program_id(version))
    at = at or timezone.now()
    current = _fresh(version)
    if expected_revision is not None and current.revision != expected_revision:
        raise _stale(current)
    _expect(current, "revise")
    if current.status != Status.DRAFT:
        _dissolve(current, by=by, at=at, reason=f"{_label(current)} was edited.")
        current = _fresh(version)
    for name, value in changes.items():
        setattr(current, name, value)
    validate(current)
    live = _siblings(current).filter(status=Status.LIVE).first()
    written = {name: getattr(current, name) for name in (*current.CONTENT, "note")}
    swapped = type(current)._default_manager.filter(
        pk=current.pk, status=Status.DRAFT, revision=current.revision
    )
    if not swapped.update(
        **written,
        based_on=live,
        revision=F("revision") + 1,
        updated_at=at,
        updated_by=by,
    ):
        raise _stale(_fresh(version))
    _contribute(current, by=by, role=Contribution.Role.EDITOR, at=at)
    _record("revise", current, by=by, at=at)
    version.refresh_from_db()


@transaction.atomic
def discard(version: Any, *, by: Any, at: datetime | None = None) -> None:
    """Put an open version away. What is live stays."""
    kind = kinds.kind_of(version)
    _may(by, "maker", kind.program_id(version))
    at = at or timezone.now()
    current = _fresh(version)
    _expect(current, "discard")
    if current.status != Status.DRAFT:
        _dissolve(current, by=by, at=at, reason=f"{_label(current)} was discarded.")
    _swap([current], Status.DRAFT, Status.DELETED, "discard", updated_at=at)
    _record("discard", current, by=by, at=at)
    if kind.discarded and not _siblings(current).filter(live_from__isnull=False):
        kind.discarded(current, by, at)
    version.refresh_from_db()


# Submitting


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
    if go_live_at and go_live_at <= at:
        raise Refused(
            f"The go-live time {_when(go_live_at)} has passed; choose a later one.",
        )
    program_id = _one_program(versions)
    _may(by, "maker", program_id)
    _check_problems(versions)
    change_set = _bundle(
        versions, "submit", by=by, note=note, go_live_at=go_live_at, at=at
    )
    for _, group in kinds.by_kind(versions):
        for version in group:
            _swap(
                [version],
                Status.DRAFT,
                Status.PENDING_APPROVAL,
                "submit",
                revision=version.revision,
                change_set=change_set,
                content_hash=fingerprint.content_hash(version),
                submitted_at=at,
                submitted_by=by,
                rejection_comment="",
                rejected_at=None,
                rejected_by=None,
            )
            _contribute(version, by=by, role=Contribution.Role.SUBMITTER, at=at)
            _record("submit", version, by=by, at=at, reason=note)
    notices.to_review(change_set, at=at)
    return change_set


@transaction.atomic
def withdraw(change_set: ChangeSet, *, by: Any, at: datetime | None = None) -> None:
    """Take a submission back; its versions are drafts again."""
    at = at or timezone.now()
    held = _hold(change_set)
    _may(by, "maker", held.program_id)
    if by.pk not in contributors(held):
        raise NotAllowed("Only somebody who worked on a change can withdraw it.")
    _expect_undecided(held)
    _void(held, by=by, at=at, reason="Withdrawn.", verb="withdraw")


# Deciding


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
    held = _hold(change_set)
    before = _replayed(held, Decision.Kind.APPROVED, by=by, fingerprint=fingerprint)
    if before:
        return before
    _expect_undecided(held)
    _may(by, "reviewer", held.program_id)
    _expect_stranger(by, held)
    _expect_fingerprint(held.fingerprint, fingerprint)
    versions = versions_of(held)
    _lock(versions)
    at = at or timezone.now()
    decision = _decide(held, Decision.Kind.APPROVED, by=by, comment=comment, at=at)
    if held.go_live_at and held.go_live_at > at:
        _swap(
            versions,
            Status.PENDING_APPROVAL,
            Status.SCHEDULED,
            "approve",
            approved_at=at,
            approved_by=by,
        )
        held.due_at = held.go_live_at
        held.save(update_fields=["due_at"])
    else:
        _publish(held, versions, Status.PENDING_APPROVAL, by=by, at=at, approved_at=at)
    for version in versions:
        _record("approve", version, by=by, at=at, reason=comment)
    notices.decided(held, decision, at=at)
    return decision


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
    at = at or timezone.now()
    comment = _reason(comment, "rejecting")
    held = _hold(change_set)
    before = _replayed(held, Decision.Kind.REJECTED, by=by, fingerprint=fingerprint)
    if before:
        return before
    _expect_undecided(held)
    _may(by, "reviewer", held.program_id)
    _expect_fingerprint(held.fingerprint, fingerprint)
    versions = versions_of(held)
    decision = _decide(held, Decision.Kind.REJECTED, by=by, comment=comment, at=at)
    _swap(
        versions,
        Status.PENDING_APPROVAL,
        Status.REJECTED,
        "reject",
        rejected_at=at,
        rejected_by=by,
        rejection_comment=comment,
    )
    for version in versions:
        _record("reject", version, by=by, at=at, reason=comment)
    notices.decided(held, decision, at=at)
    return decision


@transaction.atomic
def publish_now(
    versions: Sequence[Any],
    *,
    by: Any,
    note: str = "",
    at: datetime | None = None,
) -> ChangeSet:
    """Make drafts live without a reviewer, where the program asks for none."""
    program_id = _one_program(versions)
    _may(by, "maker", program_id)
    _lock(versions)
    if kinds.programs().approval_required(program_id):
        raise ApprovalRequired(
            f"Changes to {kinds.programs().name(program_id)} are approved by a "
            "reviewer: submit this one instead."
        )
    at = at or timezone.now()
    change_set = _bundle(versions, "publish_now", by=by, note=note, at=at)
    _decide(change_set, Decision.Kind.WAIVED, by=by, comment="", at=at)
    _publish(change_set, versions, Status.DRAFT, by=None, at=at, approved_at=None)
    for version in versions:
        _record("publish_now", version, by=by, at=at, reason=note)
    return change_set


@transaction.atomic
def unschedule(
    change_set: ChangeSet, *, by: Any, comment: str, at: datetime | None = None
) -> None:
    """Call off an approved change that has not gone live yet."""
    at = at or timezone.now()
    comment = _reason(comment, "unscheduling")
    held = _hold(change_set)
    _may(by, "either", held.program_id)
    if held.due_at is None:
        raise InvalidTransition(
            f"{held} is not scheduled: it is {held.state.lower()}.",
            state=held.state,
        )
    _void(held, by=by, at=at, reason=comment, verb="unschedule")
    notices.called_off(held, by=by, reason=comment, at=at)


# Going live later


@transaction.atomic
def go_live(change_set: ChangeSet, *, at: datetime) -> bool:
    """Publish a scheduled change set whose time has come; return whether it did.

    What cannot go live (its base moved, the live set would be unsound) becomes
    PUBLISH_FAILED and says why; what is live stays.
    """
    held = _hold(change_set)
    if held.due_at is None or held.go_live_at is None or held.go_live_at > at:
        return False
    versions = versions_of(held)
    try:
        with transaction.atomic():
            _lock(versions)
            _publish(held, versions, Status.SCHEDULED, by=None, at=held.go_live_at)
    except (BaseMoved, Unsound) as problem:
        held = _hold(change_set)
        held.due_at, held.failed_at, held.failure = None, at, problem.message
        held.save(update_fields=["due_at", "failed_at", "failure"])
        _swap(versions, Status.SCHEDULED, Status.PUBLISH_FAILED, "go_live")
        for version in versions:
            _record("fail", version, by=None, at=at, reason=problem.message)
        notices.failed(held, at=at)
        return False
    for version in versions:
        _record("go_live", version, by=None, at=at)
    return True


def fresh_fingerprint(change_set: ChangeSet) -> str:
    """Return the fingerprint of a failed change set on top of what is live now."""
    versions = versions_of(change_set)
    return _fingerprint(
        [(v, _live_id(v)) for v in versions],
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
    """Approve a change set whose publication failed anew, on what is live now."""
    held = _hold(change_set)
    _may(by, "reviewer", held.program_id)
    _expect_stranger(by, held)
    if held.failed_at is None or held.voided_at is not None:
        raise InvalidTransition(f"{held} has not failed: it is {held.state.lower()}.")
    versions = versions_of(held)
    _lock(versions)
    at = at or timezone.now()
    _expect_fingerprint(fresh_fingerprint(held), fingerprint)
    for version in versions:
        version.based_on_id = _live_id(version)
        version.save(update_fields=["based_on"])
    again = _bundle(
        versions,
        "retry",
        by=held.created_by,
        note=held.note,
        roll_out=held.roll_out,
        at=at,
    )
    decision = _decide(again, Decision.Kind.APPROVED, by=by, comment=comment, at=at)
    held.voided_at, held.voided_by, held.void_reason = at, by, "Tried again."
    held.save(update_fields=["voided_at", "voided_by", "void_reason"])
    _publish(again, versions, Status.PUBLISH_FAILED, by=by, at=at, approved_at=at)
    for version in versions:
        _record("retry", version, by=by, at=at, reason=comment)
    notices.decided(again, decision, at=at)
    return decision


# What doors ask


def contributors(change_set: ChangeSet) -> set[int]:
    """Return the ids of everybody who had a hand in any of the set's versions."""
    ids: set[int] = set()
    for item in change_set.items.all():
        ids.update(
            Contribution.objects.filter(
                kind=item.kind, version_id=item.version_id
            ).values_list("user_id", flat=True)
        )
    return ids


def versions_of(change_set: ChangeSet) -> list[Any]:
    """Return the set's versions as they are now, in locking order."""
    wanted: dict[str, list[int]] = {}
    for item in change_set.items.all():
        wanted.setdefault(item.kind, []).append(item.version_id)
    versions: list[Any] = []
    for kind in kinds.all_kinds():
        if kind.name in wanted:
            versions += kind.version._default_manager.filter(
                pk__in=wanted[kind.name]
            ).order_by("pk")
    return versions


def may(user: Any, role: str, program_id: int) -> bool:
    """Tell whether ``user`` has a role's permission in a program."""
    if not any(user.has_perm(permission) for permission in PERMISSIONS[role]):
        return False
    visible = kinds.programs().visible_to(user)
    return visible is None or program_id in visible


def verbs_for(version: Any, user: Any) -> list[str]:
    """Return the verbs that ``user`` may use on ``version`` now, for buttons."""
    program_id = kinds.kind_of(version).program_id(version)
    change_set = version.change_set
    offered = []
    for verb, transition in TRANSITIONS.items():
        if version.status not in transition.sources or transition.role == "scheduler":
            continue
        if not may(user, transition.role, program_id):
            continue
        if verb == "publish_now" and kinds.programs().approval_required(program_id):
            continue
        if verb in ("approve", "retry") and user.pk in contributors(change_set):
            continue
        if verb == "withdraw" and user.pk not in contributors(change_set):
            continue
        offered.append(verb)
    return offered


def validate(version: Any) -> None:
    """Check what a version says; raise ``ValidationError`` by field."""
    checked = {*version.CONTENT, "note"}
    version.full_clean(
        exclude={f.name for f in version._meta.fields if f.name not in checked},
        validate_unique=False,
        validate_constraints=False,
    )


# The choke point


def _publish(
    change_set: ChangeSet,
    versions: Sequence[Any],
    source: str,
    *,
    by: Any,
    at: datetime,
    **approved: Any,
) -> None:
    """Make the set's versions live, in the transaction and under the locks held.

    Nothing else does. Programs go last, so that whether approval may be waived is
    judged by the program as it was.
    """
    for version in versions:
        if _live_id(version) != version.based_on_id:
            raise BaseMoved(
                f"{_label(version)} was published by somebody else after this change "
                "was begun. Edit the change to bring it up to date, then submit again."
            )
    _check_problems(versions)
    if approved.get("approved_at"):
        approved["approved_by"] = by
    groups = kinds.by_kind(versions)
    for kind, group in reversed(groups):
        table = kind.version._default_manager
        replaced = [v.based_on_id for v in group if v.based_on_id]
        moved = table.filter(pk__in=replaced, status=Status.LIVE).update(
            status=Status.SNAPSHOT, live_until=at
        )
        if moved != len(replaced):
            raise BaseMoved("What is live changed at this very moment. Try again.")
        hashes = {v.pk: fingerprint.content_hash(v) for v in group}
        for version in group:
            _swap(
                [version],
                source,
                Status.LIVE,
                "publish",
                live_from=at,
                change_set=change_set,
                content_hash=version.content_hash or hashes[version.pk],
                **{k: v for k, v in approved.items() if v},
            )
            if version.is_retirement:
                _swap([version], Status.LIVE, Status.SNAPSHOT, "replace", live_until=at)
    change_set.published_at, change_set.due_at = at, None
    change_set.save(update_fields=["published_at", "due_at"])
    for kind, group in groups:
        for follow in kind.followers:
            follow(group, at)


# Steps that verbs share


def _bundle(
    versions: Sequence[Any],
    verb: str,
    *,
    by: Any,
    note: str = "",
    go_live_at: datetime | None = None,
    roll_out: str = ChangeSet.RollOut.NOW,
    at: datetime,
) -> ChangeSet:
    """Write down what is submitted, for ever."""
    for version in versions:
        _expect(version, verb)
    change_set = ChangeSet.objects.create(
        program_id=_one_program(versions),
        note=note,
        go_live_at=go_live_at,
        roll_out=roll_out,
        fingerprint=_fingerprint(
            [(v, v.based_on_id) for v in versions],
            go_live_at=go_live_at,
            roll_out=roll_out,
        ),
        created_at=at,
        created_by=by,
    )
    ChangeSetItem.objects.bulk_create(
        ChangeSetItem(
            change_set=change_set,
            kind=kind.name,
            version_id=version.pk,
            based_on_id=version.based_on_id,
            operation=version.operation,
            label=_label(version)[:200],
            content=fingerprint.content_of(version),
            schema=version.SCHEMA,
            content_hash=fingerprint.content_hash(version),
        )
        for kind, group in kinds.by_kind(versions)
        for version in group
    )
    return change_set


def _fingerprint(
    versions: Iterable[tuple[Any, int | None]],
    *,
    go_live_at: datetime | None,
    roll_out: str,
) -> str:
    return fingerprint.fingerprint(
        [
            (kinds.kind_of(v).name, v.pk, fingerprint.content_hash(v), based_on)
            for v, based_on in versions
        ],
        go_live_at=go_live_at,
        roll_out=roll_out,
    )


def _decide(
    change_set: ChangeSet, kind: str, *, by: Any, comment: str, at: datetime
) -> Decision:
    return Decision.objects.create(
        change_set=change_set,
        kind=kind,
        fingerprint=change_set.fingerprint,
        decided_at=at,
        decided_by=by,
        comment=comment,
    )


def _hold(change_set: ChangeSet) -> ChangeSet:
    """Lock the change set's row and return it as it is now."""
    return ChangeSet.objects.select_for_update().get(pk=change_set.pk)


def _lock(versions: Sequence[Any]) -> None:
    kinds.programs().lock(_one_program(versions))
    for kind, group in kinds.by_kind(versions):
        kind.lock(group)


def _swap(
    versions: Sequence[Any],
    source: str,
    target: str,
    verb: str,
    *,
    revision: int | None = None,
    **values: Any,
) -> None:
    """Move rows from ``source`` to ``target``, or refuse if one has moved on."""
    for version in versions:
        rows = type(version)._default_manager.filter(pk=version.pk, status=source)
        if revision is not None:
            rows = rows.filter(revision=revision)
        if not rows.update(status=target, **values):
            current = _fresh(version)
            if current.status == source:
                raise _stale(current)
            raise _wrong_state(current, verb)
        version.status = target
        for name, value in values.items():
            setattr(version, name, value)


def _dissolve(version: Any, *, by: Any, at: datetime, reason: str) -> None:
    """Return all versions of ``version``'s change set to DRAFT."""
    held = _hold(version.change_set)
    current = _fresh(version)
    if current.change_set_id != held.pk:
        raise _stale(current)
    _expect(current, "revise")
    waiting = current.status == Status.PENDING_APPROVAL
    _void(held, by=by, at=at, reason=reason, verb="dissolve")
    if waiting:
        notices.voided(held, by=by, reason=reason, at=at)


def _void(held: ChangeSet, *, by: Any, at: datetime, reason: str, verb: str) -> None:
    """Close a held change set; whatever is still open in it becomes a draft."""
    held.voided_at, held.voided_by, held.void_reason = at, by, reason
    held.due_at = None
    held.save(update_fields=["voided_at", "voided_by", "void_reason", "due_at"])
    for version in versions_of(held):
        if version.change_set_id != held.pk or not version.is_open:
            continue
        _swap(
            [version],
            version.status,
            Status.DRAFT,
            verb,
            change_set=None,
            content_hash="",
            approved_at=None,
            approved_by=None,
            updated_at=at,
        )
        _record(verb, version, by=by, at=at, reason=reason)


def _contribute(version: Any, *, by: Any, role: str, at: datetime) -> None:
    Contribution.objects.bulk_create(
        [
            Contribution(
                kind=kinds.kind_of(version).name,
                version_id=version.pk,
                user=by,
                role=role,
                created_at=at,
            )
        ],
        ignore_conflicts=True,
    )


def _record(
    verb: str, version: Any, *, by: Any, at: datetime, reason: str = ""
) -> None:
    kind = kinds.kind_of(version)
    audit.record(
        verb,
        by=by,
        program_id=kind.program_id(version),
        kind=kind.name,
        object_id=version.thing_id,
        label=_label(version),
        reason=reason,
        at=at,
    )


def _copy(
    version: Any, *, operation: str, changes: dict[str, Any], direct: bool
) -> Any:
    copied = {name: getattr(version, name) for name in version.CONTENT}
    thing = {f"{version.THING}_id": version.thing_id}
    return type(version)(
        **thing, **{**copied, **changes}, operation=operation, direct=direct
    )


def _siblings(version: Any) -> Any:
    """All saved versions of the same thing, this one included."""
    table = type(version)._default_manager
    return table.filter(**{f"{version.THING}_id": version.thing_id})


def _live_id(version: Any) -> int | None:
    live = _siblings(version).filter(status=Status.LIVE)
    return live.values_list("pk", flat=True).first()


def _fresh(version: Any) -> Any:
    return type(version)._default_manager.get(pk=version.pk)


def _one_program(versions: Sequence[Any]) -> int:
    programs = {kinds.kind_of(v).program_id(v) for v in versions}
    if len(programs) != 1:
        raise MixedPrograms(
            "A change set holds versions of exactly one program; "
            f"these are of {len(programs)}."
        )
    return programs.pop()


def _check_problems(versions: Sequence[Any]) -> None:
    problems = [
        problem
        for kind, group in kinds.by_kind(versions)
        for check in kind.checks
        for problem in check(group, versions)
    ]
    problems = list(dict.fromkeys(problems))
    if problems:
        raise Unsound(" ".join(problems), problems=problems)


# Guards


def _may(by: Any, role: str, program_id: int) -> None:
    if not may(by, role, program_id):
        raise NotAllowed(
            f"{_name(by)} may not do this in {kinds.programs().name(program_id)}."
        )


def _expect(version: Any, verb: str) -> None:
    if version.status not in TRANSITIONS[verb].sources:
        raise _wrong_state(version, verb)


def _expect_undecided(held: ChangeSet) -> None:
    decision = Decision.objects.filter(change_set=held).first()
    if decision:
        what = decision.get_kind_display().lower()
        raise AlreadyDecided(
            f"{_name(decision.decided_by)} {what} this change on "
            f"{_when(decision.decided_at)}.",
            decided_by=_name(decision.decided_by),
            decided_at=decision.decided_at,
            kind=decision.kind,
        )
    if held.voided_at:
        raise AlreadyDecided(
            f"{_name(held.voided_by)} took this change back on "
            f"{_when(held.voided_at)}. {held.void_reason}",
            decided_by=_name(held.voided_by),
            decided_at=held.voided_at,
            kind="VOIDED",
        )


def _expect_stranger(by: Any, held: ChangeSet) -> None:
    if by.pk in contributors(held):
        raise SelfApproval(
            f"{_name(by)} worked on this change, so somebody else has to approve it."
        )


def _expect_fingerprint(actual: str, seen: str) -> None:
    if actual != seen:
        raise ContentChanged(
            "This change is not what was on your page any more. "
            "Read it again, then decide.",
            fingerprint=actual,
        )


def _replayed(
    held: ChangeSet, kind: str, *, by: Any, fingerprint: str
) -> Decision | None:
    """Return the decision if this very person made this very one before."""
    return Decision.objects.filter(
        change_set=held, kind=kind, decided_by=by, fingerprint=fingerprint
    ).first()


def _reason(comment: str, doing: str) -> str:
    comment = comment.strip()
    if not comment:
        raise ReasonRequired(f"Say why: {doing} needs a reason that others can read.")
    return comment


def _wrong_state(version: Any, verb: str) -> InvalidTransition:
    name = TRANSITIONS[verb].label.lower() if verb in TRANSITIONS else verb
    return InvalidTransition(
        f"Cannot {name} {_label(version)} version {version.number}: it is "
        f"{version.get_status_display().lower()}.",
        status=version.status,
    )


def _stale(current: Any) -> StaleEdit:
    return StaleEdit(
        f"{_name(current.updated_by)} changed {_label(current)} on "
        f"{_when(current.updated_at)}, after your page was opened. Nothing was saved.",
        changed_by=_name(current.updated_by),
        changed_at=current.updated_at,
        revision=current.revision,
    )


def _label(version: Any) -> str:
    return getattr(version, "name", "") or str(version.thing)


def _name(user: Any) -> str:
    return user.get_username() if user else audit.SCHEDULER


def _when(instant: datetime) -> str:
    return f"{timezone.localtime(instant):%d %B %Y at %H:%M}"
