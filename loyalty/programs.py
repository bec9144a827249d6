"""Verbs on programs: make one, switch its tiers."""

import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from approvals import audit, lifecycle
from approvals.errors import InvalidTransition, NotAllowed

from .models import (
    BalanceDefinition,
    BalanceDefinitionVersion,
    Program,
    ProgramVersion,
    Reward,
)

TiersStatus = Program.TiersStatus

#: verb -> (label, statuses from which, status to which)
SWITCHES: dict[str, tuple[str, tuple[str, ...], str]] = {
    "activate": (
        "Activate tiers",
        (TiersStatus.DISABLED, TiersStatus.DRAFT),
        TiersStatus.ACTIVE,
    ),
    "prepare": ("Prepare tiers", (TiersStatus.DISABLED,), TiersStatus.DRAFT),
    "pause": ("Pause tiers", (TiersStatus.ACTIVE,), TiersStatus.PAUSED),
    "resume": ("Resume tiers", (TiersStatus.PAUSED,), TiersStatus.ACTIVE),
    "disable": (
        "Disable tiers",
        (TiersStatus.ACTIVE, TiersStatus.PAUSED, TiersStatus.DRAFT),
        TiersStatus.DISABLED,
    ),
}

#: Called with the program and the instant, in the transaction of a switch: what
#: people and systems read of it changes from the same commit on.
switch_followers: list[Callable[[Program, datetime], None]] = []

BUILT_IN = (
    (BalanceDefinition.BuiltIn.POINTS, "Points", "POINTS", 0),
    (BalanceDefinition.BuiltIn.PURCHASES, "Purchases", "EUR", 2),
    (BalanceDefinition.BuiltIn.VISITS, "Visits", "VISITS", 0),
)


@transaction.atomic
def create_program(
    *,
    by: Any,
    name: str,
    approval_required: bool = True,
    currency: str = "EUR",
    internal_balances: bool = False,
    source: str = Program.Source.ADMIN,
    pk: int | None = None,
    uuid_: uuid.UUID | None = None,
    at: datetime | None = None,
    **wording: Any,
) -> Program:
    """Make a program with its built-in balances; its first wording is live at once.

    That is the one publication that needs no reviewer: nothing stands on it yet.
    ``internal_balances`` are the built-in ones where a program is to have balances of
    its own only. ``wording`` holds any other field of ``ProgramVersion``.
    """
    at = at or timezone.now()
    program = Program(pk=pk, source=source, created_at=at, created_by=by)
    if uuid_:
        program.uuid = uuid_
    program.save(force_insert=True)
    if pk is not None:
        _move_sequence_past(pk)
    versions: list[Any] = [
        lifecycle.open_draft(
            ProgramVersion(
                program=program,
                name=name,
                approval_required=approval_required,
                **wording,
            ),
            by=by,
            at=at,
        )
    ]
    for built_in, label, unit, scale in BUILT_IN:
        definition = BalanceDefinition.objects.create(
            program=program,
            built_in=built_in,
            scale=scale,
            created_at=at,
            created_by=by,
        )
        is_money = built_in == BalanceDefinition.BuiltIn.PURCHASES
        versions.append(
            lifecycle.open_draft(
                BalanceDefinitionVersion(
                    balance_definition=definition,
                    name=label,
                    unit=currency if is_money else unit,
                    is_internal=internal_balances,
                    # Only points are spent; the others may be corrected below zero.
                    minimum=(
                        0 if built_in == BalanceDefinition.BuiltIn.POINTS else None
                    ),
                ),
                by=by,
                at=at,
            )
        )
    lifecycle.publish_now(versions, by=by, at=at)
    return program


def _move_sequence_past(pk: int) -> None:
    """See to it that the next id is free; PostgreSQL does not notice given ones.

    Never back: somebody who has not committed yet may have the ids in between.
    """
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT setval(s, %s) FROM pg_get_serial_sequence(%s, 'id') s "
            "WHERE coalesce(pg_sequence_last_value(s::regclass), 0) < %s",
            [pk, Program._meta.db_table, pk],
        )


@transaction.atomic
def add_balance_definition(
    program: Program,
    *,
    by: Any,
    scale: int = 0,
    at: datetime | None = None,
    **wording: Any,
) -> BalanceDefinitionVersion:
    """Make a balance definition with a first draft of what it is called."""
    at = at or timezone.now()
    definition = BalanceDefinition.objects.create(
        program=program, scale=scale, created_at=at, created_by=by
    )
    draft: BalanceDefinitionVersion = lifecycle.open_draft(
        BalanceDefinitionVersion(balance_definition=definition, **wording),
        by=by,
        at=at,
    )
    return draft


@transaction.atomic
def add_reward(
    program: Program, *, by: Any, at: datetime | None = None, **wording: Any
) -> Reward:
    """Keep what a reward is called, so that tiers can name it."""
    at = at or timezone.now()
    if not lifecycle.may(by, "maker", program.pk):
        raise NotAllowed(f"{by.get_username()} may not change this program.")
    reward = Reward(program=program, created_at=at, created_by=by, **wording)
    reward.full_clean(validate_unique=False, validate_constraints=False)
    reward.save(force_insert=True)
    audit.record(
        "add_reward",
        by=by,
        program_id=program.pk,
        kind="program",
        object_id=program.pk,
        label=reward.name,
        at=at,
    )
    return reward


@transaction.atomic
def switch_tiers(
    program: Program, verb: str, *, by: Any, reason: str, at: datetime | None = None
) -> None:
    """Activate, prepare, pause, resume or disable a program's tiers, at once."""
    at = at or timezone.now()
    label, sources, target = SWITCHES[verb]
    if not by.has_perm("loyalty.operate_programs") or not (
        Program.objects.visible_to(by).filter(pk=program.pk).exists()
    ):
        raise NotAllowed(f"{by.get_username()} may not switch this program's tiers.")
    reason = lifecycle.reason_given(reason, f"“{label}”")
    swapped = Program.objects.filter(pk=program.pk, tiers_status__in=sources).update(
        tiers_status=target, settings_revision=F("settings_revision") + 1
    )
    if not swapped:
        current = Program.objects.get(pk=program.pk)
        raise InvalidTransition(
            f"Cannot {label.lower()}: they are "
            f"{current.get_tiers_status_display().lower()}."
        )
    audit.record(
        verb,
        by=by,
        program_id=program.pk,
        kind="program",
        object_id=program.pk,
        label=str(Program.objects.with_live().get(pk=program.pk)),
        reason=reason,
        at=at,
    )
    program.tiers_status = target
    for follow in switch_followers:
        follow(program, at)
