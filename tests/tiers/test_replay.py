"""Real purchases, day by day: as exact as looking at everybody, for less.

546 days of CDNOW's customers. After each day's tick everybody's tier and amount are
what a full pass over all purchases says; yet the ticks have looked only at members to
whom something happened, or for whom something stopped counting.
"""

import random
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
from tests.counts import count
from tests.tiers import reference
from tests.tiers.reference_days import leaving_day
from tests.tiers.stored import intervals_of, lines_of
from tiers import assignment, verification
from tiers.ladder import Condition, Ladder, Measure, Rung, Span
from tiers.models import Standing, Tier, TierGroup
from tiers.models.groups import Measure as Kind

pytestmark = [pytest.mark.proof, pytest.mark.django_db]

BEFORE = datetime(1996, 12, 1, tzinfo=UTC)
FIRST_DAY = date(1997, 1, 1)
DAY = timedelta(days=1)
THRESHOLDS = {"50": 50_00, "100": 100_00, "250": 250_00}
#: All of it under ``make proof`` on PostgreSQL, else a slice.
FULL = connection.vendor == "postgresql" and count(0, 1) == 1
DAYS = 546 if FULL else 45
CUSTOMERS = 23_570 if FULL else 500
#: So many that something leaves in the days that are looked at.
MONTHS = [12, 6] if FULL else [1]


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
        if purchase.customer <= CUSTOMERS and purchase.day <= last:
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


def full_pass(story: Story, day: date) -> dict[int, tuple[str, int]]:
    """Look at everybody who has joined: tier and amount on the evening of a day."""
    totals = dict.fromkeys(story.ids, 0)
    for arrived, bought in story.arrivals.items():
        if arrived > day:
            continue
        for line in bought:
            if day < leaving_day(line.window_day, story.months):
                totals[line.customer] += line.cents
    return {
        customer: (
            next((n for n in ("250", "100", "50") if cents >= THRESHOLDS[n]), "Base"),
            cents,
        )
        for customer, cents in totals.items()
    }


def stored(story: Story, names: dict[int, str]) -> dict[int, tuple[str, int]]:
    numbers = {pk: customer for customer, pk in story.ids.items()}
    standings = Standing.objects.filter(group=story.group)
    return {
        numbers[member]: (names[tier], cents)
        for member, tier, cents in standings.values_list(
            "member", "tier", "qualifying_points"
        )
    }


def replay(story: Story) -> int:
    """Live through all days; return how many a full pass has looked at meanwhile."""
    names = {
        tier.pk: tier.versions.live().get().name
        for tier in Tier.objects.filter(group=story.group)
    }
    looks = 0
    for number in range(DAYS):
        day = FIRST_DAY + number * DAY
        live(story, day)
        right = full_pass(story, day)
        looks += len(right)
        assert stored(story, names) == right, day
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


@pytest.mark.parametrize("months", MONTHS)
def test_a_tick_looks_only_at_arrivals_and_exits_and_is_right_every_day(
    maya: User, chen: User, months: int
) -> None:
    story = a_story(maya, chen, months=months, zone="America/New_York")
    plain(story)
    full = replay(story)
    arrived, exits = happened(story)
    assert exits
    assert story.looked_at == len(arrived | exits)
    print(f"{months} months: {story.looked_at:,} evaluations instead of {full:,}")


@pytest.mark.parametrize("months", MONTHS)
def test_returns_late_lines_and_days_without_midnight_change_nothing_about_that(
    maya: User, chen: User, months: int
) -> None:
    story = a_story(maya, chen, months=months, zone="America/Santiago")
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
    for member in everybody.order_by("pk")[: count(50, 1_000)]:
        joined = [Span(m.started_at) for m in member.intervals.all()]
        answer = reference.read(lines_of(member), joined, [rules], until)
        assert intervals_of(member, story.group) == answer.held
