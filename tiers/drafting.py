"""Verbs that begin something: a new group, a new tier, the retirement of a group."""

import uuid
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from approvals import lifecycle
from approvals.errors import InvalidTransition
from approvals.models import Contribution, Version
from loyalty.models import Program

from .models import Tier, TierGroup, TierGroupVersion, TierVersion


@transaction.atomic
def add_group(
    program: Program,
    *,
    by: Any,
    source: str = Program.Source.ADMIN,
    at: datetime | None = None,
    **wording: Any,
) -> TierGroupVersion:
    """Make a tier group with a first draft; a program's first is its main group."""
    at = at or timezone.now()
    Program.objects.select_for_update(no_key=True).get(pk=program.pk)
    first = not TierGroup.objects.filter(program=program, is_default=True).exists()
    group = TierGroup.objects.create(
        program=program, is_default=first, source=source, created_at=at, created_by=by
    )
    draft: TierGroupVersion = lifecycle.open_draft(
        TierGroupVersion(group=group, **wording), by=by, at=at
    )
    return draft


@transaction.atomic
def add_tier(
    group: TierGroup,
    *,
    by: Any,
    source: str = Tier.Source.ADMIN,
    slab_id: int | None = None,
    uuid_: uuid.UUID | None = None,
    at: datetime | None = None,
    **wording: Any,
) -> TierVersion:
    """Make a tier with a first draft.

    Its number is the program's highest that no discarded tier holds, plus 1. An
    import may bring its ``slab_id``.
    """
    at = at or timezone.now()
    Program.objects.select_for_update(no_key=True).get(pk=group.program_id)
    highest = (
        Tier.objects.kept()
        .filter(program=group.program_id)
        .aggregate(highest=Max("number"))["highest"]
    )
    tier = Tier(
        group=group,
        program_id=group.program_id,
        number=(highest or 0) + 1,
        source=source,
        slab_id=slab_id,
        created_at=at,
        created_by=by,
    )
    if uuid_:
        tier.uuid = uuid_
    tier.save(force_insert=True)
    is_import = source == Tier.Source.IMPORT
    draft: TierVersion = lifecycle.open_draft(
        TierVersion(tier=tier, **wording),
        by=by,
        at=at,
        role=Contribution.Role.IMPORTER if is_import else Contribution.Role.AUTHOR,
    )
    return draft


@transaction.atomic
def retire(thing: Any, *, by: Any, at: datetime | None = None) -> list[Any]:
    """Open drafts that end a tier, or a group and all of its live tiers."""
    at = at or timezone.now()
    live = thing.versions.live().first()
    if live is None:
        raise InvalidTransition(f"{thing} is not live, so it cannot be retired.")
    ending = [live]
    if isinstance(thing, TierGroup):
        ending += TierVersion.objects.live().filter(tier__group=thing).order_by("pk")
    return [
        lifecycle.draft_change(
            version, by=by, at=at, operation=Version.Operation.RETIRE
        )
        for version in ending
    ]
