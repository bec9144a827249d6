"""A small program in the database, and what a naive reading of its raw rows says.

Two groups: *plain*, that follows one amount and nothing else, and *fussy*, with
schedules, terms, minimum durations, several balances and a tier given by hand. The
rules are kept here a second time, as plain ladders, from what was published.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User

from approvals import lifecycle
from loyalty.models import BalanceDefinition, Member, Membership, PointsEntry, Program
from tests import factories
from tests.tiers import reference
from tiers import drafting
from tiers.ladder import (
    Acts,
    Condition,
    Ladder,
    Line,
    Measure,
    Move,
    Override,
    Renewal,
    Rung,
    Schedule,
    Span,
    Validity,
)
from tiers.models import (
    ManualMove,
    OrderedEvaluation,
    Standing,
    Tier,
    TierAssignment,
    TierGroup,
    TierVersion,
)
from tiers.models import Override as OverrideRow

Entry = TierVersion.Entry

#: What the tiers of each group say at first; thresholds of two never meet.
PLAIN: dict[str, dict[str, Any]] = {
    "Bronze": {"entry": Entry.BASE},
    "Silver": {"threshold": 200},
    "Gold": {"threshold": 400},
}
FUSSY: dict[str, dict[str, Any]] = {
    "Friend": {
        "threshold": 100,
        "period_type": "SLAB_UPGRADE",
        "period_value": 2,
        "daily_enabled": True,
        "renewal_conditions": {"points": 150},
        "downgrade_to": "LOWEST",
    },
    "Fan": {
        "threshold": 300,
        "minimum_duration": 1,
        "reevaluate_on_return": True,
        "downgrade_to": "SINGLE",
    },
    "Guest of honour": {"entry": Entry.MANUAL},
}


class World:
    """One program with members, and its rules as they were from when on."""

    def __init__(self, maya: User, at: datetime = factories.LONG_AGO) -> None:
        self.maya = maya
        self.program: Program = factories.make_program(
            maya, approval_required=False, rolling_window_months=3, at=at
        )
        self.points: BalanceDefinition = factories.definition_of(self.program)
        self.money = factories.definition_of(self.program, "PURCHASES")
        self.zone = "UTC"
        self.months = 3
        fading = lifecycle.draft_change(
            self.points.versions.live().get(),
            by=maya,
            at=at,
            changes={"availability_value": 2, "availability_unit": "MONTH"},
        )
        lifecycle.publish_now([fading], by=maya, at=at)
        least = [{"balance_definition": self.points.pk, "minimum": 50}]
        fussy = {**FUSSY, "Fan": {**FUSSY["Fan"], "access_conditions": least}}
        self.wordings = {"plain": PLAIN, "fussy": fussy}
        self.schedules: dict[str, dict[str, str]] = {"plain": {}, "fussy": {}}
        self.groups = {name: self._publish(name, at) for name in self.wordings}
        self.tiers = {
            version.name: version.tier_id
            for version in TierVersion.objects.filter(tier__program=self.program)
        }
        self.ladders: dict[str, list[Ladder]] = {
            name: [self._compile(name, at)] for name in self.groups
        }
        self.members: list[Member] = []

    def _publish(self, name: str, at: datetime) -> TierGroup:
        group = drafting.add_group(self.program, by=self.maya, at=at, name=name)
        tiers = [
            drafting.add_tier(group.group, by=self.maya, at=at, name=tier, **wording)
            for tier, wording in self.wordings[name].items()
        ]
        lifecycle.publish_now([group, *tiers], by=self.maya, at=at)
        return group.group

    # Rules

    def change_program(self, at: datetime, **changes: Any) -> None:
        version = self.program.versions.live().get()
        draft = lifecycle.draft_change(version, by=self.maya, at=at, changes=changes)
        lifecycle.publish_now([draft], by=self.maya, at=at)
        self.zone = changes.get("time_zone", self.zone)
        self.months = changes.get("rolling_window_months", self.months)
        self._rules_changed(at)

    def change_group(self, name: str, at: datetime, **changes: str) -> None:
        version = self.groups[name].versions.live().get()
        draft = lifecycle.draft_change(version, by=self.maya, at=at, changes=changes)
        lifecycle.publish_now([draft], by=self.maya, at=at)
        self.schedules[name] = {**self.schedules[name], **changes}
        self._rules_changed(at, name)

    def change_tier(self, name: str, tier: str, at: datetime, **changes: Any) -> None:
        versions = TierVersion.objects.live().filter(tier=self.tiers[tier])
        draft = lifecycle.draft_change(
            versions.get(), by=self.maya, at=at, changes=changes
        )
        lifecycle.publish_now([draft], by=self.maya, at=at)
        wording = self.wordings[name]
        self.wordings[name] = {**wording, tier: {**wording[tier], **changes}}
        self._rules_changed(at, name)

    def _rules_changed(self, at: datetime, published: str | None = None) -> None:
        """A group has new rules where its own wording or what they say is another."""
        for name, ladders in self.ladders.items():
            now = self._compile(name, at)
            if name == published or replace(ladders[-1], starts_at=at) != now:
                ladders.append(now)

    def _compile(self, name: str, at: datetime) -> Ladder:
        schedule = self.schedules[name]
        window = Measure("WINDOW", self.points.pk, self.months)
        rungs = [
            self._rung(tier, wording, window)
            for tier, wording in self.wordings[name].items()
        ]
        up, down = (
            Schedule(
                schedule.get(f"{way}_strategy", "REAL_TIME"),  # type: ignore[arg-type]
                day=_day(schedule.get(f"{way}_date", "")),
            )
            for way in ("upgrade", "downgrade")
        )
        return Ladder(at, self.zone, 0, window, tuple(rungs), up, down)

    def _rung(self, tier: str, said: dict[str, Any], window: Measure) -> Rung:
        conditions = [
            Condition(Measure("CURRENT", least["balance_definition"]), least["minimum"])
            for least in said.get("access_conditions", [])
        ]
        if "threshold" in said:
            conditions.append(Condition(window, said["threshold"]))
        validity = None
        if "period_type" in said:
            validity = Validity(said["period_type"], said["period_value"], daily=True)
        renewal = Renewal()
        if "renewal_conditions" in said:
            asked = said["renewal_conditions"]["points"]
            earned = Condition(Measure("PERIOD", self.points.pk), asked)
            renewal = Renewal(tests=(earned,))
        return Rung(
            self.tiers[tier],
            0,
            tuple(conditions),
            automatic=said.get("entry") != Entry.MANUAL,
            validity=validity,
            renewal=renewal,
            downgrade_to=said.get("downgrade_to", "THRESHOLD"),
            minimum_months=said.get("minimum_duration", 0),
            reevaluates_on_return=said.get("reevaluate_on_return", False),
        )

    # Raw rows

    def read(self, member: Member, name: str, as_of: datetime) -> reference.Answer:
        """What the naive engine says of a member in a group."""
        return reference.read(
            lines_of(member),
            spans_of(member),
            self.ladders[name],
            as_of,
            acts_of(member, self.groups[name]),
        )

    # What differs

    def differences(self, members: Sequence[Member], as_of: datetime) -> Iterator[str]:
        """Compare members' stored intervals and standings with the naive engine."""
        standings = {
            (standing.member_id, standing.group_id): standing
            for standing in Standing.objects.filter(member__in=members)
        }
        for member in members:
            lines, spans = lines_of(member), spans_of(member)
            for name, group in self.groups.items():
                acts = acts_of(member, group)
                answer = reference.read(lines, spans, self.ladders[name], as_of, acts)
                if (held := intervals_of(member, group)) != answer.held:
                    yield f"{member} in {name} held {held}, not {answer.held}"
                standing = standings[member.pk, group.pk]
                yield from _unlike(f"{member} in {name}", standing, answer)

    def miscounts(self) -> Iterator[str]:
        """Count the intervals that cover the instant for which each count is true."""
        self.program.refresh_from_db()
        if not self.program.tiers_are_active:
            return
        for tier in Tier.objects.filter(program=self.program):
            assert tier.counted_at is not None
            covering = TierAssignment.objects.at(tier.counted_at).filter(tier=tier)
            right = covering.filter(member__status=Member.Status.ACTIVE).count()
            if tier.customer_count != right:
                yield f"{tier} counts {tier.customer_count}, not {right}"


