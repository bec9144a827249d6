"""What approvals is told about programs and balance definitions."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import F, Q
from django.utils import timezone

from approvals import kinds
from approvals.text import comparable

from . import guards, points, wording
from .models import (
    BalanceDefinition,
    BalanceDefinitionVersion,
    Program,
    ProgramVersion,
)

PROGRAM = "program"
BALANCE_DEFINITION = "balance definition"


def register() -> None:
    wording.register()
    kinds.register_programs(
        kinds.Programs(
            name=program_name,
            names=program_names,
            lock=lock_program,
            approval_required=approval_required,
            visible_to=visible_program_ids,
            waiver_sql=waiver_sql(),
        )
    )
    kinds.register(
        kinds.Kind(
            name=PROGRAM,
            word="program",
            version=ProgramVersion,
            order=10,
            program_id=lambda version: version.program_id,
            lock=lambda versions: None,
            checks=[program_problems],
            followers=[count_settings_revision],
        )
    )
    kinds.register(
        kinds.Kind(
            name=BALANCE_DEFINITION,
            word="balance definition",
            version=BalanceDefinitionVersion,
            order=20,
            program_id=lambda version: version.balance_definition.program_id,
            lock=lambda versions: None,
            checks=[balance_problems],
            followers=[follow_terms],
            discarded=discard_balance_definition,
        )
    )
    guards.register()


def program_name(program_id: int) -> str:
    versions = ProgramVersion.objects.filter(program=program_id)
    # What was never live comes last, on every engine: a draft names nothing yet.
    latest = versions.order_by(F("live_from").desc(nulls_last=True), "number")
    return latest.values_list("name", flat=True).first() or f"Program {program_id}"


def program_names() -> dict[int, str]:
    programs = Program.objects.with_live().order_by("pk")
    return {program.pk: str(program) for program in programs}


def approval_required(program_id: int) -> bool:
    """Tell whether the live version asks for approval; no live version asks for none."""
    live = ProgramVersion.objects.filter(program=program_id).live()
    return bool(live.values_list("approval_required", flat=True).first())


def visible_program_ids(user: Any) -> set[int] | None:
    only: int | None = getattr(user, "only_program_id", None)
    limits = set(user.program_limits.values_list("program_id", flat=True))
    if only is None:
        return limits or None
    return {only} if not limits or only in limits else set()


def waiver_sql() -> str:
    """SQL: ``{program}`` publishes without approval, ``{version}`` left aside.

    The program's latest version that was ever live decides, so that the very
    version that turns approval on can still be published without it, and the one
    that turns it off cannot. A program's first version has none before it.
    """
    table = ProgramVersion._meta.db_table
    earlier = (
        f"SELECT p.approval_required FROM {table} p "
        "WHERE p.program_id = {program} AND p.id <> {version} "
        "AND p.live_from IS NOT NULL "
        "ORDER BY p.live_from DESC, p.number DESC LIMIT 1"
    )
    return f"NOT COALESCE(({earlier}), FALSE)"


def lock_program(program_id: int) -> None:
    # Not against inserts that refer to the program: points go on being posted.
    Program.objects.select_for_update(no_key=True).get(pk=program_id)


def program_problems(versions: Sequence[Any], every: Sequence[Any]) -> list[str]:
    return [
        f"{version.name} cannot be retired: pause its tiers instead."
        for version in versions
        if version.is_retirement
    ]


def balance_problems(versions: Sequence[Any], every: Sequence[Any]) -> list[str]:
    """Check that built-in balances stay, and that names differ in a program.

    What is built in and internal takes no name: who made the program has their own.
    """
    changed = {version.balance_definition_id: version for version in versions}
    programs = {version.balance_definition.program_id for version in versions}
    untouched = (
        BalanceDefinitionVersion.objects.live()
        .filter(balance_definition__program__in=programs)
        .exclude(balance_definition__in=changed)
    )
    problems = []
    untouched = untouched.exclude(_HIDDEN)
    taken = {comparable(version.name) for version in untouched}
    for version in changed.values():
        if version.is_retirement:
            if version.balance_definition.built_in:
                problems.append(f"{version.name} is built in and cannot be retired.")
            continue
        if version.balance_definition.built_in and version.is_internal:
            continue
        if comparable(version.name) in taken:
            problems.append(
                f"Another balance of the program is called {version.name} already."
            )
        taken.add(comparable(version.name))
    return problems


_HIDDEN = Q(is_internal=True) & ~Q(balance_definition__built_in="")


def count_settings_revision(versions: Sequence[Any], at: datetime) -> None:
    ids = [version.program_id for version in versions]
    Program.objects.filter(pk__in=ids).update(
        settings_revision=F("settings_revision") + 1
    )


def follow_terms(versions: Sequence[Any], at: datetime) -> None:
    """Tell what was earned since ``at``, when a scheduled change was to go live."""
    for version in versions:
        if version.availability_value or version.expires_on:
            definition = version.balance_definition_id
            points.follow_terms(definition, since=at, at=timezone.now())


def discard_balance_definition(version: Any, by: Any, at: datetime) -> None:
    BalanceDefinition.objects.filter(pk=version.balance_definition_id).update(
        discarded_at=at
    )
