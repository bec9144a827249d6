"""A world with one of everything, seen by everybody, for the matrix.

Whatever belongs to its programs is called Xanadu, so that an answer to somebody who
may not know of them can be searched for the word.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib.auth.models import Group, User
from django.utils import timezone
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)

from approvals import lifecycle, roles
from approvals.models import AuditEvent, Contribution, Notice
from loyalty import adjustments, keys, members, programs
from loyalty.models import Balance, Contact, Member, Program, ProgramLimit
from loyalty.models.keys import Scope
from tests import factories
from tests.approvals.conftest import Stage
from tiers import acts, assignment, direct
from tiers.models import (
    MemberSetAside,
    OrderedEvaluation,
    Recalculation,
    Run,
    Standing,
    TierAssignment,
    TierVersion,
)

MARK = "Xanadu"
SITE = UUID("aaaaaaaa-0000-4000-8000-00000000000a")


@dataclass
class World:
    """The programs, who asks about them, and the ids of what is in them."""

    stage: Stage
    corner: Program
    people: dict[str, User]
    secrets: dict[str, str]
    #: "app.model", or a word for something in particular -> an object of it
    things: dict[str, Any] = field(default_factory=dict)


def make() -> World:
    stage = make_program()
    people = make_people(stage)
    world = World(stage, make_corner(stage.olga), people, make_keys(stage, people))
    world.things |= {
        "program": stage.program,
        "corner": world.corner,
        "loyalty.program": stage.program,
        "tiers.tiergroup": stage.group,
        "tiers.tier": stage.gold,
        "auth.user": factories.make_user("norm"),
        "points": factories.definition_of(stage.program),
        "site tier": world.corner.tiers.order_by("pk")[2],
        "auth.group": Group.objects.get(name=roles.REVIEWERS),
    }
    for part in (add_drafts, add_more, add_members, add_decisions, add_set_up):
        world.things |= part(world)
    return world


def make_program() -> Stage:
    olga = factories.make_user("olga", roles.MANAGERS, roles.REVIEWERS)
    rhea = factories.make_reviewer("rhea")
    program = factories.make_program(olga, f"{MARK} Rewards")
    group = factories.make_group(
        program,
        by=olga,
        reviewer=rhea,
        name=f"{MARK} ladder",
        tiers=[
            (f"{MARK} Bronze", None),
            (f"{MARK} Silver", 500),
            (f"{MARK} Gold", 900),
        ],
    )
    gold = factories.live_tier(group, f"{MARK} Gold").tier
    return Stage(program, group, gold, olga, rhea)


def make_people(stage: Stage) -> dict[str, User]:
    """The people of the matrix's columns; nobody but MGR has a hand in anything."""
    elsewhere = factories.make_program(stage.olga, "Elsewhere")
    factories.make_group(elsewhere, by=stage.olga, reviewer=stage.rhea)
    factories.earn(factories.make_member(elsewhere, name="Elsa"), 700)
    people = {
        "AUD": factories.make_auditor("aude"),
        "MGR": factories.make_maker("maya"),
        "REV": factories.make_reviewer("chen"),
        "SUP": factories.make_user("sue", is_superuser=True),
        # Whatever can be allowed, but elsewhere.
        "OUT": factories.make_user("otto", *roles.PERMISSIONS),
        # Behind the keys: that a key may not do something is the key's own doing.
        "owner": factories.make_user("kay", is_superuser=True),
    }
    ProgramLimit.objects.create(user=people["OUT"], program=elsewhere)

    def touch(version: Any) -> None:
        lifecycle.revise(version, by=people["MGR"], changes={"note": MARK})

    stage.touch = touch
    return people