def _unlike(whose: str, standing: Standing, answer: reference.Answer) -> Iterator[str]:
    last = answer.held[-1] if answer.held else None
    tier = last[0] if last and last[2] is None else None
    for what, found, right in (
        ("tier", standing.tier_id, tier),
        ("amount", standing.qualifying_points, answer.amount),
        ("next exit", standing.next_exit_at, answer.next_exit_at),
    ):
        if found != right:
            yield f"{whose}: {what} is {found}, not {right}"


def _day(text: str) -> tuple[int, int] | None:
    return (int(text[3:]), int(text[:2])) if text else None


def lines_of(member: Member) -> list[Line]:
    rows = PointsEntry.objects.filter(member=member).select_related("reverses")
    return [
        Line(
            row.balance_definition_id,
            row.kind,
            row.reverses.kind if row.reverses else row.kind,
            row.amount,
            row.occurred_at,
            row.window_at,
            row.request_id,
            row.reverses.request_id if row.reverses else None,
        )
        for row in rows
    ]


def spans_of(member: Member) -> list[Span]:
    rows = Membership.objects.filter(member=member)
    return [Span(row.started_at, row.ended_at) for row in rows]


def acts_of(member: Member, group: TierGroup) -> Acts:
    theirs = {"member": member, "group": group}
    return Acts(
        tuple(Move(m.at, m.tier_id) for m in ManualMove.objects.filter(**theirs)),
        tuple(
            Override(row.bound, row.tier_id, Span(row.at, row.until))
            for row in OverrideRow.objects.filter(**theirs)
        ),
        tuple(row.at for row in OrderedEvaluation.objects.filter(**theirs)),
    )


