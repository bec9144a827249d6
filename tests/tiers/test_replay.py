"""Real purchases, day by day: as exact as looking at everybody, for less.

546 days of CDNOW's customers. After each day's tick everybody's tier and amount are
what a full pass over all purchases says; yet the ticks have looked only at members to
whom something happened, or for whom something stopped counting.
"""

import random
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import connection

from loyalty import cdnow, members, points
from loyalty.models import Member, PointsEntry, Program
from tests import factories
from tests.counts import FULL, whole
from tests.tiers import reference
from tests.tiers.reference_days import leaving_day
from tests.tiers.stored import intervals_of, lines_of
from tiers import assignment, verification
from tiers.ladder import Condition, Ladder, Measure, Rung, Span
from tiers.models import Tier, TierGroup
from tiers.models.groups import Measure as Kind

pytestmark = [
    pytest.mark.proof,
    # Each tick commits, as it does live: a transaction of 546 days would keep all of
    # its deferred checks to the end.
    pytest.mark.django_db(transaction=True),
]

BEFORE = datetime(1996, 12, 1, tzinfo=UTC)
FIRST_DAY = date(1997, 1, 1)
DAY = timedelta(days=1)
THRESHOLDS = {"50": 50_00, "100": 100_00, "250": 250_00}
#: All of it under ``make proof``, 12 months on one engine and 6 on the other; else a
#: slice in which something leaves as well.
DAYS = 546 if FULL else 45
MONTHS = (12 if connection.vendor == "postgresql" else 6) if FULL else 1
#: Of so many customers one is looked at.
STRIDE = 1 if FULL else 47
#: How many members a full pass looks at on all those evenings, and our ticks.
EVERYBODY = 11_857_916
TOUCHED = {12: 107_904, 6: 122_240}


@dataclass(frozen=True)
class Bought:
    """A purchase or its return: of whom, worth what, counting from and until when."""

    customer: int
    cents: int
    day: date
    window_day: date
    reference: str
    returns: str = ""


@dataclass
class Story:
    """What arrives on which day, in a program of its own."""

    program: Program
    group: TierGroup
    months: int
    zone: ZoneInfo
    arrivals: dict[date, list[Bought]] = field(
        default_factory=lambda: defaultdict(list)
    )
    ids: dict[int, int] = field(default_factory=dict)
    looked_at: int = 0

    def noon(self, day: date) -> datetime:
        return datetime.combine(day, time(12), tzinfo=self.zone)

    def evening(self, day: date) -> datetime:
        return datetime.combine(day, time(23), tzinfo=self.zone)


def a_story(maya: User, chen: User, *, months: int, zone: str) -> Story:
    with time_machine.travel(BEFORE, tick=False):
        program = factories.make_program(
            maya,
            at=BEFORE,
            time_zone=zone,
            rolling_window_months=months,
        )
        group = factories.make_group(
            program,
            by=maya,
            reviewer=chen,
            at=BEFORE,
            measure=Kind.WINDOW,
            measured_balance=factories.definition_of(program, "PURCHASES"),
            tiers=[("Base", None), *((n, int(n)) for n in THRESHOLDS)],
        )
    return Story(program, group, months, ZoneInfo(zone))


def purchases() -> Iterator[tuple[int, cdnow.Purchase]]:
    last = FIRST_DAY + (DAYS - 1) * DAY
    for index, purchase in enumerate(cdnow.purchases()):
        if purchase.customer % STRIDE == 0 and purchase.day <= last:
            yield index, purchase


def plain(story: Story) -> None:
    """Everything arrives on its day."""
    for index, bought in purchases():
        story.arrivals[bought.day].append(
            Bought(bought.customer, bought.cents, bought.day, bought.day, f"p{index}")
        )


def with_returns_and_late_lines(story: Story) -> None:
    """Of a hundred purchases, three are returned later on, and two arrive late."""
    chance = random.Random(1997)
    for index, bought in purchases():
        arrives = bought.day
        if chance.random() < 0.02:
            arrives += chance.randint(1, 30) * DAY
        name = f"p{index}"
        story.arrivals[arrives].append(
            Bought(bought.customer, bought.cents, bought.day, bought.day, name)
        )
        if bought.cents and chance.random() < 0.03:
            cents = -bought.cents // chance.choice([1, 2])
            day = arrives + chance.randint(1, 60) * DAY
            story.arrivals[day].append(
                Bought(bought.customer, cents, day, bought.day, f"r{index}", name)
            )


# A day


def live(story: Story, day: date) -> None:
    """Let people join and buy; tick in the evening."""
    with time_machine.travel(story.noon(day), tick=False):
        bought = story.arrivals.get(day, [])
        join(story, sorted({b.customer for b in bought} - story.ids.keys()), day)
        purchases = factories.definition_of(story.program, "PURCHASES")
        points.post_many(
            story.program,
            (
                points.Activity(
                    member_id=story.ids[b.customer],
                    reference=b.reference,
                    lines=(points.Line("EARN", purchases.pk, b.cents),),
                    occurred_at=story.noon(b.day),
                )
                for b in bought
                if not b.returns
            ),
            source="cdnow",
            by=None,
        )
        for b in bought:
            if b.returns:
                give_back(b)
    with time_machine.travel(story.evening(day), tick=False):
        report = assignment.recalculate(story.program, as_of=story.evening(day))
    story.looked_at += report.members


