"""What approvals is told about tier groups and tiers."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from approvals import kinds
from loyalty import evaluators
from loyalty import registration as loyalty
from loyalty.programs import switch_followers

from . import (
    counts,
    guards,
    judging,
    locks,
    rates,
    rulesets,
    soundness,
    stepping,
    wording,
)
from .models import (
    Tier,
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
            lock=lambda versions: rulesets.lock_groups(v.group_id for v in versions),
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
            lock=lambda versions: rulesets.lock_groups(
                v.tier.group_id for v in versions
            ),
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
            prepare=locks.share,
            evaluate=judging.bring_up_to_date,
            split=rates.split,
            may_split=rates.may_split,
            shortcut=stepping.Shortcut,
        )
    )
    guards.register()


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
    rulesets.rules_changed({version.tier.group_id for version in versions})


def follow_groups(versions: Sequence[Any], at: datetime) -> None:
    rulesets.rules_changed({version.group_id for version in versions})


def follow_programs(versions: Sequence[Any], at: datetime) -> None:
    programs = [version.program_id for version in versions]
    groups = TierGroup.objects.kept().filter(program__in=programs)
    ids = set(groups.values_list("pk", flat=True))
    rulesets.lock_groups(ids)
    rulesets.rules_changed(ids)


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
