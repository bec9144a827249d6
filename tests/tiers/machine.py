"""What people do to a program, as steps that Hypothesis puts in any order.

Three members live through one program: rules and zones change, it is paused, ticks
come at random times. After each verb the member it concerned is compared, after each
tick everybody: whole interval lists, standings and counts. At the end ``verify`` finds
nothing; and the same life, with ticks at the other times, leaves the same rows.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import time_machine
from django.db import transaction
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
)

from approvals.errors import Refused
from loyalty import members, points, programs
from loyalty.models import Member, Membership, PointsEntry, PointsRequest
from tests.tiers import reference_days
from tests.tiers.scripts import Call, call, step
from tests.tiers.stored import World, everything
from tiers import acts, assignment, sets, verification
from tiers.models import Override, Standing, Tier

BEGIN = datetime(2026, 1, 10, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
ZONES = ["Europe/Berlin", "America/Santiago", "Pacific/Kiritimati", "UTC"]

#: A history is one member's.
PEOPLE = 3
people = st.integers(0, PEOPLE - 1)
amounts = st.sampled_from([100, 50, 200, 300])
steps = st.sampled_from(
    [timedelta(hours=7), timedelta(days=1), timedelta(days=11), timedelta(days=33)]
)
lateness = st.sampled_from(
    [None, None, timedelta(minutes=1), timedelta(days=2), timedelta(days=40)]
)

#: What may become of the rules. One kind of step among the others: to publish takes
#: longest, and two or three sets of rules are enough for a life.
changes_of_rules = st.one_of(
    call(
        "change_the_program",
        zone=st.sampled_from(ZONES),
        months=st.sampled_from([3, 2, 6]),
    ),
    call(
        "change_the_fussy_group",
        threshold=st.sampled_from([300, 400, 500]),
        minimum=st.sampled_from([1, 2]),
    ),
    call("change_the_plain_group", threshold=st.sampled_from([100, 200, 300])),
    call(
        "change_when_the_fussy_group_looks",
        up=st.sampled_from(["REAL_TIME", "MEMBERSHIP_ANNIVERSARY"]),
        down=st.sampled_from(["REAL_TIME", "TIER_ANNIVERSARY"]),
    ),
)


class Stored(RuleBasedStateMachine):
    """What people do to a program, in any order, and the clock between."""

    world: World
    #: Whether what is stored is compared on the way.
    compares = True

    def __init__(self) -> None:
        super().__init__()
        self.script: list[Call] = []
        self.savepoint = transaction.atomic()
        self.savepoint.__enter__()
        self.now = BEGIN
        self.posted = 0
        self.world.members = []
        self.rules_before = {n: list(ls) for n, ls in self.world.ladders.items()}
        self.wordings_before = dict(self.world.wordings)
        self.worth_it = sets.WORTH_IT

    def teardown(self) -> None:
        try:
            rows = self.finish()
            with self.clock():
                assert not list(verification.problems(self.world.program))
        finally:
            self.undo()
        assert self.live_again() == rows

    def finish(self) -> dict[str, Any]:
        while len(self.world.members) < PEOPLE:
            self.enrol()
        self.tick_and_compare()
        return everything(self.world.program)

    def live_again(self) -> dict[str, Any]:
        """Do the same once more, with ticks where there were none, and none there."""
        again = type(self)()
        again.compares = False
        try:
            again.begin(in_sets=not self.in_sets)
            for name, arguments in self.script:
                if "ticks" in arguments:
                    arguments = {**arguments, "ticks": not arguments["ticks"]}
                if name != "tick":
                    getattr(again, name)(**arguments)
            return again.finish()
        finally:
            again.undo()

    def undo(self) -> None:
        transaction.set_rollback(True)
        self.savepoint.__exit__(None, None, None)
        world = self.world
        world.ladders, world.wordings = self.rules_before, self.wordings_before
        world.zone, world.months = "UTC", 3
        world.schedules = {name: {} for name in world.groups}
        sets.WORTH_IT = self.worth_it

    @contextmanager
    def clock(self, *, later: timedelta = timedelta(0)) -> Iterator[datetime]:
        self.now += later
        with time_machine.travel(self.now, tick=False):
            yield self.now

    @contextmanager
    def doing(self, person: int) -> Iterator[tuple[Member, dict[str, Any]]]:
        """Let somebody act on a member, who is judged in the same breath."""
        member = self.world.members[person % len(self.world.members)]
        self.posted += 1
        naming = {
            "reference": f"r{self.posted}",
            "source": "tests",
            "by": self.world.maya,
        }
        with self.clock():
            with suppress(Refused):
                yield member, naming
            if self.is_judged(member):
                assert not list(self.world.differences([member], self.now))

    def is_judged(self, member: Member) -> bool:
        """Whether somebody did something that had the member judged just now."""
        if not self.compares:
            return False
        standings = Standing.objects.filter(
            member=member, evaluated_at=self.now, member__marked_at=None
        )
        return standings.count() == len(self.world.groups)

    def tick_and_compare(self) -> None:
        with self.clock():
            assignment.recalculate(self.world.program, as_of=self.now)
            if self.compares:
                assert not list(self.world.differences(self.world.members, self.now))
                assert not list(self.world.miscounts())

    # The clock

    @initialize(in_sets=st.booleans())
    def begin(self, in_sets: bool) -> None:
        self.in_sets = in_sets
        sets.WORTH_IT = 1 if in_sets else self.worth_it
        self.enrol()
        self.enrol()

    @step(step=steps, ticks=st.booleans())
    def pass_time(self, step: timedelta, ticks: bool) -> None:
        self.now += step
        if ticks:
            self.tick_and_compare()

    @step(
        before=st.sampled_from([timedelta(0), timedelta(microseconds=1)]),
        ticks=st.booleans(),
    )
    def wait_for_midnight(self, before: timedelta, ticks: bool) -> None:
        zone = self.world.zone
        day = reference_days.local_day(self.now + SECOND, zone)
        tomorrow = reference_days.first_instant(day + timedelta(days=1), zone)
        self.now = tomorrow - before
        if ticks:
            self.tick_and_compare()

    @step()
    def tick(self) -> None:
        self.tick_and_compare()

    # The ledger

    @step(person=people, amount=amounts, late=lateness)
    def earn(self, person: int, amount: int, late: timedelta | None) -> None:
        with self.doing(person) as (member, naming):
            at = self.now - late if late else None
            points.earn(member, self.world.points, amount, occurred_at=at, **naming)

    @step(person=people, amount=amounts, late=lateness)
    def buy(self, person: int, amount: int, late: timedelta | None) -> None:
        with self.doing(person) as (member, naming):
            points.post_activity(
                member,
                purchase=amount,
                points=amount,
                occurred_at=self.now - late if late else None,
                **naming,
            )

    @step(person=people, amount=st.sampled_from([-100, -50, 50]))
    def adjust(self, person: int, amount: int) -> None:
        with self.doing(person) as (member, naming):
            points.adjust(member, self.world.points, amount, **naming)

    @step(person=people, amount=amounts)
    def redeem(self, person: int, amount: int) -> None:
        with self.doing(person) as (member, naming):
            points.redeem(member, self.world.points, amount, **naming)

    @step(person=people, which=st.integers(0, 50), part=st.sampled_from([None, 50]))
    def reverse(self, person: int, which: int, part: int | None) -> None:
        with self.doing(person) as (member, naming):
            # Whatever of it has expired by now, the same line in both lives.
            kinds = ["EARN", "ADJUST", "REDEEM"]
            entries = PointsEntry.objects.filter(member=member, kind__in=kinds)
            if found := list(entries.order_by("pk")):
                points.reverse(found[which % len(found)], amount=part, **naming)

    @step(person=people, which=st.integers(0, 50))
    def return_a_purchase(self, person: int, which: int) -> None:
        with self.doing(person) as (member, naming):
            requests = PointsRequest.objects.filter(member=member).order_by("pk")
            if found := list(requests):
                points.reverse_activity(found[which % len(found)], **naming)

    @step(person=people, which=st.integers(0, 50))
    def refund(self, person: int, which: int) -> None:
        with self.doing(person) as (member, naming):
            entries = PointsEntry.objects.filter(member=member, kind="REDEEM")
            if found := list(entries.order_by("pk")):
                points.refund(found[which % len(found)], **naming)

    @step(person=people, amount=amounts)
    def replay(self, person: int, amount: int) -> None:
        with self.doing(person) as (member, naming):
            first = points.earn(member, self.world.points, amount, **naming)
            again = points.earn(member, self.world.points, amount, **naming)
            assert again.replayed
            assert list(again.entries) == list(first.entries)

    @step(amount=amounts)
    def take_in_many(self, amount: int) -> None:
        """Nobody is judged here; the next tick finds the marks."""
        self.posted += 1
        line = points.Line("EARN", self.world.points.pk, amount)
        with self.clock():
            points.post_many(
                self.world.program,
                [
                    points.Activity(m.pk, f"many{self.posted}-{m.pk}", (line,))
                    for m in self.world.members
                ],
                source="tests",
                by=None,
            )

    @step()
    def expire(self) -> None:
        with self.clock():
            points.expire(self.world.program.pk, as_of=self.now)

    # Members

    @precondition(lambda self: len(self.world.members) < PEOPLE)
    @step()
    def join(self) -> None:
        self.enrol()

    def enrol(self) -> None:
        number = len(self.world.members)
        with self.clock(later=SECOND):
            member = members.enrol(
                self.world.program,
                members.Person(external_id=f"stored-{number}"),
                by=self.world.maya,
            )
        self.world.members.append(member)

    @step(person=people)
    def leave_or_come_back(self, person: int) -> None:
        self.now += SECOND
        with self.doing(person) as (member, _):
            if Membership.objects.filter(member=member, ended_at=None).exists():
                members.leave(member, by=self.world.maya)
            else:
                members.rejoin(member, by=self.world.maya)

    @step(person=people)
    def rest_or_wake(self, person: int) -> None:
        self.now += SECOND
        with self.doing(person) as (member, _):
            active = member.status == Member.Status.ACTIVE
            verb = members.deactivate if active else members.activate
            verb(member, by=self.world.maya, reason="For the test.")

    # By hand

    @step(person=people, tier=st.integers(0, 5))
    def move(self, person: int, tier: int) -> None:
        self.now += SECOND
        with self.doing(person) as (member, _):
            acts.move(member, self.tier(tier), by=self.world.maya, reason="A favour.")

    @step(
        person=people,
        tier=st.integers(0, 5),
        bound=st.sampled_from(["FLOOR", "CEILING", "PIN"]),
        span=st.one_of(st.none(), steps),
    )
    def override(
        self, person: int, tier: int, bound: str, span: timedelta | None
    ) -> None:
        self.now += SECOND
        with self.doing(person) as (member, _):
            acts.override(
                member,
                self.tier(tier),
                bound=bound,
                until=self.now + span if span else None,
                by=self.world.maya,
                reason="A promise.",
            )

    @step(person=people)
    def end_override(self, person: int) -> None:
        self.now += SECOND
        with self.doing(person) as (member, _):
            for row in Override.objects.in_force(self.now).filter(member=member):
                acts.end_override(row, by=self.world.maya, reason="It is over.")

    @step(person=people)
    def order_evaluation(self, person: int) -> None:
        self.now += SECOND
        with self.doing(person) as (member, _):
            fussy = self.world.groups["fussy"]
            acts.order_evaluation(member, fussy, by=self.world.maya, reason="Asked.")

    def tier(self, index: int) -> Tier:
        names = sorted(self.world.tiers)
        return Tier.objects.get(pk=self.world.tiers[names[index % len(names)]])

    # Rules

    @step(change=changes_of_rules)
    def change_rules(self, change: Call) -> None:
        name, arguments = change
        getattr(self, name)(**arguments)

    def change_the_program(self, zone: str, months: int) -> None:
        with self.clock(later=SECOND) as now:
            self.world.change_program(now, time_zone=zone, rolling_window_months=months)

    def change_the_fussy_group(self, threshold: int, minimum: int) -> None:
        with self.clock(later=SECOND) as now:
            self.world.change_tier(
                "fussy", "Fan", now, threshold=threshold, minimum_duration=minimum
            )

    def change_the_plain_group(self, threshold: int) -> None:
        with self.clock(later=SECOND) as now:
            self.world.change_tier("plain", "Silver", now, threshold=threshold)

    def change_when_the_fussy_group_looks(self, up: str, down: str) -> None:
        with self.clock(later=SECOND) as now:
            self.world.change_group(
                "fussy",
                now,
                upgrade_strategy=up,
                upgrade_date="" if up == "REAL_TIME" else "01/03",
                downgrade_strategy=down,
                downgrade_date="" if down == "REAL_TIME" else "29/02",
            )

    @step()
    def pause_or_resume(self) -> None:
        with self.clock(later=SECOND):
            program = self.world.program
            program.refresh_from_db()
            verb = "pause" if program.tiers_are_active else "resume"
            programs.switch_tiers(
                program, verb, by=self.world.maya, reason="For the test."
            )
