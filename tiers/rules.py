"""From versions in the database to the ladders of ``ladder``, over time."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import ROUND_CEILING, Decimal
from typing import Any, cast

from loyalty.models import BalanceDefinition, ProgramVersion

from . import soundness
from .ladder import Condition, Ladder, Measure, Rung
from .ladder.words import MeasureKind
from .models import TierGroup, TierGroupVersion, TierVersion
from .models.groups import Measure as Kind
from .models.groups import WindowKind

BuiltIn = BalanceDefinition.BuiltIn


def ladders_of(groups: Iterable[TierGroup]) -> dict[int, list[Ladder]]:
    """Return each group's ladders in order of time, in four queries for all.

    A group that never went live has none.
    """
    groups = list(groups)
    ids = [group.pk for group in groups]
    programs = {group.program_id for group in groups}
    ever_live = {"live_from__isnull": False}
    group_versions = _by(
        TierGroupVersion.objects.filter(group__in=ids, **ever_live), "group_id"
    )
    tier_versions: dict[int, list[Any]] = {}
    rows = TierVersion.objects.filter(tier__group__in=ids, **ever_live)
    for version in rows.select_related("tier"):
        tier_versions.setdefault(version.tier.group_id, []).append(version)
    program_versions = _by(
        ProgramVersion.objects.filter(program__in=programs, **ever_live), "program_id"
    )
    definitions = _by(
        BalanceDefinition.objects.filter(program__in=programs), "program_id"
    )
    return {
        group.pk: list(
            _ladders(
                group_versions.get(group.pk, []),
                tier_versions.get(group.pk, []),
                program_versions.get(group.program_id, []),
                definitions.get(group.program_id, []),
            )
        )
        for group in groups
    }


def _by(rows: Iterable[Any], name: str) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = {}
    for row in rows:
        found.setdefault(getattr(row, name), []).append(row)
    return found


def _ladders(
    groups: list[TierGroupVersion],
    tiers: list[TierVersion],
    programs: list[ProgramVersion],
    definitions: list[BalanceDefinition],
) -> Iterator[Ladder]:
    if not groups:
        return
    begin = min(version.live_from for version in groups if version.live_from)
    versions: tuple[Any, ...] = (*groups, *tiers, *programs)
    instants = {
        instant
        for version in versions
        for instant in (version.live_from, version.live_until)
        if instant is not None and instant >= begin
    }
    last: Ladder | None = None
    for instant in sorted(instants):
        program = next(iter(_in_force(programs, instant)), None)
        group = next(iter(_in_force(groups, instant)), None)
        if program is None:
            continue
        if group is None:
            # A retired group has no rungs: whoever stood on one stands on none.
            if last is None:
                continue
            ladder = Ladder(
                instant, program.time_zone, last.group_version, last.measure, ()
            )
        else:
            ladder = ladder_of(
                group, _in_force(tiers, instant), program, definitions, instant
            )
        if last is None or not _same_rules(last, ladder):
            yield ladder
            last = ladder


def _in_force(versions: Iterable[Any], instant: datetime) -> list[Any]:
    return [
        v
        for v in versions
        if v.live_from <= instant and (v.live_until is None or instant < v.live_until)
    ]


def _same_rules(one: Ladder, other: Ladder) -> bool:
    return (one.zone, one.group_version, one.measure, one.rungs) == (
        other.zone,
        other.group_version,
        other.measure,
        other.rungs,
    )


def ladder_of(
    group: TierGroupVersion,
    tiers: Iterable[TierVersion],
    program: ProgramVersion,
    definitions: Iterable[BalanceDefinition],
    starts_at: datetime,
) -> Ladder:
    """Compile the versions that are, or would be, live together."""
    scales = {definition.pk: definition.scale for definition in definitions}
    points = next(d.pk for d in definitions if d.built_in == BuiltIn.POINTS)

    def measure(parts: tuple[Any, ...]) -> Measure:
        kind, balance, window_kind, months = parts
        kind = kind or Kind.WINDOW
        if kind != Kind.WINDOW or window_kind == WindowKind.CALENDAR_YEAR:
            months = None
        else:
            months = months or program.rolling_window_months
        return Measure(cast(MeasureKind, str(kind)), balance or points, months)

    def rung(tier: TierVersion) -> Rung:
        conditions = [
            Condition(
                Measure("CURRENT", c["balance_definition"]),
                c["minimum"] * 10 ** scales[c["balance_definition"]],
            )
            for c in tier.access_conditions
        ]
        if tier.threshold is not None:
            own = measure(soundness.measure_of(tier, group))
            scaled = _scaled(tier.threshold, scales[own.balance])
            conditions.insert(0, Condition(own, scaled))
        return Rung(
            tier=tier.tier_id,
            version=tier.pk,
            conditions=tuple(conditions),
            automatic=tier.entry != TierVersion.Entry.MANUAL,
        )

    return Ladder(
        starts_at=starts_at,
        zone=program.time_zone,
        group_version=group.pk,
        measure=measure(
            (
                group.measure,
                group.measured_balance_id,
                group.window_kind,
                group.window_months,
            )
        ),
        rungs=tuple(rung(tier) for tier in soundness.ordered(group, tiers)),
    )


def _scaled(threshold: Decimal, scale: int) -> int:
    """Return a threshold in smallest units; what no amount can equal is rounded up."""
    exact = threshold.scaleb(scale)
    return int(exact.to_integral_value(rounding=ROUND_CEILING))
