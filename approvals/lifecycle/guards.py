"""Each refuses one thing, in a sentence for the person at the door."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.utils import timezone

from .. import audit, fingerprint, kinds, text
from ..errors import (
    AlreadyDecided,
    ContentChanged,
    DraftExists,
    InvalidText,
    InvalidTransition,
    NotAllowed,
    ReasonRequired,
    Refused,
    SelfApproval,
    StaleEdit,
    Unsound,
)
from ..models import AuditEvent, ChangeSet, Decision
from ..transitions import TRANSITIONS
from . import questions


def allowed(by: Any, role: str, program_id: int) -> None:
    if not questions.may(by, role, program_id):
        raise NotAllowed(
            f"{name_of(by)} may not do this in {kinds.programs().name(program_id)}."
        )


def publisher(by: Any) -> None:
    """Refuse an API key that may draft only; a person who may draft may publish."""
    if not getattr(by, "may_publish", True):
        raise NotAllowed(f"{name_of(by)} may draft changes, but not publish them.")


def in_state(version: Any, verb: str) -> None:
    if version.status not in TRANSITIONS[verb].sources:
        raise wrong_state(version, verb)


def undecided(held: ChangeSet) -> None:
    decision = Decision.objects.filter(change_set=held).first()
    if decision:
        what = decision.get_kind_display().lower()
        raise AlreadyDecided(
            f"{name_of(decision.decided_by)} {what} this change on "
            f"{when(decision.decided_at)}.",
            decided_by=name_of(decision.decided_by),
            decided_at=decision.decided_at,
            kind=decision.kind,
        )
    not_taken_back(held)


def not_taken_back(held: ChangeSet) -> None:
    if held.voided_at:
        raise AlreadyDecided(
            f"{name_of(held.voided_by)} took this change back on "
            f"{when(held.voided_at)}. {held.void_reason}",
            decided_by=name_of(held.voided_by),
            decided_at=held.voided_at,
            kind="VOIDED",
        )


def stranger(by: Any, held: ChangeSet) -> None:
    if by.pk in held.contributor_ids:
        raise SelfApproval(
            f"{name_of(by)} worked on this change, so somebody else has to approve it."
        )


def had_a_hand(by: Any, held: ChangeSet) -> None:
    if by.pk not in held.contributor_ids:
        raise NotAllowed("Only somebody who worked on a change can withdraw it.")


def as_read(actual: str, seen: str) -> None:
    if actual != seen:
        raise ContentChanged(
            "This change is not what was on your page any more. "
            "Read it again, then decide.",
            fingerprint=actual,
        )


def as_submitted(held: ChangeSet, versions: Iterable[Any]) -> None:
    """Refuse when a version says anything else than its item in the change set.

    Triggers freeze both; this is for what they cannot see, such as a row that was
    put back by somebody who had switched them off.
    """
    items = {(item.kind, item.version_id): item for item in held.items.all()}
    for version in versions:
        item = items[kinds.kind_of(version).name, version.pk]
        content = fingerprint.content_of(version)
        # Fields that a later release added have no place in the item.
        said = {name: content.get(name) for name in item.content}
        if (
            said != item.content
            or version.operation != item.operation
            or version.content_hash not in ("", item.content_hash)
        ):
            raise ContentChanged(
                f"{label(version)} is not what was submitted any more. "
                "Have it edited and submitted again."
            )


def sound(versions: Sequence[Any]) -> None:
    problems = [
        problem
        for kind, group in kinds.by_kind(versions)
        for check in kind.checks
        for problem in check(group, versions)
    ]
    problems = list(dict.fromkeys(problems))
    if problems:
        raise Unsound(" ".join(problems), problems=problems)


def readable(words: str) -> str:
    """Return a note or comment without surrounding space, if people can read it."""
    words = words.strip()
    try:
        text.validate_text(words)
    except ValidationError as error:
        raise InvalidText(" ".join(error.messages)) from None
    return words


def reason_given(comment: str, doing: str) -> str:
    """Return a comment without surrounding space, if there is one to read."""
    comment = readable(comment)
    if not comment:
        raise ReasonRequired(f"Say why: {doing} needs a reason that others can read.")
    return comment


# Refusals that several guards and steps raise


def wrong_state(version: Any, verb: str) -> InvalidTransition:
    words = TRANSITIONS[verb].label.lower() if verb in TRANSITIONS else verb
    return InvalidTransition(
        f"Cannot {words} {label(version)} version {version.number}: it is "
        f"{version.get_status_display().lower()}.",
        status=version.status,
    )


def draft_exists(version: Any) -> DraftExists:
    return DraftExists(
        f"{label(version)} already has an open version, by "
        f"{name_of(version.created_by)} of {when(version.created_at)}: "
        f"{version.get_status_display().lower()}.",
        version_id=version.pk,
        object_id=version.object_id,
        created_by=name_of(version.created_by),
        created_at=version.created_at,
    )


def overtaken(current: Any, revision: int) -> Refused:
    """Say who was faster: somebody who edited the version, or who moved it on."""
    if current.revision != revision:
        who, at = name_of(current.updated_by), current.updated_at
        what = "changed"
    else:
        kind = kinds.kind_of(current)
        about = AuditEvent.objects.about(kind.name, current.thing_id)
        last = about.order_by("-pk").first()
        if last is None:
            return wrong_state(current, "revise")
        who, at = last.actor_name, last.created_at
        what = f"moved on, to {current.get_status_display().lower()},"
    return StaleEdit(
        f"{who} {what} {label(current)} on {when(at)}, after your page was opened. "
        "Nothing was saved.",
        changed_by=who,
        changed_at=at,
        revision=current.revision,
        status=current.status,
    )


def label(version: Any) -> str:
    return getattr(version, "name", "") or str(version.thing)


def name_of(user: Any) -> str:
    return user.get_username() if user else audit.SCHEDULER


def when(instant: datetime) -> str:
    return f"{timezone.localtime(instant):%d %B %Y at %H:%M}"
