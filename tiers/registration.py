"""What approvals is told about tier groups and tiers."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db.models import F
from django.utils import timezone

from approvals import kinds, triggers
from loyalty import evaluators
from loyalty import registration as loyalty
from loyalty.programs import switch_followers

from . import assignment, counts, judging, soundness, wording
from .models import (
    Standing,
    Tier,
    TierAssignment,
    TierGroup,
    TierGroupVersion,
    TierVersion,
)
from .models.tiers import FIRST_SLAB_ID

TIER_GROUP = "tier group"
TIER = "tier"


def register() -> None:
    wording.register()
    kinds.register(
        kinds.Kind(
            name=TIER_GROUP,
            word="tier group",
            version=TierGroupVersion,
            order=30,
            program_id=lambda version: version.group.program_id,
            lock=lambda versions: lock_groups(v.group_id for v in versions),
            checks=[soundness.problems_in_groups_of],
            followers=[follow_groups],
            discarded=discard_group,
        )
    )
    kinds.register(
        kinds.Kind(
            name=TIER,
            word="tier",
            version=TierVersion,
            order=40,
            program_id=lambda version: version.tier.program_id,
            lock=lambda versions: lock_groups(v.tier.group_id for v in versions),
            checks=[soundness.problems_in_groups_of],
            followers=[follow_tiers],
            discarded=discard_tier,
        )
    )
    programs = kinds.kind_named(loyalty.PROGRAM)
    programs.checks.append(soundness.problems_in_programs_of)
    programs.followers.append(follow_programs)
    balances = kinds.kind_named(loyalty.BALANCE_DEFINITION)
    balances.checks.append(soundness.problems_with_balances)
    switch_followers.append(counts.follow_switch)
    evaluators.register(
        evaluators.Evaluator(
            name="tiers",
            prepare=judging.share_groups,
            evaluate=judging.bring_up_to_date,
        )
    )
    triggers.settable_once(TierAssignment, "superseded_at")
    table = TierAssignment._meta.db_table
    triggers.guard(
        TierAssignment,
        "overlap",
        ("INSERT",),
        f"NEW.superseded_at IS NULL AND EXISTS (SELECT 1 FROM {table} o "
        # The sum keeps a planner without statistics from reading the whole group.
        "WHERE o.member_id = NEW.member_id AND o.group_id + 0 = NEW.group_id "
        "AND o.superseded_at IS NULL "
        "AND (o.valid_until IS NULL OR o.valid_until > NEW.valid_from) "
        "AND (NEW.valid_until IS NULL OR NEW.valid_until > o.valid_from))",
        "A member holds one tier of a group at any instant.",
    )
    triggers.guard(
        Standing, "kept", ("DELETE",), "1 = 1", "Standings are brought up to date."
    )


def lock_groups(group_ids: Iterable[int]) -> None:
    ids = sorted(set(group_ids))
    # Not against inserts that refer to a group: drafts go on being made.
    rows = TierGroup.objects.select_for_update(no_key=True).filter(pk__in=ids)
    list(rows.order_by("pk"))


def follow_tiers(versions: Sequence[Any], at: datetime) -> None:
    """Number tiers that are published for the first time, and recount the rest."""
    for version in versions:
        tier = Tier.objects.get(pk=version.tier_id)
        tier.publications += 1
        if tier.first_live_at is None:
            tier.first_live_at = at
            # The slab id rests on the primary key: two publications never collide.
            tier.slab_id = tier.slab_id or FIRST_SLAB_ID + tier.pk
        tier.save(update_fields=["publications", "first_live_at", "slab_id"])
    rules_changed({version.tier.group_id for version in versions})


def follow_groups(versions: Sequence[Any], at: datetime) -> None:
    rules_changed({version.group_id for version in versions})


def follow_programs(versions: Sequence[Any], at: datetime) -> None:
    programs = [version.program_id for version in versions]
    groups = TierGroup.objects.kept().filter(program__in=programs)
    ids = set(groups.values_list("pk", flat=True))
    lock_groups(ids)
    rules_changed(ids)


def rules_changed(group_ids: set[int]) -> None:
    """Renumber the groups' live tiers and judge their members by the new rules.

    Members of a small program move in this very transaction; a large one's are
    left to the next tick, which is made due now.
    """
    groups = TierGroup.objects.filter(pk__in=group_ids).order_by("pk")
    for group in groups:
        number_tiers(group)
    groups.update(ruleset=F("ruleset") + 1)
    for program_id in sorted({group.program_id for group in groups}):
        assignment.request_recalculation(program_id, at=timezone.now())


def number_tiers(group: TierGroup) -> None:
    """Derive serial numbers from the order of the live tiers, 1 at the bottom."""
    version = TierGroupVersion.objects.live().filter(group=group).first()
    live = TierVersion.objects.live().filter(tier__group=group)
    order = soundness.ordered(version, live) if version else []
    numbers = {tier.tier_id: index for index, tier in enumerate(order, start=1)}
    changed = []
    for tier in Tier.objects.filter(group=group):
        if tier.serial_number != numbers.get(tier.pk):
            tier.serial_number = numbers.get(tier.pk)
            changed.append(tier)
    Tier.objects.bulk_update(changed, ["serial_number"])


def discard_tier(version: Any, by: Any, at: datetime) -> None:
    Tier.objects.filter(pk=version.tier_id).update(discarded_at=at)


def discard_group(version: Any, by: Any, at: datetime) -> None:
    """Put a group that was never live away, with the drafts of its tiers."""
    from approvals import lifecycle

    for draft in TierVersion.objects.open().filter(tier__group=version.group_id):
        lifecycle.discard(draft, by=by, at=at)
    TierGroup.objects.filter(pk=version.group_id).update(
        discarded_at=at, is_default=False
    )