def make_keys(stage: Stage, people: dict[str, User]) -> dict[str, str]:
    owner = people["owner"]
    elsewhere = ProgramLimit.objects.get(user=people["OUT"]).program
    made = {
        "KR": factories.make_key(owner, Scope.READ),
        "KW": factories.make_key(owner, *Scope.values),
        "KO": factories.make_key(owner, *Scope.values, program=elsewhere),
    }
    made["K0"] = keys.make(by=owner, name="Nothing", owner=owner, scopes=[])
    return {role: secret for role, (_key, secret) in made.items()}


def make_corner(olga: User) -> Program:
    """A program without approval, with drafts of every kind, as Wix knows programs."""
    corner = direct.begin_program(
        SITE,
        by=olga,
        source="WIX",
        name=f"{MARK} Corner",
        tier_name_rule="EXACT",
        status="ACTIVE",
    )
    levels = [{"name": f"{MARK} {n}", "threshold": 100 * n} for n in (1, 2, 3)]
    direct.add_tiers(corner, levels, by=olga)
    return corner


def add_drafts(world: World) -> dict[str, Any]:
    """Drafts of every kind; those of things on the stage are made as they are needed."""
    stage, olga = world.stage, world.stage.olga
    spare = factories.make_program(olga, f"{MARK} Spare")
    club = add_group(stage, "club")
    stays = add_balance(stage, "stays")
    silver = factories.live_tier(stage.group, f"{MARK} Silver")
    found: dict[str, Any] = {
        "silver": silver.tier,
        "loyalty.programversion": draft(spare.versions.live().get(), world),
        "loyalty.balancedefinitionversion": draft(stays.versions.live().get(), world),
        "tiers.tiergroupversion": draft(club.versions.live().get(), world),
        "tiers.tierversion": draft(silver, world),
    }
    corner = world.corner
    points = factories.definition_of(corner)
    group = corner.tier_groups.get(is_default=True)
    first = TierVersion.objects.live().filter(tier__group=group).first()
    waived = {
        "loyalty.programversion": corner.versions.live().get(),
        "loyalty.balancedefinitionversion": points.versions.live().get(),
        "tiers.tiergroupversion": group.versions.live().get(),
        "tiers.tierversion": first,
    }
    return found | {f"waived {n}": draft(live, world) for n, live in waived.items()}


def draft(live: Any, world: World) -> Any:
    version = lifecycle.draft_change(
        live, by=world.stage.olga, changes={"note": f"{MARK} draft"}
    )
    world.stage.touch(version)
    version.refresh_from_db()
    return version


def add_group(stage: Stage, name: str) -> Any:
    return factories.make_group(
        stage.program,
        by=stage.olga,
        reviewer=stage.rhea,
        name=f"{MARK} {name}",
        tiers=[(f"{MARK} {name} 1", None), (f"{MARK} {name} 2", 50)],
    )


def add_balance(stage: Stage, name: str) -> Any:
    made = programs.add_balance_definition(
        stage.program, by=stage.olga, name=f"{MARK} {name}", unit="POINTS", scale=0
    )
    stage.approve(stage.submitted(made))
    return made.balance_definition


def add_more(world: World) -> dict[str, Any]:
    """Things without an open version, to be changed and retired."""
    return {
        "loyalty.balancedefinition": add_balance(world.stage, "nights"),
        "quiet group": add_group(world.stage, "quiet"),
        "loyalty.programlimit": ProgramLimit.objects.create(
            user=User.objects.get(username="norm"), program=world.stage.program
        ),
        "loyalty.apikey": factories.make_key(
            world.people["owner"], name=f"{MARK} shop", program=world.stage.program
        )[0],
    }


