"""Writing straight to live, for systems that know no drafts.

Each verb is a draft and its publication in one transaction, where the program asks for
no reviewer. What is open of the same thing stays open; its base has then moved.

Callers name the revision that they read: of a tier, how often it was published, and of
a program's settings the count of their own. It is compared under the lock on the
program that every publication takes first, so that of two who write at once one wins.
"""

import uuid
from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from approvals import audit, kinds, lifecycle
from approvals.errors import ApprovalRequired, Refused, StaleEdit
from approvals.lifecycle import guards
from approvals.models import Version
from approvals.text import comparable
from loyalty import programs
from loyalty.models import Membership, Program, ProgramVersion

from . import drafting, locks
from .errors import LimitReached, ProgramInUse, Taken, TierNotLive
from .models import Tier, TierGroup, TierVersion

NameRule = ProgramVersion.NameRule
Entry = TierVersion.Entry
TiersStatus = Program.TiersStatus


# Tiers


@transaction.atomic
def add_tiers(
    program: Program,
    wordings: Sequence[dict[str, Any]],
    *,
    by: Any,
    most: int | None = None,
) -> list[TierVersion | Refused]:
    """Publish new tiers of the main group together; one that cannot be, says why.

    ``most`` is how many tiers with a threshold the caller allows.
    """
    _begin(program, by)
    group, drafts = _main_group(program, by)
    rule = _live(program).tier_name_rule
    live = list(_measured(group))
    outcomes: list[TierVersion | Refused] = []
    for wording in wordings:
        try:
            if most is not None and len(live) >= most:
                raise LimitReached(f"There can be {most} tiers, not more.", most=most)
            _expect_free(wording, live, rule)
        except Refused as refusal:
            outcomes.append(refusal)
            continue
        draft = drafting.add_tier(
            group, by=by, source=Tier.Source.API, entry=Entry.MEASURED, **wording
        )
        live.append(draft)
        drafts.append(draft)
        outcomes.append(draft)
    if live and drafts:
        lifecycle.publish_now(drafts, by=by)
    for outcome in outcomes:
        if isinstance(outcome, TierVersion):
            outcome.tier.refresh_from_db()
    return outcomes


def add_tier(
    program: Program, wording: dict[str, Any], *, by: Any, most: int | None = None
) -> TierVersion:
    (outcome,) = add_tiers(program, [wording], by=by, most=most)
    if isinstance(outcome, Refused):
        raise outcome
    return outcome


@transaction.atomic
def change_tier(
    tier: Tier, changes: dict[str, Any], *, by: Any, revision: int
) -> TierVersion:
    """Publish a live tier's next wording."""
    _begin(tier.program, by)
    live = _expect_revision(tier, revision)
    others = _measured(tier.group).exclude(tier=tier)
    _expect_free(changes, others, _live(tier.program).tier_name_rule)
    draft: TierVersion = lifecycle.draft_change(
        live, by=by, changes=changes, direct=True
    )
    lifecycle.publish_now([draft], by=by)
    draft.tier.refresh_from_db()
    return draft


@transaction.atomic
def retire_tier(tier: Tier, *, by: Any, revision: int) -> None:
    """End a live tier; who holds it moves in the same transaction, or by a run."""
    _begin(tier.program, by)
    live = _expect_revision(tier, revision)
    retirement = Version.Operation.RETIRE
    draft = lifecycle.draft_change(live, by=by, operation=retirement, direct=True)
    lifecycle.publish_now([draft], by=by)


# Programs


@transaction.atomic
def begin_program(
    uuid_: uuid.UUID,
    *,
    by: Any,
    source: str,
    name: str,
    status: str,
    own_name: bool = False,
    **wording: Any,
) -> Program:
    """Make a program that asks for no reviewer, its tiers switched as they should be.

    ``own_name`` is for systems that tell programs apart by name.
    """
    if own_name:
        _expect_own_name(name, by=by)
    program = programs.create_program(
        by=by,
        uuid_=uuid_,
        source=source,
        name=name,
        approval_required=False,
        **wording,
    )
    _switch(program, status, by=by)
    Program.objects.filter(pk=program.pk).update(settings_revision=1)
    return program


@transaction.atomic
def change_program(
    program: Program, changes: dict[str, Any], *, by: Any, own_name: bool = False
) -> None:
    """Publish a program's next wording."""
    if own_name and "name" in changes:
        _expect_own_name(changes["name"], by=by, program=program)
    _begin(program, by)
    live = _live(program)
    if any(getattr(live, name) != value for name, value in changes.items()):
        draft = lifecycle.draft_change(live, by=by, changes=changes, direct=True)
        lifecycle.publish_now([draft], by=by)


@transaction.atomic
def discard_program(program: Program, *, by: Any, at: datetime | None = None) -> None:
    """Put a program away that nobody takes part in: it exists for nobody any more.

    What happened in it is kept.
    """
    _begin(program, by)
    # Nobody joins any more.
    locks.hold(program.pk)
    at = at or timezone.now()
    taking_part = Membership.objects.filter(
        Q(ended_at__isnull=True) | Q(ended_at__gt=at), member__program=program
    ).count()
    if taking_part:
        many = "1 person takes" if taking_part == 1 else f"{taking_part:,} people take"
        raise ProgramInUse(
            f"{many} part in this program. Remove them first; what they earned is "
            "kept.",
            members=taking_part,
        )
    _switch(program, TiersStatus.DISABLED, by=by)
    Program.objects.filter(pk=program.pk).update(discarded_at=at)
    audit.record(
        "discard_program",
        by=by,
        program_id=program.pk,
        kind="program",
        object_id=program.pk,
        label=_live(program).name,
        at=at,
    )