def join(story: Story, customers: list[int], day: date) -> None:
    people = (members.Person(external_id=f"cd-{n}") for n in customers)
    joined = members.enrol_many(story.program, people, by=None)
    story.ids.update(zip(customers, (member.pk for member in joined), strict=True))


def give_back(returned: Bought) -> None:
    entry = PointsEntry.objects.select_related("request", "member").get(
        request__reference=returned.returns, kind="EARN"
    )
    points.reverse(
        entry,
        amount=-returned.cents,
        reference=returned.reference,
        source="cdnow",
        by=None,
    )


# A full pass


class FullPass:
    """Everybody's tier and amount, from all purchases, on the evening of each day.

    Of each line it is known when it counts, from which day and until which; that is
    all that is asked of it. It knows no marks, no standings and no instants.
    """

    def __init__(self, story: Story) -> None:
        self.story = story
        self.changes: dict[date, list[tuple[int, int]]] = defaultdict(list)
        for arrived, bought in story.arrivals.items():
            for line in bought:
                leaves = leaving_day(line.window_day, story.months)
                counts = arrived < leaves
                self.changes[arrived].append((line.customer, line.cents * counts))
                if counts:
                    self.changes[leaves].append((line.customer, -line.cents))
        tiers = Tier.objects.filter(group=story.group).order_by("serial_number")
        self.tiers = list(tiers.values_list("pk", flat=True))
        self.cents: dict[int, int] = defaultdict(int)
        #: By member, as standings are.
        self.right: dict[int, tuple[int, int]] = {}

    def on(self, day: date) -> dict[int, tuple[int, int]]:
        """Look at everybody who has joined by a day; days come one by one."""
        for customer, change in self.changes[day]:
            cents = self.cents[customer] = self.cents[customer] + change
            tier = self.tiers[bisect_right(list(THRESHOLDS.values()), cents)]
            self.right[self.story.ids[customer]] = (tier, cents)
        return self.right


def stored(story: Story) -> dict[int, tuple[int, int]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT member_id, tier_id, qualifying_points FROM tiers_standing "
            "WHERE group_id = %s",
            [story.group.pk],
        )
        return {member: (tier, cents) for member, tier, cents in cursor.fetchall()}


def replay(story: Story) -> int:
    """Live through all days; return how many a full pass has looked at meanwhile."""
    everybody = FullPass(story)
    looks = 0
    for number in range(DAYS):
        day = FIRST_DAY + number * DAY
        live(story, day)
        right = everybody.on(day)
        looks += len(right)
        assert stored(story) == right, day
        if number % 100 == 0:
            # The tests' server may be without its housekeeping, or that be late.
            with connection.cursor() as cursor:
                cursor.execute("ANALYZE")
    assert not list(verification.problems(story.program))
    return looks


def happened(story: Story) -> tuple[set[tuple[int, date]], set[tuple[int, date]]]:
    """On which days something arrived for whom, and on which something left."""
    last = FIRST_DAY + (DAYS - 1) * DAY
    arrived = {
        (line.customer, day)
        for day, lines in story.arrivals.items()
        for line in lines
        if day <= last
    }
    exits = {
        (line.customer, leaves)
        for day, lines in story.arrivals.items()
        for line in lines
        if day < (leaves := leaving_day(line.window_day, story.months)) <= last
    }
    return arrived, exits


def test_a_tick_looks_only_at_arrivals_and_exits_and_is_right_every_day(
    maya: User, chen: User
) -> None:
    story = a_story(maya, chen, months=MONTHS, zone="America/New_York")
    plain(story)
    full = replay(story)
    arrived, exits = happened(story)
    assert exits
    assert story.looked_at == len(arrived | exits)
    if FULL:
        assert (story.looked_at, full) == (TOUCHED[MONTHS], EVERYBODY)


def test_returns_late_lines_and_days_without_midnight_change_nothing_about_that(
    maya: User, chen: User
) -> None:
    story = a_story(maya, chen, months=MONTHS, zone="America/Santiago")
    with_returns_and_late_lines(story)
    replay(story)
    arrived, exits = happened(story)
    assert story.looked_at <= len(arrived | exits)
    expect_whole_histories(story)


def expect_whole_histories(story: Story) -> None:
    """Hold the interval lists of some to the naive engine, from raw lines."""
    money = factories.definition_of(story.program, "PURCHASES")
    window = Measure("WINDOW", money.pk, story.months)
    tiers = Tier.objects.filter(group=story.group).order_by("serial_number")
    rungs = [Rung(tiers[0].pk, 0)]
    for tier, cents in zip(tiers[1:], THRESHOLDS.values(), strict=True):
        rungs.append(Rung(tier.pk, 0, (Condition(window, cents),)))
    rules = Ladder(BEFORE, story.zone.key, 0, window, tuple(rungs))
    until = story.evening(FIRST_DAY + (DAYS - 1) * DAY)
    everybody = Member.objects.filter(program=story.program)
    for member in everybody.order_by("pk")[: whole(50, 1_000)]:
        joined = [Span(m.started_at) for m in member.intervals.all()]
        answer = reference.read(lines_of(member), joined, [rules], until)
        assert intervals_of(member, story.group) == answer.held
