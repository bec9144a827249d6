"""When the rules of groups change: the locks, the numbers, and who is judged anew."""

from collections.abc import Iterable
from uuid import uuid4

from django.db.models import F
from django.utils import timezone

from . import assignment, locks, soundness
from .models import Tier, TierGroup, TierGroupVersion, TierVersion


def lock_groups(group_ids: Iterable[int]) -> None:
    ids = sorted(set(group_ids))
    locks.hold_groups(ids)
    # Not against inserts that refer to a group: drafts go on being made.
    rows = TierGroup.objects.select_for_update(no_key=True).filter(pk__in=ids)
    list(rows.order_by("pk"))


def rules_changed(group_ids: set[int]) -> None:
    """Renumber the groups' live tiers and judge their members by the new rules.

    Members of a small program move in this very transaction; a large one's by a run
    that any number of workers carry out.
    """
    groups = TierGroup.objects.filter(pk__in=group_ids).order_by("pk")
    for group in groups:
        number_tiers(group)
        TierGroup.objects.filter(pk=group.pk).update(
            ruleset=F("ruleset") + 1, ruleset_key=uuid4()
        )
    for program_id in sorted({group.program_id for group in groups}):
        assignment.follow_rules(program_id, at=timezone.now())


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
