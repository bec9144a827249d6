"""Rules that the live tiers of a group keep together.

They are checked when a change set is submitted, and again under the group's lock
when it is published: two changes, each fine alone, may not be fine together.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any

from approvals.text import comparable
from loyalty.models import (
    BalanceDefinition,
    BalanceDefinitionVersion,
    ProgramVersion,
)

from .models import TierGroup, TierGroupVersion, TierVersion
from .models.groups import Measure, WindowKind

NameRule = ProgramVersion.NameRule


@dataclass
class Outcome:
    """What would be live in a group, were a change set live."""

    group: TierGroup
    version: TierGroupVersion | None
    tiers: list[TierVersion]
    name_rule: str
    #: What an empty measure means: points of so many months.
    rolling_months: int
    points: int | None
    #: Balances that are begun or ended together with this.
    balances: list[BalanceDefinitionVersion]


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
    program = (
        programs[0]
        if programs
        else ProgramVersion.objects.live().filter(program=group.program_id).first()
    )
    points = BalanceDefinition.objects.filter(
        program=group.program_id, built_in=BalanceDefinition.BuiltIn.POINTS
    )
    return Outcome(
        group=group,
        version=version,
        tiers=[*untouched, *(v for v in tiers if not v.is_retirement)],
        name_rule=program.tier_name_rule if program else NameRule.CASEFOLD,
        rolling_months=program.rolling_window_months if program else 12,
        points=points.values_list("pk", flat=True).first(),
        balances=[v for v in changed if isinstance(v, BalanceDefinitionVersion)],
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
    return [
        *_base(after),
        *_names(after),
        *_thresholds(after),
        *_conditions(after),
        *_balances(after),
    ]


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
            key = comparable(tier.name)
        if key in seen:
            found.append(
                f"The name {tier.name} is taken by another tier of the group"
                + (f", {seen[key]}." if seen[key] != tier.name else ".")
            )
        seen[key] = tier.name
    return found


def _thresholds(after: Outcome) -> list[str]:
    """Thresholds of one measure rise strictly."""
    assert after.version is not None
    found = []
    highest: dict[Any, TierVersion] = {}
    for tier in ordered(after.version, after.tiers):
        if tier.threshold is None:
            continue
        measure = _resolved(measure_of(tier, after.version), after)
        below = highest.get(measure)
        if below is not None and below.threshold is not None:
            found += _rising(tier, tier.threshold, below, below.threshold)
        highest[measure] = tier
    return found


def _conditions(after: Outcome) -> list[str]:
    """Conditions on one balance rise strictly; those on several differ, and people
    say which tier is the higher one."""
    assert after.version is not None
    tiers = [t for t in ordered(after.version, after.tiers) if t.access_conditions]
    asked = {c["balance_definition"] for t in tiers for c in t.access_conditions}
    found = []
    if len(asked) < 2:
        for below, tier in pairwise(tiers):
            found += _rising(tier, Decimal(_least(tier)), below, Decimal(_least(below)))
        return found
    seen: dict[frozenset[tuple[int, int]], TierVersion] = {}
    for tier in tiers:
        key = frozenset(
            (c["balance_definition"], c["minimum"]) for c in tier.access_conditions
        )
        if key in seen:
            found.append(f"{tier.name} asks for the same as {seen[key].name}.")
        seen.setdefault(key, tier)
    if names := [tier.name for tier in unranked(after.version, tiers)]:
        found.append(
            f"{', '.join(names)}: tiers that ask for amounts of several balances "
            "have no order of their own. Put them in the group's order of tiers."
        )
    return found


def _balances(after: Outcome) -> list[str]:
    """Amounts are asked for of balances that members can have."""
    asked = {
        condition["balance_definition"]: tier
        for tier in after.tiers
        for condition in tier.access_conditions
    }
    if not asked:
        return []
    live = BalanceDefinitionVersion.objects.live()
    known = set(
        live.filter(balance_definition__in=asked).values_list(
            "balance_definition", flat=True
        )
    )
    # Who ends one that is asked for is told so by its own check.
    known |= {version.balance_definition_id for version in after.balances}
    return [
        f"{tier.name} asks for amounts of a balance that is not there."
        for balance, tier in asked.items()
        if balance not in known
    ]


def unranked(
    version: TierGroupVersion, tiers: Iterable[TierVersion]
) -> list[TierVersion]:
    """Return tiers that need a place in the group's order, and have none.

    Amounts of several balances do not say which of two tiers is the higher one.
    """
    tiers = [tier for tier in tiers if tier.access_conditions]
    asked = {c["balance_definition"] for t in tiers for c in t.access_conditions}
    if len(tiers) < 2 or len(asked) < 2:
        return []
    return [tier for tier in tiers if tier.tier_id not in version.tier_order]


def _rising(
    tier: TierVersion, asked: Decimal, below: TierVersion, asked_below: Decimal
) -> list[str]:
    if asked == asked_below:
        return [
            f"{tier.name} asks for {asked.normalize():f}, as {below.name} does: each "
            "tier needs a threshold of its own."
        ]
    if asked < asked_below:
        return [
            f"{tier.name} stands above {below.name} but asks for "
            f"{asked.normalize():f}, less than {asked_below.normalize():f}."
        ]
    return []


def measure_of(tier: TierVersion, group: TierGroupVersion) -> tuple[Any, ...]:
    """Return what a tier's threshold is compared with; empty parts are defaults.

    What a tier leaves empty is as its group has it; a number of months of its own
    is a rolling window.
    """
    rolling = WindowKind.ROLLING if tier.window_months else ""
    return (
        tier.measure or group.measure,
        tier.measured_balance_id or group.measured_balance_id,
        tier.window_kind or rolling or group.window_kind,
        tier.window_months or group.window_months,
    )


def _resolved(measure: tuple[Any, ...], after: Outcome) -> tuple[Any, ...]:
    """Fill defaults in, so that two ways to say one measure are equal."""
    kind, balance, window_kind, months = measure
    kind = kind or Measure.WINDOW
    months = months or after.rolling_months
    if kind != Measure.WINDOW or window_kind == WindowKind.CALENDAR_YEAR:
        months = None
    return (kind, balance or after.points, months)
