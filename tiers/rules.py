"""From versions in the database to the ladders of ``ladder``, over time."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from decimal import ROUND_CEILING, Decimal
from typing import Any, cast
from uuid import UUID
from zoneinfo import ZoneInfo

from loyalty.models import BalanceDefinition, ProgramVersion

from . import conditions, soundness
from .ladder import (
    Condition,
    Ladder,
    Measure,
    Renewal,
    Rung,
    Schedule,
    Test,
    Validity,
)
from .ladder.words import (
    Destination,
    MeasureKind,
    Modifier,
    RenewalWindow,
    Strategy,
    Unit,
    UpgradeType,
    ValidityKind,
)
from .models import TierGroup, TierGroupVersion, TierVersion
from .models.groups import Measure as Kind
from .models.groups import WindowKind

BuiltIn = BalanceDefinition.BuiltIn


#: Compiled ladders, by group and the key of its ruleset.
_compiled: dict[tuple[int, UUID], list[Ladder]] = {}
MOST_COMPILED = 1000


def ladders_of(groups: Iterable[TierGroup]) -> dict[int, list[Ladder]]:
    """Return each group's ladders in order of time; they are compiled once.

    Whoever wants to write what follows from them reads the groups under a lock that
    keeps their rules as they are. A group that never went live has no ladder.
    """
    keys = {(group.pk, group.ruleset_key): group for group in groups}
    found = {pk: _compiled[pk, key] for pk, key in keys if (pk, key) in _compiled}
    new = {(pk, key): group for (pk, key), group in keys.items() if pk not in found}
    if new:
        if len(_compiled) > MOST_COMPILED:
            _compiled.clear()
        found |= compile_ladders(new.values())
        _compiled.update({(pk, key): found[pk] for pk, key in new})
    return found


def compile_ladders(groups: Iterable[TierGroup]) -> dict[int, list[Ladder]]:
    """Read and compile each group's ladders, in four queries for all."""
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
            ladder = replace(last, starts_at=instant, zone=program.time_zone, rungs=())
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
    return replace(one, starts_at=other.starts_at) == other


def ladder_of(
    group: TierGroupVersion,
    tiers: Iterable[TierVersion],
    program: ProgramVersion,
    definitions: Iterable[BalanceDefinition],
    starts_at: datetime,
) -> Ladder:
    """Compile the versions that are, or would be, live together."""
    compiler = _Compiler(group, program, definitions)
    return Ladder(
        starts_at=starts_at,
        zone=program.time_zone,
        group_version=group.pk,
        measure=compiler.measure(
            (
                group.measure,
                group.measured_balance_id,
                group.window_kind,
                group.window_months,
            )
        ),
        rungs=tuple(compiler.rung(tier) for tier in soundness.ordered(group, tiers)),
        up=_schedule(group, "upgrade"),
        down=_schedule(group, "downgrade"),
    )


class _Compiler:
    """From the wording of tiers to rungs; amounts are in the smallest unit."""

    def __init__(
        self,
        group: TierGroupVersion,
        program: ProgramVersion,
        definitions: Iterable[BalanceDefinition],
    ) -> None:
        definitions = list(definitions)
        self.group = group
        self.program = program
        self.zone = ZoneInfo(program.time_zone)
        self.scales = {definition.pk: definition.scale for definition in definitions}
        self.built_in = {d.built_in: d.pk for d in definitions if d.built_in}

    def measure(self, parts: tuple[Any, ...]) -> Measure:
        kind, balance, window_kind, months = parts
        kind = kind or Kind.WINDOW
        if kind != Kind.WINDOW or window_kind == WindowKind.CALENDAR_YEAR:
            months = None
        else:
            months = months or self.program.rolling_window_months
        balance = balance or self.built_in[BuiltIn.POINTS]
        return Measure(cast(MeasureKind, str(kind)), balance, months)

    def rung(self, tier: TierVersion) -> Rung:
        return Rung(
            tier=tier.tier_id,
            version=tier.pk,
            conditions=self._conditions(tier),
            automatic=tier.entry != TierVersion.Entry.MANUAL,
            validity=self._validity(tier),
            renewal=self._renewal(tier),
            downgrade_to=cast(Destination, str(tier.downgrade_to or "THRESHOLD")),
            may_fall=tier.should_downgrade is not False,
            minimum_months=tier.minimum_duration or 0,
            reevaluates_on_return=bool(tier.reevaluate_on_return),
            upgrade_type=cast(UpgradeType, str(tier.upgrade_type)),
        )

    def _conditions(self, tier: TierVersion) -> tuple[Test, ...]:
        """Return the threshold and what is numbered after it, and least amounts."""
        own = self.measure(soundness.measure_of(tier, self.group))
        tests: list[Test] = []
        if tier.threshold is not None:
            tests.append(self._condition(own, tier.threshold))
        for asked in conditions.read(tier.conditions):
            months = asked.months or own.months
            measure = Measure(own.kind, self._balance(asked.balance), months)
            if asked.months:
                measure = measure._replace(kind="WINDOW")
            tests.append(self._condition(measure, asked.minimum))
        least = [
            self._condition(
                Measure("CURRENT", asked["balance_definition"]),
                Decimal(asked["minimum"]),
            )
            for asked in tier.access_conditions
        ]
        return (*conditions.combine(tier.expression_relation, tests), *least)

    def _renewal(self, tier: TierVersion) -> Renewal:
        tests = [
            self._condition(
                Measure("PERIOD", self._balance(asked.balance), asked.months),
                asked.minimum,
            )
            for asked in conditions.read_renewal(tier.renewal_conditions)
        ]
        text = tier.renewal_expression_relation or tier.expression_relation_aira
        window = tier.renewal_window_type or "FIXED_DATE_BASED"
        return Renewal(
            always=bool(tier.always),
            tests=conditions.combine(text, tests),
            window=cast(RenewalWindow, str(window)),
            from_months=tier.computation_window_start_value or 0,
            to_months=tier.computation_window_end_value or 0,
        )

    def _validity(self, tier: TierVersion) -> Validity | None:
        if not tier.period_type or not tier.period_value:
            return None
        starts_on = tier.start_date and tier.start_date.astimezone(self.zone).date()
        return Validity(
            kind=cast(ValidityKind, str(tier.period_type)),
            months=tier.period_value,
            starts_on=starts_on,
            every_year=bool(tier.is_fixed_type_without_year),
            daily=bool(tier.daily_enabled),
        )

    def _balance(self, named: str | int) -> int:
        return self.built_in[named] if isinstance(named, str) else named

    def _condition(self, measure: Measure, minimum: Decimal) -> Condition:
        """Compare in smallest units; what no amount can equal is rounded up."""
        exact = minimum.scaleb(self.scales[measure.balance])
        return Condition(measure, int(exact.to_integral_value(rounding=ROUND_CEILING)))


def _schedule(group: TierGroupVersion, way: str) -> Schedule:
    day = getattr(group, f"{way}_date")
    number, month = (int(part) for part in day.split("/")) if day else (0, 0)
    return Schedule(
        strategy=cast(Strategy, str(getattr(group, f"{way}_strategy"))),
        every=getattr(group, f"{way}_every") or 1,
        unit=cast(Unit, str(getattr(group, f"{way}_unit") or "YEAR")),
        modifier=cast(Modifier, str(getattr(group, f"{way}_modifier"))),
        day=(month, number) if day else None,
    )
