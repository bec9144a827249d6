"""Judging in sets gives what folding line by line gives."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loyalty import members
from loyalty.models import Membership, PointsEntry, PointsRequest, Program
from tests import factories
from tests.counts import count as times
from tiers import ladder, rules, sets
from tiers.ladder import Condition, Ladder, Line, Measure, Rung, Span
from tiers.models import Standing, TierAssignment, TierGroup, TierVersion

START = datetime(2011, 6, 1, tzinfo=UTC)
ZONES = ("UTC", "America/Santiago", "Pacific/Apia", "Australia/Lord_Howe")
MEASURES = (
    ("WINDOW", 1),
    ("WINDOW", 12),
    ("WINDOW", None),
    ("LIFETIME", None),
    ("CURRENT", None),
)
_sequence = count(1)


@dataclass
class Story:
    """One member's memberships and lines; ``reverses`` points back into ``lines``."""

    spans: list[Span]
    lines: list[tuple[str, int, int, datetime]]
    reversals: list[tuple[int, datetime]] = field(default_factory=list)


#: Instants that often meet: days apart, now and then at the very same time.
instants = st.builds(
    lambda days, hours, micro: START + timedelta(days=days, hours=hours) + micro,
    st.integers(0, 1100),
    st.sampled_from([0, 3, 4, 10, 13, 23]),
    st.sampled_from([timedelta(0), timedelta(microseconds=-1)]),
)
amounts = st.integers(0, 120)


@st.composite
def stories(draw: Any) -> Story:
    bounds = sorted(draw(st.sets(instants, min_size=1, max_size=4)))
    spans = [
        Span(start, bounds[n + 1] if n + 1 < len(bounds) else None)
        for n, start in enumerate(bounds)
        # Left and back at once, or away for a while.
        if n % 2 == 0 or draw(st.booleans())
    ]
    kinds = st.sampled_from(["EARN", "EARN", "EARN", "ADJUST", "REDEEM"])
    lines = []
    for kind in draw(st.lists(kinds, max_size=12)):
        amount = draw(amounts)
        if kind != "EARN":
            amount = -amount - 1 if kind == "REDEEM" or draw(st.booleans()) else amount
        lines.append((kind, draw(st.integers(0, 1)), amount, draw(instants)))
    reversals = []
    for n in draw(st.sets(st.integers(0, 11), max_size=3)):
        if n < len(lines):
            at = max(draw(instants), lines[n][3])
            reversals.append((n, at))
    return Story(spans, lines, reversals)


@st.composite
def rule_books(draw: Any) -> list[tuple[Any, ...]]:
    """Ladders in order of time: (start, zone, measure, thresholds, whether a base)."""
    starts = sorted(draw(st.sets(instants, min_size=1, max_size=3)))
    found = []
    for start in starts:
        kind, months = draw(st.sampled_from(MEASURES))
        thresholds = sorted(draw(st.sets(st.integers(1, 250), max_size=3)))
        found.append(
            (
                start,
                draw(st.sampled_from(ZONES)),
                (kind, draw(st.integers(0, 1)), months),
                thresholds,
                draw(st.booleans()),
            )
        )
    # The first rules are older than most of what happened.
    found[0] = (START - timedelta(days=draw(st.integers(0, 400))), *found[0][1:])
    return found


@pytest.fixture
def tier_group(program: Program, maya: User, chen: User) -> TierGroup:
    tiers = [("Base", None), ("One", 100), ("Two", 200), ("Three", 300)]
    return factories.make_group(program, by=maya, reviewer=chen, tiers=tiers)


def ladders_from(
    books: Sequence[tuple[Any, ...]], group: TierGroup, balances: Sequence[int]
) -> list[Ladder]:
    versions = TierVersion.objects.live().filter(tier__group=group)
    base, *tiers = sorted(versions, key=lambda v: v.threshold or 0)
    found = []
    for start, zone, (kind, balance, months), thresholds, has_base in books:
        measure = Measure(kind, balances[balance], months)
        rungs = [Rung(base.tier_id, base.pk)] if has_base else []
        rungs += [
            Rung(tier.tier_id, tier.pk, (Condition(measure, threshold),))
            for tier, threshold in zip(tiers, thresholds, strict=False)
        ]
        version = group.versions.get()
        found.append(Ladder(start, zone, version.pk, measure, tuple(rungs)))
    return found


