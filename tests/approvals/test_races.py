"""Of people who act at once one wins, and the other is told who was faster.

Each race is run twice: as the code is, where nothing may go wrong, and with its
protection taken away, where things have to go wrong, or the race proves nothing.
"""

import itertools
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from approvals import fingerprint, lifecycle, schedule, triggers
from approvals.errors import (
    AlreadyDecided,
    DraftExists,
    InvalidTransition,
    Refused,
    StaleEdit,
    Unsound,
)
from approvals.lifecycle import drafting as drafts
from approvals.lifecycle import guards, publishing, steps
from approvals.models import AuditEvent, ChangeSet, Decision, Version
from tests import checkers, factories
from tests.counts import count
from tests.races import Racers, racers
from tiers import drafting
from tiers.models import Tier, TierGroup, TierVersion

from .stories import fresh

Status = Version.Status
Record = Callable[[str, object], None]

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.proof,
    # The checks of the whole database come before the control, not after it.
    pytest.mark.forges,
    pytest.mark.django_db(transaction=True),
]


@dataclass
class Cast:
    group: TierGroup
    gold: Tier
    maya: User
    mike: User
    chen: User
    rita: User

    def draft(self, threshold: int = 1200) -> TierVersion:
        live = TierVersion.objects.live().get(tier=self.gold)
        version: TierVersion = lifecycle.draft_change(
            live, by=self.maya, changes={"threshold": threshold}
        )
        return version

    def submitted(self, **options: Any) -> tuple[TierVersion, ChangeSet]:
        version = self.draft()
        return version, lifecycle.submit([version], by=self.maya, **options)

    def tidy(self) -> None:
        """Put away whatever is open, for the next race."""
        for version in TierVersion.objects.open():
            held = version.change_set
            if version.status == Status.PENDING_APPROVAL:
                lifecycle.withdraw(held, by=self.maya)
            elif version.status == Status.SCHEDULED:
                lifecycle.unschedule(held, by=self.maya, comment="Next race.")
            lifecycle.discard(fresh(version), by=self.maya)


@pytest.fixture
def cast(group: TierGroup, maya: User, mike: User, chen: User, rita: User) -> Cast:
    gold = factories.live_tier(group, "Gold").tier
    return Cast(group, gold, maya, mike, chen, rita)


# Taking protections away


def unlocked_hold(change_set: ChangeSet) -> ChangeSet:
    return ChangeSet.objects.get(pk=change_set.pk)


def no_lock(versions: Any) -> None:
    pass


def naive_swap(
    version: Any, source: str, target: str, verb: str, **values: Any
) -> None:
    """Save what was read, whatever became of the row since."""
    row = type(version)._default_manager.filter(pk=version.pk)
    row.update(status=target, **values)
    version.status = target
    for name, value in values.items():
        setattr(version, name, value)


def naive_replace(version: Any, *, at: Any) -> None:
    row = type(version)._default_manager.filter(pk=version.based_on_id)
    row.update(status=Status.SNAPSHOT, live_until=at)


def naive_insert(version: Any) -> None:
    """Look whether there is an open version, then insert."""
    siblings = steps.siblings(version)
    open_ = siblings.open().first()
    if open_:
        raise guards.draft_exists(open_)
    version.number = siblings.order_by("-number").first().number + 1
    version.based_on = siblings.live().first()
    version.save(force_insert=True)


@contextmanager
def unprotected(*dropped: tuple[str, str]) -> Iterator[pytest.MonkeyPatch]:
    """Read, check and save without locks; leave out triggers and constraints.

    ``dropped`` are (table, part of the definition) of unique and check constraints.
    What the control leaves behind is removed, or they would not go back.
    """
    restore = []
    triggers.uninstall(connection)
    with connection.cursor() as cursor:
        for table, part in dropped:
            for drop, create in list(matching(cursor, table, part)):
                cursor.execute(drop)
                restore.append(create)
    try:
        with pytest.MonkeyPatch.context() as patch:
            yield patch
    finally:
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE approvals_changeset, tiers_tierversion CASCADE")
            for create in restore:
                cursor.execute(create)
        triggers.install(connection)
        assert triggers.differences(connection) == []