def add_members(world: World) -> dict[str, Any]:
    stage, maya = world.stage, world.people["MGR"]
    member = make_member(stage.program, "one")
    bound, away, still = (make_member(stage.program, n) for n in ("two", "3", "4"))
    members.leave(away, by=stage.olga, reason=MARK)
    members.deactivate(still, by=stage.olga, reason=MARK)
    silver = world.things["silver"]
    adjustments.adjust(
        member,
        factories.definition_of(stage.program),
        5_000_000,
        reference="waits",
        reason=MARK,
        by=maya,
    )
    shopper = make_member(world.corner, "shopper")
    Contact.objects.filter(pk=shopper.contact_id).update(site_member_id="site-member")
    assignment.recalculate(
        stage.program, as_of=timezone.now(), by=stage.olga, reason=MARK
    )
    return {
        "member": member,
        "away": away,
        "still": still,
        "shopper": shopper,
        "shopper contact": Contact.objects.get(pk=shopper.contact_id),
        "shopper entry": shopper.entries.get(),
        "loyalty.member": member,
        "loyalty.contact": member.contact,
        "loyalty.balance": Balance.objects.filter(member=member).first(),
        "loyalty.pointsentry": member.entries.get(),
        "loyalty.pointsrequest": member.points_requests.get(reference="waits"),
        "tiers.standing": Standing.objects.filter(member=member).first(),
        "tiers.tierassignment": TierAssignment.objects.filter(member=member).first(),
        "tiers.manualmove": acts.move(bound, stage.gold, by=maya, reason=MARK),
        "tiers.orderedevaluation": acts.order_evaluation(
            bound, stage.group, by=maya, reason=MARK
        )
        or OrderedEvaluation.objects.get(member=bound),
        "tiers.override": acts.override(
            bound, silver, bound="PIN", by=maya, reason=MARK
        ),
        "tiers.recalculation": Recalculation.objects.get(program=stage.program),
        "tiers.membersetaside": MemberSetAside.objects.create(
            member=still, since=timezone.now(), failure=MARK
        ),
        "tiers.run": Run.objects.filter(program=stage.program).first(),
    }


def make_member(program: Program, name: str) -> Member:
    member = factories.make_member(
        program,
        name=f"{MARK} {name}",
        email=f"{MARK}.{name}@example.org",
        external_id=f"{MARK}-{name}",
        subscription_id=f"{MARK}-S-{name}",
    )
    factories.earn(member, 700, description=MARK)
    return member


def add_decisions(world: World) -> dict[str, Any]:
    """A change that was submitted and rejected, and what that leaves behind."""
    stage = world.stage
    change_set = stage.submitted(stage.draft("tier", MARK), note=MARK)
    notice = Notice.objects.filter(user=world.people["REV"]).last()
    stage.approve(change_set)
    change_set.refresh_from_db()
    hands = Contribution.objects.to(change_set)
    events = AuditEvent.objects.filter(program_id=stage.program.pk)
    return {
        "approvals.changeset": change_set,
        "approvals.decision": change_set.decision,
        "approvals.changesetitem": change_set.items.get(),
        "approvals.contribution": hands.first(),
        "approvals.auditevent": events.first(),
        "approvals.notice": notice,
    }


def add_set_up(world: World) -> dict[str, Any]:
    interval = IntervalSchedule.objects.create(every=1, period="days")
    tried = {"username": "norm", "ip_address": "192.0.2.1", "user_agent": "x"}
    return {
        "django_celery_beat.intervalschedule": interval,
        "django_celery_beat.crontabschedule": CrontabSchedule.objects.create(),
        "django_celery_beat.solarschedule": SolarSchedule.objects.create(
            event="sunset", latitude=1, longitude=1
        ),
        "django_celery_beat.clockedschedule": ClockedSchedule.objects.create(
            clocked_time=datetime(2030, 1, 1, tzinfo=UTC)
        ),
        "django_celery_beat.periodictask": PeriodicTask.objects.create(
            name="daily", task="loyalty.seal_ledgers", interval=interval
        ),
        "axes.accessattempt": AccessAttempt.objects.create(
            **tried, failures_since_start=1
        ),
        "axes.accesslog": AccessLog.objects.create(**tried),
        "axes.accessfailurelog": AccessFailureLog.objects.create(**tried),
    }