def write(story: Story, program: Program, balances: Sequence[int]) -> int:
    """Write a member's story past the verbs, and return the member's key."""
    member = factories.make_member(program)
    member.intervals.all().delete()
    Membership.objects.bulk_create(
        [
            Membership(member=member, started_at=span.start, ended_at=span.end)
            for span in story.spans
        ]
    )
    request = PointsRequest.objects.create(
        program=program,
        source="tests",
        reference=str(next(_sequence)),
        fingerprint="",
        status="COMPLETED",
        created_at=START,
        settled_at=START,
    )

    def entry(kind: str, balance: int, amount: int, at: datetime, **of: Any) -> Any:
        return PointsEntry(
            uuid=uuid.uuid4(),
            member=member,
            balance_definition_id=balances[balance],
            kind=kind,
            amount=amount,
            occurred_at=at,
            recorded_at=at,
            request=request,
            sequence=next(_sequence),
            hash="",
            **{"window_at": at, **of},
        )

    originals = PointsEntry.objects.bulk_create([entry(*line) for line in story.lines])
    PointsEntry.objects.bulk_create(
        [
            entry(
                "REVERSAL",
                story.lines[n][1],
                -originals[n].amount,
                at,
                window_at=originals[n].window_at,
                reverses=originals[n],
            )
            for n, at in story.reversals
        ]
    )
    return member.pk


def lines_of(story: Story, balances: Sequence[int]) -> list[Line]:
    found = [
        Line(balances[balance], kind, kind, amount, at, at)
        for kind, balance, amount, at in story.lines
    ]
    for n, at in story.reversals:
        kind, balance, amount, original = story.lines[n]
        found.append(Line(balances[balance], "REVERSAL", kind, -amount, at, original))
    return found


def expect_equal(member: int, group: TierGroup, outcome: ladder.Outcome) -> None:
    rows = TierAssignment.objects.known_now().filter(member=member, group=group)
    stored = [
        ladder.Held(
            row.tier_id,
            row.tier_version_id,
            row.group_version_id,
            row.valid_from,
            row.valid_until,
            row.reason,
            row.amount,
            row.threshold,
        )
        for row in rows.order_by("valid_from")
    ]
    assert stored == outcome.held
    standing = Standing.objects.get(member=member, group=group)
    current = outcome.current
    assert (
        standing.tier_id,
        standing.since,
        standing.qualifying_points,
        standing.due_at,
        standing.next_exit_at,
        standing.drops_at,
    ) == (
        current.tier if current else None,
        current.start if current else None,
        outcome.amount,
        outcome.due_at,
        outcome.next_exit_at,
        outcome.drops_at,
    )


@pytest.mark.postgres
@settings(
    max_examples=times(100, 2000),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(
    books=rule_books(),
    told=st.lists(stories(), min_size=1, max_size=5),
    as_of=instants,
    before=instants,
)
def test_sets_and_folds_agree_on_every_interval_and_standing(
    tier_group: TierGroup,
    books: list[tuple[Any, ...]],
    told: list[Story],
    as_of: datetime,
    before: datetime,
) -> None:
    """Whatever was judged before, by whichever rules and as of whenever."""
    program = tier_group.program
    balances = [
        factories.definition_of(program, name).pk for name in ("POINTS", "VISITS")
    ]
    with transaction.atomic():
        ladders = ladders_from(books, tier_group, balances)
        assert ladder.is_memoryless(ladders)
        ids = [write(story, program, balances) for story in told]
        sets.judge(tier_group, ladders[:1], ids, before)
        sets.judge(tier_group, ladders, range(ids[0], ids[-1] + 1), as_of)
        again = sets.judge(tier_group, ladders, ids, as_of)
        assert (again.superseded, again.added, again.standings) == (0, 0, 0)
        for member, story in zip(ids, told, strict=True):
            outcome = ladder.fold(
                lines_of(story, balances), story.spans, ladders, as_of
            )
            expect_equal(member, tier_group, outcome)
        transaction.set_rollback(True)


@pytest.mark.postgres
@pytest.mark.django_db
def test_a_histogram_counts_active_members_where_their_amounts_put_them(
    group: TierGroup,
) -> None:
    program = group.program
    bronze, silver, gold = sorted(
        group.tiers.values_list("pk", flat=True)  # made in this order
    )
    present = [factories.make_member(program) for _ in range(4)]
    for member, amount in zip(present, (100, 600, 700, 5000), strict=True):
        factories.earn(member, amount)
    away = factories.make_member(program)
    factories.earn(away, 900)
    members.leave(away, by=None)
    inactive = factories.make_member(program)
    factories.earn(inactive, 900)
    members.deactivate(inactive, by=None, reason="A test card.")
    [now] = rules.ladders_of([group])[group.pk]
    at = timezone.now()
    assert sets.histogram(group, now, at) == {bronze: 1, silver: 2, gold: 1}
    measure = now.measure
    dearer = replace(
        now,
        rungs=(
            *now.rungs[:2],
            replace(now.rungs[2], conditions=(Condition(measure, 9000),)),
        ),
    )
    assert sets.histogram(group, dearer, at) == {bronze: 1, silver: 3}