def intervals_of(member: Member, group: TierGroup) -> list[reference.Interval]:
    """What is known now, those as one that follow without a gap and say the same."""
    found: list[reference.Interval] = []
    rows = TierAssignment.objects.known_now().filter(member=member, group=group)
    for row in rows.order_by("valid_from"):
        last = found[-1] if found else None
        if last and (last[0], last[2]) == (row.tier_id, row.valid_from):
            found[-1] = (row.tier_id, last[1], row.valid_until)
        else:
            found.append((row.tier_id, row.valid_from, row.valid_until))
    return found


def everything(program: Program) -> dict[str, list[tuple[Any, ...]]]:
    """All that the engine and the ledger hold, save keys and when it was written."""
    found: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    members = Member.objects.filter(program=program).order_by("pk")
    numbers = {
        pk: index for index, pk in enumerate(members.values_list("pk", flat=True))
    }
    known = TierAssignment.objects.known_now().filter(member__program=program)
    for member, *row in known.values_list(
        "member", "tier", "valid_from", "valid_until", "reason", "amount", "threshold"
    ):
        found["assignments"].append((numbers[member], *row))
    for member, *row in Standing.objects.filter(member__program=program).values_list(
        "member", "group", "tier", "qualifying_points", "since", "due_at"
    ):
        found["standings"].append((numbers[member], *row))
    entries = PointsEntry.objects.filter(member__program=program)
    for member, *row in entries.values_list(
        "member", "balance_definition", "kind", "amount", "occurred_at", "window_at"
    ):
        found["entries"].append((numbers[member], *row))
    found["counts"] = list(
        Tier.objects.filter(program=program).values_list("pk", "customer_count")
    )
    return {name: sorted(rows, key=repr) for name, rows in found.items()}
