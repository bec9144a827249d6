"""Rules that the live tiers of a group keep together.

They are checked when a change set is submitted, and again under the group's lock
when it is published: two changes, each fine alone, may not be fine together.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from loyalty.models import ProgramVersion

from .models import TierGroup, TierGroupVersion, TierVersion

NameRule = ProgramVersion.NameRule


@dataclass
class Outcome:
    """What would be live in a group, were a change set live."""

    group: TierGroup
    version: TierGroupVersion | None
    tiers: list[TierVersion]
    name_rule: str


def problems_in_groups_of(versions: Sequence[Any], every: Sequence[Any]) -> list[str]:
    """Check the groups that tier or group versions belong to."""
    ids = {
        v.group_id if isinstance(v, TierGroupVersion) else v.tier.group_id
        for v in versions
    }
    groups = TierGroup.objects.filter(pk__in=ids).order_by("pk")
    return [p for group in groups for p in problems(outcome(group, every))]


def problems_in_programs_of(versions: Sequence[Any], every: Sequence[Any]) -> list[str]:
    """Check the groups of programs whose rule on names changes."""
    ids = {v.program_id for v in versions}
    groups = TierGroup.objects.kept().filter(program__in=ids).order_by("pk")
    return [p for group in groups for p in problems(outcome(group, every))]


def problems_with_balances(versions: Sequence[Any], every: Sequence[Any]) -> list[str]:
    """Refuse to retire a balance that live tiers or groups are measured by."""
    found = []
    for version in versions:
        if not version.is_retirement:
            continue
        definition = version.balance_definition
        for group in TierGroup.objects.kept().filter(program=definition.program_id):
            after = outcome(group, every)
            used = any(
                measured and measured.measured_balance_id == definition.pk
                for measured in (after.version, *after.tiers)
            ) or any(
                condition["balance_definition"] == definition.pk
                for tier in after.tiers
                for condition in tier.access_conditions
            )
            if used:
                found.append(
                    f"{version.name} cannot be retired: tiers are measured by it."
                )
    return found


def outcome(group: TierGroup, changed: Iterable[Any]) -> Outcome:
    """Put the versions of a change set in the place of those that are live."""
    changed = list(changed)
    own = [v for v in changed if isinstance(v, TierGroupVersion)]
    own = [v for v in own if v.group_id == group.pk]
    tiers = [
        v for v in changed if isinstance(v, TierVersion) and v.tier.group_id == group.pk
    ]
    programs = [
        v
        for v in changed
        if isinstance(v, ProgramVersion) and v.program_id == group.program_id
    ]
    version: TierGroupVersion | None = (
        own[0] if own else TierGroupVersion.objects.live().filter(group=group).first()
    )
    if version and version.is_retirement:
        version = None
    untouched = (
        TierVersion.objects.live()
        .filter(tier__group=group)
        .exclude(tier__in=[v.tier_id for v in tiers])
    )
    rule = (
        programs[0].tier_name_rule
        if programs
        else ProgramVersion.objects.live()
        .filter(program=group.program_id)
        .values_list("tier_name_rule", flat=True)
        .first()
    )
    return Outcome(
        group=group,
        version=version,
        tiers=[*untouched, *(v for v in tiers if not v.is_retirement)],
        name_rule=rule or NameRule.CASEFOLD,
    )


def problems(after: Outcome) -> list[str]:
    """Return a sentence for each rule that the outcome breaks."""
    if after.version is None:
        if not after.tiers:
            return []
        names = ", ".join(tier.name for tier in after.tiers)
        return [
            f"{names}: the group of these tiers would not be live. Publish the group "
            "with them, or retire them with it."
        ]
    return [*_base(after), *_names(after), *_thresholds(after)]


def ordered(version: TierGroupVersion, tiers: Iterable[TierVersion]) -> list[Any]:
    """Return live tiers from lowest to highest.

    The group's own order comes first; tiers that it does not name follow behind,
    by threshold, tiers by assignment only last.
    """
    place = {tier_id: index for index, tier_id in enumerate(version.tier_order)}
    entry = TierVersion.Entry

    def rank(tier: TierVersion) -> tuple[Any, ...]:
        return (
            # Whatever the order says: nothing is below the base tier.
            tier.entry != entry.BASE,
            place.get(tier.tier_id, len(place)),
            tier.entry == entry.MANUAL,
            tier.threshold if tier.threshold is not None else _least(tier),
            tier.tier_id,
        )

    return sorted(tiers, key=rank)


def _least(tier: TierVersion) -> int:
    return sum(condition["minimum"] for condition in tier.access_conditions)


def _base(after: Outcome) -> list[str]:
    bases = [t for t in after.tiers if t.entry == TierVersion.Entry.BASE]
    if len(bases) < 2:
        return []
    names = " and ".join(sorted(t.name for t in bases))
    return [f"{names} are both for everybody who reaches no other tier; one can be."]


def _names(after: Outcome) -> list[str]:
    if after.name_rule == NameRule.NONE:
        return []
    seen: dict[str, str] = {}
    found = []
    for tier in sorted(after.tiers, key=lambda t: t.tier_id):
        key = tier.name.strip()
        if after.name_rule == NameRule.CASEFOLD:
            key = unicodedata.normalize("NFKC", key).casefold().strip()
        if key in seen:
            found.append(
                f"The name {tier.name} is taken by another tier of the group"
                + (f", {seen[key]}." if seen[key] != tier.name else ".")
            )
        seen[key] = tier.name
    return found


def _thresholds(after: Outcome) -> list[str]:
    assert after.version is not None
    found = []
    highest: dict[Any, TierVersion] = {}
    conditions: dict[frozenset[tuple[int, int]], TierVersion] = {}
    for tier in ordered(after.version, after.tiers):
        if tier.access_conditions:
            key = frozenset(
                (c["balance_definition"], c["minimum"]) for c in tier.access_conditions
            )
            if key in conditions:
                found.append(
                    f"{tier.name} asks for the same as {conditions[key].name}."
                )
            conditions[key] = tier
        if tier.threshold is None:
            continue
        measure = measure_of(tier, after.version)
        below = highest.get(measure)
        if below is not None and below.threshold is not None:
            if tier.threshold == below.threshold:
                found.append(
                    f"{tier.name} asks for {tier.threshold.normalize():f}, as "
                    f"{below.name} does: each tier needs a threshold of its own."
                )
            elif tier.threshold < below.threshold:
                found.append(
                    f"{tier.name} stands above {below.name} but asks for "
                    f"{tier.threshold.normalize():f}, less than "
                    f"{below.threshold.normalize():f}."
                )
        highest[measure] = tier
    return found


def measure_of(tier: TierVersion, group: TierGroupVersion) -> tuple[Any, ...]:
    """Return what a tier's threshold is compared with; empty parts are defaults."""
    if tier.measure or tier.measured_balance_id:
        return (
            tier.measure,
            tier.measured_balance_id,
            tier.window_kind,
            tier.window_months,
        )
    return (
        group.measure,
        group.measured_balance_id,
        group.window_kind,
        tier.window_months or group.window_months,
    )