@transaction.atomic
def replace_settings(
    program: Program, wording: dict[str, Any], *, by: Any, status: str, revision: int
) -> None:
    """Publish a program's next wording and switch its tiers; both, or nothing.

    However many steps that takes, the revision of the settings rises by one.
    """
    _begin(program, by)
    current = Program.objects.get(pk=program.pk)
    if current.settings_revision != revision:
        raise StaleEdit(
            f"The settings are at revision {current.settings_revision} by now, and "
            f"{revision} was read. Nothing was saved.",
            revision=current.settings_revision,
        )
    live = _live(program)
    changes = {
        name: value for name, value in wording.items() if getattr(live, name) != value
    }
    if changes:
        draft = lifecycle.draft_change(live, by=by, changes=changes, direct=True)
        lifecycle.publish_now([draft], by=by)
    _switch(current, status, by=by)
    Program.objects.filter(pk=program.pk).update(settings_revision=revision + 1)


def _switch(program: Program, status: str, *, by: Any) -> None:
    for verb in _way(program.tiers_status, status):
        reason = f"Set to {status} by a system that writes straight to live."
        programs.switch_tiers(program, verb, by=by, reason=reason)


def _way(source: str, target: str) -> tuple[str, ...]:
    """Return the fewest switches that lead from one status of tiers to another."""
    ways: deque[tuple[str, tuple[str, ...]]] = deque([(source, ())])
    while ways:
        status, verbs = ways.popleft()
        if status == target:
            return verbs
        ways.extend(
            (after, (*verbs, verb))
            for verb, (_label, sources, after) in programs.SWITCHES.items()
            if status in sources
        )
    raise ValueError(f"No switch leads to {target}.")


# Steps


def expect_writable(program: Program, *, by: Any) -> None:
    """Refuse whoever may not write to a program, or not without a reviewer."""
    guards.allowed(by, "maker", program.pk)
    guards.publisher(by)
    if kinds.programs().approval_required(program.pk):
        raise ApprovalRequired(
            f"Changes to {kinds.programs().name(program.pk)} are approved by a "
            "reviewer, so they cannot be written straight to live. Draft this one in "
            "the admin, under “Tiers” or “Programs”, and submit it there."
        )


def _begin(program: Program, by: Any) -> None:
    """Lock the program, and look again whether it can be written to."""
    kinds.programs().lock(program.pk)
    expect_writable(program, by=by)


def _expect_own_name(name: str, *, by: Any, program: Program | None = None) -> None:
    """Refuse a name that another program has, of those that exist for the caller."""
    locks.hold_names()
    others = ProgramVersion.objects.live().filter(
        program__in=Program.objects.visible_to(by)
    )
    if program is not None:
        others = others.exclude(program=program)
    if others.filter(name=name.strip()).exists():
        raise Taken(f"Another program is called {name.strip()}.", field="name")


def _live(program: Program) -> ProgramVersion:
    version: ProgramVersion = program.versions.live().get()
    return version


def _main_group(program: Program, by: Any) -> tuple[TierGroup, list[Any]]:
    """Return the program's main group, and what is to be published for it first."""
    group = TierGroup.objects.filter(program=program, is_default=True).first()
    if group:
        return group, []
    draft = drafting.add_group(program, by=by, source=program.source, name="Tiers")
    return draft.group, [draft]


def _measured(group: TierGroup) -> Any:
    live = TierVersion.objects.live().filter(tier__group=group)
    return live.filter(entry=Entry.MEASURED, threshold__isnull=False)


def _expect_revision(tier: Tier, revision: int) -> TierVersion:
    """Return a tier's live version, if it was published just so many times."""
    live: TierVersion | None = (
        TierVersion.objects.live().select_related("tier").filter(tier=tier).first()
    )
    if live is None:
        raise TierNotLive("That is not one of the program's live tiers.")
    if live.tier.publications != revision:
        raise StaleEdit(
            f"{live.name} is at revision {live.tier.publications} by now, and "
            f"{revision} was read. Nothing was saved.",
            revision=live.tier.publications,
        )
    return live


def _expect_free(
    wording: dict[str, Any], others: Iterable[TierVersion], rule: str
) -> None:
    """Refuse a name or a threshold that another tier of the group has."""
    for other in others:
        name = wording.get("name")
        if name is not None and _same_name(name, other.name, rule):
            raise Taken(f"Another tier is called {other.name}.", field="name")
        threshold = wording.get("threshold")
        if threshold is not None and Decimal(threshold) == other.threshold:
            raise Taken(
                f"{other.name} asks for {threshold} points already.", field="threshold"
            )


def _same_name(one: str, other: str, rule: str) -> bool:
    if rule == NameRule.CASEFOLD:
        return comparable(one) == comparable(other)
    return rule == NameRule.EXACT and one.strip() == other.strip()