def matching(cursor: Any, table: str, part: str) -> Iterator[tuple[str, str]]:
    """Find constraints and unique indexes; return how to drop and remake each."""
    cursor.execute(
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE conrelid = %s::regclass AND conname || pg_get_constraintdef(oid) ~ %s",
        [table, part],
    )
    found = [
        (
            f'ALTER TABLE {table} DROP CONSTRAINT "{name}"',
            f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition}',
        )
        for name, definition in cursor.fetchall()
    ]
    cursor.execute(
        "SELECT i.indexname, i.indexdef FROM pg_indexes i WHERE i.tablename = %s "
        "AND i.indexdef ~ %s AND NOT EXISTS (SELECT 1 FROM pg_constraint c "
        "WHERE c.conname = i.indexname)",
        [table, part],
    )
    found += [
        (f'DROP INDEX "{name}"', definition) for name, definition in cursor.fetchall()
    ]
    assert found, f"{table} has nothing like {part}"
    yield from found


def naive_decisions() -> Any:
    return unprotected(
        ("approvals_decision", r"UNIQUE \(change_set_id\)"),
        ("approvals_changeset", "voided_change_set_is_never_published"),
    )


def make_naive(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(steps, "hold", unlocked_hold)
    patch.setattr(steps, "lock", no_lock)
    patch.setattr(steps, "swap", naive_swap)
    patch.setattr(publishing, "_replace", naive_replace)


def report(record: Record, people: Racers, faults: int, races: int) -> None:
    """Leave numbers in the test's report, and on the screen with ``-s``."""
    record("races", people.races - races)
    record("seconds", round(people.seconds, 1))
    record("control races", races)
    record("control faults", faults)
    print(
        f" {people.races - races} races and {races} of the control in "
        f"{people.seconds:.1f} s; the control went wrong {faults} times"
    )


def nothing_is_wrong() -> None:
    assert checkers.unapproved() == []
    assert checkers.crowded() == []


# Deciding


def approve(held: ChangeSet, by: User) -> Callable[[], Any]:
    return lambda: lifecycle.approve(held, by=by, fingerprint=held.fingerprint)


def reject(held: ChangeSet, by: User) -> Callable[[], Any]:
    return lambda: lifecycle.reject(
        held, by=by, fingerprint=held.fingerprint, comment="No."
    )


def test_of_two_who_decide_one_wins_and_the_other_is_told(
    cast: Cast, record_property: Record
) -> None:
    full, control = count(15, 500), count(20, 60)
    wins = {"APPROVED": 0, "REJECTED": 0}
    with racers() as people:
        for number in range(full):
            version, held = cast.submitted()
            acts = [approve(held, cast.chen), reject(held, cast.rita)]
            outcomes = people.race(*(acts if number % 2 else acts[::-1]))
            decision = assert_one_decision(held, outcomes)
            wins[decision.kind] += 1
            expected = {"APPROVED": Status.LIVE, "REJECTED": Status.REJECTED}
            assert fresh(version).status == expected[decision.kind]
            cast.tidy()
        nothing_is_wrong()
        with naive_decisions() as patch:
            make_naive(patch)
            faults = 0
            for _ in range(control):
                _, held = cast.submitted()
                people.race(approve(held, cast.chen), reject(held, cast.rita))
                faults += Decision.objects.filter(change_set=held).count() == 2
                put_away(cast)
        report(record_property, people, faults, control)
    # Both win now and then, or there was nothing to settle.
    assert min(wins.values()) > 0
    assert faults > control / 2


def put_away(cast: Cast) -> None:
    """Put a control's leavings away, which no verb would touch."""
    TierVersion.objects.open().update(
        status=Status.DELETED, change_set=None, content_hash=""
    )


def assert_one_decision(held: ChangeSet, outcomes: list[Any]) -> Decision:
    decision = Decision.objects.get(change_set=held)
    [won] = [outcome for outcome in outcomes if isinstance(outcome, Decision)]
    [lost] = [outcome for outcome in outcomes if not isinstance(outcome, Decision)]
    assert won == decision
    assert isinstance(lost, AlreadyDecided), lost
    assert decision.decided_by is not None
    assert lost.details == {
        "decided_by": decision.decided_by.username,
        "decided_at": decision.decided_at,
        "kind": decision.kind,
    }
    assert re.fullmatch(
        rf"{decision.decided_by.username} {decision.get_kind_display().lower()} this "
        r"change on \d\d \w+ \d{4} at \d\d:\d\d\.",
        lost.message,
    )
    return decision


def test_of_many_who_decide_one_wins(cast: Cast) -> None:
    reviewers = [factories.make_reviewer(f"reviewer{n}") for n in range(8)]
    with racers(8) as people:
        for _ in range(count(10, 60)):
            _, held = cast.submitted()
            outcomes = people.race(
                *(
                    (approve, reject)[n % 2](held, reviewer)
                    for n, reviewer in enumerate(reviewers)
                )
            )
            assert sum(isinstance(o, Decision) for o in outcomes) == 1
            assert sum(isinstance(o, AlreadyDecided) for o in outcomes) == 7
            assert Decision.objects.filter(change_set=held).count() == 1
            cast.tidy()
    nothing_is_wrong()


def test_one_person_pressing_twice_at_once_gets_one_decision(cast: Cast) -> None:
    with racers() as people:
        for _ in range(count(10, 60)):
            _, held = cast.submitted()
            one, other = people.race(*[approve(held, cast.chen)] * 2)
            assert one == other == Decision.objects.get(change_set=held)
    nothing_is_wrong()


@pytest.mark.parametrize("rival", ["withdraw", "revise"])
def test_approving_and_taking_back_exclude_each_other(
    cast: Cast, rival: str, record_property: Record
) -> None:
    full, control = count(10, 300), count(20, 60)

    def back(version: TierVersion, held: ChangeSet) -> Callable[[], Any]:
        if rival == "withdraw":
            return lambda: lifecycle.withdraw(held, by=cast.maya) or "done"
        change = {"threshold": 1300}
        return lambda: lifecycle.revise(version, by=cast.maya, changes=change) or "done"

    def race() -> list[Any]:
        version, held = cast.submitted()
        return people.race(approve(held, cast.chen), back(version, held))

    with racers() as people:
        for _ in range(full):
            outcomes = race()
            [lost] = [o for o in outcomes if isinstance(o, Exception)]
            assert isinstance(lost, AlreadyDecided | InvalidTransition | StaleEdit)
            cast.tidy()
        nothing_is_wrong()
        with naive_decisions() as patch:
            make_naive(patch)
            patch.setattr(drafts.steps, "dissolve", naive_dissolve)
            faults = 0
            for _ in range(control):
                faults += not any(isinstance(o, Exception) for o in race())
                put_away(cast)
                live_again(cast)
        report(record_property, people, faults, control)
    assert faults > control / 4


def naive_dissolve(version: Any, *, by: Any, at: Any, reason: str) -> Any:
    steps.void(version.change_set, by=by, at=at, reason=reason, verb="dissolve")
    return fresh(version)


def live_again(cast: Cast) -> None:
    """Have one live version of Gold, which a control may have lost."""
    versions = TierVersion.objects.filter(tier=cast.gold).order_by("-number")
    if not versions.live().exists():
        last = versions.exclude(live_from=None).first()
        assert last is not None
        versions.filter(pk=last.pk).update(status=Status.LIVE, live_until=None)


# Drafting


def test_a_thing_has_one_open_version_however_many_begin_one(
    cast: Cast, record_property: Record
) -> None:
    full, control = count(15, 500), count(20, 60)
    live = TierVersion.objects.live().get(tier=cast.gold)

    def begin(by: User) -> Callable[[], Any]:
        return lambda: lifecycle.draft_change(live, by=by)

    with racers() as people:
        for _ in range(full):
            outcomes = people.race(begin(cast.maya), begin(cast.mike))
            [won] = [o for o in outcomes if isinstance(o, TierVersion)]
            [lost] = [o for o in outcomes if not isinstance(o, TierVersion)]
            assert isinstance(lost, DraftExists), lost
            assert lost.details["version_id"] == won.pk
            assert lost.details["created_by"] == str(won.created_by)
            assert TierVersion.objects.open().count() == 1
            cast.tidy()
        nothing_is_wrong()
        with unprotected(
            ("tiers_tierversion", "one_open_version_per_tier"),
            ("tiers_tierversion", "tier_versions_are_numbered_once"),
        ) as patch:
            patch.setattr(drafts, "_insert", naive_insert)
            faults = 0
            for _ in range(control):
                people.race(begin(cast.maya), begin(cast.mike))
                faults += TierVersion.objects.open().count() == 2
                put_away(cast)
        report(record_property, people, faults, control)
    assert faults > control / 2


def test_an_edit_is_never_lost_to_a_submission(
    cast: Cast, record_property: Record
) -> None:
    """Whatever comes first, what waits for approval is what the version says."""
    full, control = count(10, 300), count(20, 60)

    def race() -> tuple[list[Any], TierVersion]:
        version = cast.draft()
        mine, theirs = fresh(version), fresh(version)
        outcomes = people.race(
            lambda: lifecycle.submit([mine], by=cast.maya),
            lambda: lifecycle.revise(theirs, by=cast.mike, changes={"threshold": 1300}),
        )
        return outcomes, fresh(version)

    def differs(version: TierVersion) -> bool:
        waits = version.status == Status.PENDING_APPROVAL
        return waits and fingerprint.content_hash(version) != version.content_hash

    with racers() as people:
        for _ in range(full):
            outcomes, version = race()
            for refusal in (o for o in outcomes if isinstance(o, Exception)):
                assert isinstance(refusal, StaleEdit), refusal
                assert re.match("(maya|mike) (changed|moved on)", refusal.message)
            assert not differs(version)
            cast.tidy()
        nothing_is_wrong()
        with unprotected() as patch:
            make_naive(patch)
            faults = 0
            for _ in range(control):
                faults += differs(race()[1])
                put_away(cast)
        report(record_property, people, faults, control)
    assert faults > 0


# Publishing


def test_changes_that_are_sound_only_alone_are_never_both_live(
    cast: Cast, record_property: Record
) -> None:
    full, control = count(10, 300), count(20, 40)
    numbers = itertools.count()
    groups: list[TierGroup] = []

    def pair(number: int, *, in_one_group: int) -> list[ChangeSet]:
        """Two new tiers that take one another's name, or threshold."""
        if number % in_one_group == 0:
            groups.append(
                factories.make_group(
                    cast.gold.program, by=cast.maya, reviewer=cast.chen, tiers=[]
                )
            )
        names = (f"Jade {number}", f"ＪＡＤＥ {number}")
        if number % 2:
            names = (f"Jade {number}", f"Opal {number}")
        thresholds = (number * 10, number * 10 + 1 - number % 2)
        return [
            lifecycle.submit(
                [drafting.add_tier(groups[-1], by=cast.maya, name=n, threshold=t)],
                by=cast.maya,
            )
            for n, t in zip(names, thresholds, strict=True)
        ]

    def race(in_one_group: int = 20) -> list[Any]:
        one, other = pair(next(numbers), in_one_group=in_one_group)
        return people.race(approve(one, cast.chen), approve(other, cast.rita))

    with racers() as people:
        for _ in range(full):
            outcomes = race()
            [lost] = [o for o in outcomes if not isinstance(o, Decision)]
            assert isinstance(lost, Unsound), lost
            assert re.search("is taken by another|each tier needs", lost.message)
        nothing_is_wrong()
        live = TierVersion.objects.live().filter(tier__group__in=groups)
        assert live.count() == full
        with unprotected() as patch:
            patch.setattr(steps, "lock", no_lock)
            faults = 0
            for _ in range(control):
                # A group that went wrong takes no more changes. Both are live, or one
                # ends in a deadlock: either way nobody is told what is unsound.
                outcomes = race(in_one_group=1)
                faults += not any(isinstance(o, Unsound) for o in outcomes)
        report(record_property, people, faults, control)
    assert faults > control / 4


def test_two_programs_publish_side_by_side(cast: Cast) -> None:
    """The lock is on one program: others do not wait, and nothing deadlocks."""
    other = factories.make_program(cast.maya, "Other")
    group = factories.make_group(other, by=cast.maya, reviewer=cast.chen)
    gold = factories.live_tier(group, "Gold").tier
    second = Cast(group, gold, cast.maya, cast.mike, cast.chen, cast.rita)
    with racers() as people:
        for _ in range(count(10, 60)):
            held = [person.submitted()[1] for person in (cast, second)]
            outcomes = people.race(*(approve(h, cast.chen) for h in held))
            assert all(isinstance(o, Decision) for o in outcomes), outcomes
    nothing_is_wrong()


def test_a_name_rule_and_a_name_that_breaks_it_are_never_both_live(cast: Cast) -> None:
    program = cast.gold.program
    loose = {"tier_name_rule": "NONE"}
    for number in range(count(10, 60)):
        program_live = program.versions.live().get()
        wording = lifecycle.draft_change(program_live, by=cast.maya, changes=loose)
        factories.approve(lifecycle.submit([wording], by=cast.maya), cast.chen)
        strict = lifecycle.draft_change(
            wording, by=cast.maya, changes={"tier_name_rule": "CASEFOLD"}
        )
        namesake = drafting.add_tier(
            cast.group, by=cast.maya, name="GOLD", threshold=5000 + number
        )
        sets = [lifecycle.submit([v], by=cast.maya) for v in (strict, namesake)]
        with racers() as people:
            outcomes = people.race(*(approve(held, cast.chen) for held in sets))
        [lost] = [o for o in outcomes if not isinstance(o, Decision)]
        assert isinstance(lost, Unsound), lost
        for held in sets:
            if not Decision.objects.filter(change_set=held).exists():
                lifecycle.withdraw(held, by=cast.maya)
        for version in (strict, namesake):
            if fresh(version).is_open:
                lifecycle.discard(fresh(version), by=cast.maya)
        for live in TierVersion.objects.live().filter(name="GOLD"):
            ends = drafting.retire(live.tier, by=cast.maya)
            factories.approve(lifecycle.submit(ends, by=cast.maya), cast.chen)
    nothing_is_wrong()


# Going live


@pytest.mark.parametrize("through", ["verb", "schedule"])
def test_two_schedulers_make_a_change_live_once(
    cast: Cast, through: str, record_property: Record
) -> None:
    full, control = count(10, 200), count(20, 60)

    def due() -> tuple[TierVersion, ChangeSet, Any]:
        at = timezone.now() + timedelta(hours=1)
        version, held = cast.submitted(go_live_at=at)
        factories.approve(held, cast.chen)
        return version, held, at

    def act(held: ChangeSet, at: Any) -> Callable[[], Any]:
        if through == "verb":
            return go_live(held, at)
        return lambda: schedule.go_live_due(as_of=at)["published"] == 1

    def times(version: TierVersion) -> int:
        about = AuditEvent.objects.about("tier", version.tier_id)
        return int(about.filter(verb="go_live").count())

    with racers() as people:
        for number in range(1, full + 1):
            version, held, at = due()
            outcomes = people.race(*[act(held, at)] * 2)
            assert sorted(outcomes) == [False, True]
            assert fresh(version).status == Status.LIVE
            assert fresh(version).live_from == at
            assert times(version) == number
        nothing_is_wrong()
        with naive_decisions() as patch:
            make_naive(patch)
            patch.setattr(schedule, "claim", lambda change_set, as_of: True)
            faults = 0
            for _ in range(control):
                before = times(version)
                version, held, at = due()
                people.race(*[act(held, at)] * 2)
                faults += times(version) - before > 1
        report(record_property, people, faults, control)
    assert faults > 0


def go_live(held: ChangeSet, at: Any) -> Callable[[], Any]:
    return lambda: lifecycle.go_live(held, at=at)


def call_off(held: ChangeSet, by: User) -> Callable[[], Any]:
    return lambda: lifecycle.unschedule(held, by=by, comment="Not now.")


def test_going_live_and_calling_off_exclude_each_other(cast: Cast) -> None:
    wins = {True: 0, False: 0}
    with racers() as people:
        for _ in range(count(10, 200)):
            at = timezone.now() + timedelta(hours=1)
            version, held = cast.submitted(go_live_at=at)
            factories.approve(held, cast.chen)
            live, off = people.race(go_live(held, at), call_off(held, cast.maya))
            status = fresh(version).status
            wins[live] += 1
            if live:
                assert status == Status.LIVE
                assert isinstance(off, Refused)
            else:
                assert status == Status.DRAFT
                assert off is None
            cast.tidy()
    nothing_is_wrong()
