"""What verbs are made of."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models

from .. import audit, fingerprint, kinds
from ..errors import InvalidText, MixedPrograms, NothingChosen
from ..models import ChangeSet, ChangeSetItem, Contribution, Decision, Version
from . import guards, questions

Status = Version.Status


# Reading


def fresh(version: Any) -> Any:
    return type(version)._default_manager.get(pk=version.pk)


def unchanged(version: Any) -> Any:
    """Return the row as it is now, if nobody edited it since ``version`` was read."""
    current = fresh(version)
    if current.revision != version.revision:
        raise guards.overtaken(current, version.revision)
    return current


def unchanged_drafts(versions: Iterable[Any], verb: str) -> list[Any]:
    """Return the rows of drafts, each once and as it was read."""
    chosen = {(type(version), version.pk): version for version in versions}
    drafts = [unchanged(version) for version in chosen.values()]
    for draft in drafts:
        guards.in_state(draft, verb)
    return drafts


def siblings(version: Any) -> Any:
    """All saved versions of the same thing, this one included."""
    table = type(version)._default_manager
    return table.filter(**{f"{version.THING}_id": version.thing_id})


def live_id(version: Any) -> int | None:
    live = siblings(version).filter(status=Status.LIVE)
    return live.values_list("pk", flat=True).first()


def one_program(versions: Sequence[Any]) -> int:
    if not versions:
        raise NothingChosen("Choose at least one change.")
    programs = {kinds.kind_of(v).program_id(v) for v in versions}
    if len(programs) != 1:
        raise MixedPrograms(
            "A change set holds versions of exactly one program; "
            f"these are of {len(programs)}."
        )
    return programs.pop()


# Writing a wording


def expect_wording(version: Any, changes: Iterable[str]) -> None:
    """Refuse to write what the lifecycle owns: a fault of the caller, not a person's."""
    unknown = sorted(set(changes) - {*version.CONTENT, "note"})
    if unknown:
        raise ValueError(f"Not part of a wording: {', '.join(unknown)}.")


def validate(version: Any) -> None:
    """Check what a version says; raise ``ValidationError`` by field."""
    checked = {*version.CONTENT, "note"}
    version.full_clean(
        exclude={f.name for f in version._meta.fields if f.name not in checked},
        validate_unique=False,
        validate_constraints=False,
    )
    errors = _empty_json_errors(version)
    try:
        version.note = guards.readable(version.note)
    except InvalidText as error:
        errors["note"] = [error.message]
    if errors:
        raise ValidationError(errors)


def _empty_json_errors(version: Any) -> dict[str, list[str]]:
    """Look at values that Django's fields let through unseen: [] for an object."""
    errors: dict[str, list[str]] = {}
    for name in version.CONTENT:
        field, value = version._meta.get_field(name), getattr(version, name)
        if not isinstance(field, models.JSONField) or value is None or value:
            continue
        try:
            for validator in field.validators:
                validator(value)
        except ValidationError as error:
            errors[name] = error.messages
    return errors


# Locking


def hold(change_set: ChangeSet) -> ChangeSet:
    """Lock the change set's row and return it as it is now."""
    return ChangeSet.objects.select_for_update(no_key=True).get(pk=change_set.pk)


def lock(versions: Sequence[Any]) -> None:
    """Let publications in a program go one after the other."""
    kinds.programs().lock(one_program(versions))
    for kind, group in kinds.by_kind(versions):
        kind.lock(group)


# Change sets


def bundle(
    versions: Sequence[Any],
    *,
    by: Any,
    note: str = "",
    go_live_at: datetime | None = None,
    roll_out: str = ChangeSet.RollOut.NOW,
    at: datetime,
) -> ChangeSet:
    """Write down what is submitted, for ever."""
    change_set = ChangeSet.objects.create(
        program_id=one_program(versions),
        note=note,
        go_live_at=go_live_at,
        roll_out=roll_out,
        fingerprint=fingerprint_of(
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
            label=guards.label(version)[:200],
            content=fingerprint.content_of(version),
            schema=version.SCHEMA,
            content_hash=fingerprint.content_hash(version),
        )
        for kind, group in kinds.by_kind(versions)
        for version in group
    )
    return change_set


def fingerprint_of(
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


def decide(
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


def replayed(
    change_sets: Iterable[int | None], kind: str, *, by: Any, seen: str
) -> Decision | None:
    """Return the decision if this very person made this very one before."""
    return Decision.objects.filter(
        change_set__in=[pk for pk in change_sets if pk],
        kind=kind,
        decided_by=by,
        fingerprint=seen,
    ).first()


# Moving


def swap(version: Any, source: str, target: str, verb: str, **values: Any) -> None:
    """Move a row from ``source`` to ``target``, or refuse if it has moved on.

    The filter makes this a compare-and-swap: of two people, one wins. It names the
    revision too, so that what moves is what was read.
    """
    rows = type(version)._default_manager.filter(
        pk=version.pk, status=source, revision=version.revision
    )
    if not rows.update(status=target, **values):
        current = fresh(version)
        if current.status == source:
            raise guards.overtaken(current, version.revision)
        raise guards.wrong_state(current, verb)
    version.status = target
    for name, value in values.items():
        setattr(version, name, value)


def dissolve(version: Any, *, by: Any, at: datetime, reason: str) -> Any:
    """Return all versions of ``version``'s change set to DRAFT, and this one."""
    held = hold(version.change_set)
    if version.status == Status.PENDING_APPROVAL:
        guards.undecided(held)
    current = fresh(version)
    if (current.change_set_id, current.status) != (held.pk, version.status):
        raise guards.overtaken(current, version.revision)
    void(held, by=by, at=at, reason=reason, verb="dissolve")
    return fresh(version)


def void(held: ChangeSet, *, by: Any, at: datetime, reason: str, verb: str) -> None:
    """Close a held change set; whatever is still open in it becomes a draft."""
    held.voided_at, held.voided_by, held.void_reason = at, by, reason
    held.due_at = None
    held.save(update_fields=["voided_at", "voided_by", "void_reason", "due_at"])
    for version in questions.versions_of(held):
        if version.change_set_id != held.pk or not version.is_open:
            continue
        swap(
            version,
            version.status,
            Status.DRAFT,
            verb,
            change_set=None,
            content_hash="",
            approved_at=None,
            approved_by=None,
        )
        record(verb, version, by=by, at=at, reason=reason)


# Remembering


def contribute(version: Any, *, by: Any, role: str, at: datetime) -> None:
    """Write down whose hand was in a version; behind an API key there may be two."""
    hands = {by.pk: role}
    for user_id in getattr(by, "behind_key", ()):
        hands[user_id] = Contribution.Role.KEY_OWNER
    Contribution.objects.bulk_create(
        [
            Contribution(
                kind=kinds.kind_of(version).name,
                version_id=version.pk,
                user_id=user_id,
                role=role,
                created_at=at,
            )
            for user_id, role in hands.items()
        ],
        ignore_conflicts=True,
    )


def record(verb: str, version: Any, *, by: Any, at: datetime, reason: str = "") -> None:
    kind = kinds.kind_of(version)
    audit.record(
        verb,
        by=by,
        program_id=kind.program_id(version),
        kind=kind.name,
        object_id=version.thing_id,
        label=guards.label(version),
        reason=reason,
        at=at,
    )
