"""Verbs on one version that nobody has decided on yet."""

from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from .. import kinds, notices
from ..errors import DraftExists, InvalidTransition
from ..models import Contribution, Version
from . import guards, steps

Status = Version.Status


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
    guards.allowed(by, "maker", kind.program_id(version))
    at = at or timezone.now()
    steps.validate(version)
    version.status = Status.DRAFT
    version.created_at = version.updated_at = at
    version.created_by = version.updated_by = by
    _insert(version)
    steps.contribute(version, by=by, role=role, at=at)
    steps.record("draft", version, by=by, at=at)
    return version


def _insert(version: Any) -> None:
    """Save a new version under the next number of its thing."""
    siblings = steps.siblings(version)
    for _ in range(5):
        last = siblings.order_by("-number").values_list("number", flat=True).first()
        version.based_on = siblings.filter(status=Status.LIVE).first()
        version.number = (last or 0) + 1
        try:
            with transaction.atomic():
                version.save(force_insert=True)
            return
        except IntegrityError:
            # Somebody drafted in between: the indexes say so, no check could.
            version.pk = None
            open_ = siblings.open().filter(direct=False).first()
            if open_ and not version.direct:
                raise guards.draft_exists(open_) from None
            if not siblings.filter(number=version.number).exists():
                raise
    raise DraftExists(f"{guards.label(version)} is being changed by others right now.")


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
    changes = changes or {}
    steps.expect_wording(live, changes)
    draft = type(live)(
        **{name: getattr(live, name) for name in (live.THING, *live.CONTENT)},
        operation=operation,
        direct=direct,
    )
    for name, value in changes.items():
        setattr(draft, name, value)
    return open_draft(draft, by=by, at=at)


def roll_back(snapshot: Any, *, by: Any, at: datetime | None = None) -> Any:
    """Open a draft equal to an earlier live version, to be approved like any other."""
    if snapshot.status != Status.SNAPSHOT or snapshot.is_retirement:
        raise InvalidTransition(
            "Only a version that was live and has been replaced can be rolled back "
            f"to; {guards.label(snapshot)} version {snapshot.number} is "
            f"{snapshot.get_status_display().lower()}.",
            status=snapshot.status,
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

    ``expected_revision`` is the revision that the editor saw, in the state that
    ``version`` is in: if the row has moved on, ``StaleEdit`` says who moved it.
    """
    kind = kinds.kind_of(version)
    guards.allowed(by, "maker", kind.program_id(version))
    steps.expect_wording(version, changes)
    at = at or timezone.now()
    current = steps.fresh(version)
    if expected_revision is not None and (
        (current.revision, current.status) != (expected_revision, version.status)
    ):
        raise guards.overtaken(current, expected_revision)
    guards.in_state(current, "revise")
    if current.status != Status.DRAFT:
        current = _reopen(current, by=by, at=at, because="was edited")
    for name, value in changes.items():
        setattr(current, name, value)
    steps.validate(current)
    written = {name: getattr(current, name) for name in (*current.CONTENT, "note")}
    rows = type(current)._default_manager.filter(
        pk=current.pk, status=Status.DRAFT, revision=current.revision
    )
    if not rows.update(
        **written,
        based_on=steps.live_id(current),
        revision=F("revision") + 1,
        updated_at=at,
        updated_by=by,
    ):
        raise guards.overtaken(steps.fresh(version), current.revision)
    steps.contribute(current, by=by, role=Contribution.Role.EDITOR, at=at)
    steps.record("revise", current, by=by, at=at)
    version.refresh_from_db()


@transaction.atomic
def discard(version: Any, *, by: Any, at: datetime | None = None) -> None:
    """Put an open version away. What is live stays."""
    kind = kinds.kind_of(version)
    guards.allowed(by, "maker", kind.program_id(version))
    at = at or timezone.now()
    current = steps.unchanged(version)
    guards.in_state(current, "discard")
    if current.status != Status.DRAFT:
        current = _reopen(current, by=by, at=at, because="was discarded")
    steps.swap(
        current,
        Status.DRAFT,
        Status.DELETED,
        "discard",
        updated_at=at,
        updated_by=by,
    )
    steps.record("discard", current, by=by, at=at)
    versions = steps.siblings(current)
    nothing_left = not (versions.open() | versions.exclude(live_from=None)).exists()
    if kind.discarded and nothing_left:
        kind.discarded(current, by, at)
    version.refresh_from_db()


def _reopen(version: Any, *, by: Any, at: datetime, because: str) -> Any:
    """Dissolve a version's change set, and tell those who were to review it."""
    held, waiting = version.change_set, version.status == Status.PENDING_APPROVAL
    reason = f"{guards.label(version)} {because}."
    current = steps.dissolve(version, by=by, at=at, reason=reason)
    if waiting:
        notices.voided(held, by=by, reason=reason, at=at)
    return current
