"""Making programs, switching their tiers, and who sees which."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import ValidationError

from approvals.errors import InvalidText, InvalidTransition, NotAllowed, ReasonRequired
from approvals.models import AuditEvent, Decision
from loyalty import programs
from loyalty.models import BalanceDefinition, Program, ProgramLimit, ProgramVersion
from tests import checkers, factories
from tests.counts import count
from tests.races import racers

NOON = datetime(2030, 6, 1, 12, tzinfo=UTC)
TiersStatus = Program.TiersStatus


# Making one


def test_a_new_program_is_live_with_its_built_in_balances(maya: User) -> None:
    program = programs.create_program(
        by=maya, name="Stardust", currency="USD", at=NOON, time_zone="Asia/Tokyo"
    )
    wording = program.versions.live().get()
    assert (wording.name, wording.time_zone) == ("Stardust", "Asia/Tokyo")
    assert (wording.live_from, wording.number) == (NOON, 1)
    assert wording.approval_required
    assert program.tiers_status == TiersStatus.DISABLED
    definitions = program.balance_definitions.order_by("pk")
    live = [d.versions.live().get() for d in definitions]
    assert [
        (d.built_in, d.scale, v.name, v.unit, v.minimum)
        for d, v in zip(definitions, live, strict=True)
    ] == [
        ("POINTS", 0, "Points", "POINTS", 0),
        ("PURCHASES", 2, "Purchases", "USD", None),
        ("VISITS", 0, "Visits", "VISITS", None),
    ]


def test_its_first_wording_is_waived_and_said_to_be(maya: User) -> None:
    program = programs.create_program(by=maya, name="Stardust")
    decision = Decision.objects.get()
    assert (decision.kind, decision.decided_by) == (Decision.Kind.WAIVED, maya)
    assert decision.change_set.items.count() == 4
    about = AuditEvent.objects.about("program", program.pk).order_by("pk")
    assert list(about.values_list("verb", flat=True)) == ["draft", "publish_now"]
    assert checkers.unapproved() == []


@pytest.mark.parametrize(
    "wording",
    [
        {"name": ""},
        {"name": "x" * 129},
        {"name": "A\u202eB"},
        {"time_zone": "Mars/Olympus"},
        {"rolling_window_months": 37},
        {"tier_name_rule": "LOUD"},
        {"meta": []},
        {"meta": ""},
        {"renewal_channels": {}},
    ],
)
def test_nonsense_makes_nothing(maya: User, wording: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refusal:
        programs.create_program(by=maya, **{"name": "Stardust", **wording})
    assert set(refusal.value.message_dict) == set(wording)
    assert not Program.objects.exists()
    assert not BalanceDefinition.objects.exists()


def test_only_a_maker_who_sees_all_programs_makes_one(
    program: Program, chen: User, aude: User
) -> None:
    limited = factories.make_maker("lima")
    ProgramLimit.objects.create(user=limited, program=program)
    for person in (chen, aude, limited, factories.make_user("norm")):
        with pytest.raises(NotAllowed):
            programs.create_program(by=person, name="Mine")
    assert Program.objects.count() == 1


def test_a_balance_of_ones_own_begins_as_a_draft(program: Program, maya: User) -> None:
    draft = programs.add_balance_definition(
        program, by=maya, scale=3, name="Stars", unit="STAR"
    )
    assert draft.status == "DRAFT"
    assert draft.balance_definition.scale == 3
    assert draft.balance_definition.built_in == ""


# Switching its tiers

FROM = {
    "activate": {"DISABLED", "DRAFT"},
    "prepare": {"DISABLED"},
    "pause": {"ACTIVE"},
    "resume": {"PAUSED"},
    "disable": {"ACTIVE", "PAUSED", "DRAFT"},
}
TO = {
    "activate": "ACTIVE",
    "prepare": "DRAFT",
    "pause": "PAUSED",
    "resume": "ACTIVE",
    "disable": "DISABLED",
}


@pytest.mark.parametrize("verb", programs.SWITCHES)
@pytest.mark.parametrize("status", TiersStatus)
def test_a_switch_works_from_its_statuses_and_nowhere_else(
    program: Program, maya: User, verb: str, status: str
) -> None:
    Program.objects.filter(pk=program.pk).update(tiers_status=status)
    program.refresh_from_db()
    revision = program.settings_revision
    events = AuditEvent.objects.count()
    if status in FROM[verb]:
        programs.switch_tiers(program, verb, by=maya, reason=" Spring. ", at=NOON)
        assert program.tiers_status == TO[verb]
        program.refresh_from_db()
        assert program.tiers_status == TO[verb]
        assert program.settings_revision == revision + 1
        event = AuditEvent.objects.latest("pk")
        assert (event.verb, event.actor, event.created_at) == (verb, maya, NOON)
        assert (event.reason, event.label) == ("Spring.", "Gemstone Rewards")
    else:
        with pytest.raises(InvalidTransition, match="tiers: they are"):
            programs.switch_tiers(program, verb, by=maya, reason="Spring.")
        program.refresh_from_db()
        assert program.tiers_status == status
        assert AuditEvent.objects.count() == events


@pytest.mark.parametrize("reason", ["", "   ", "\n"])
def test_a_switch_needs_a_reason(program: Program, maya: User, reason: str) -> None:
    with pytest.raises(ReasonRequired, match="“Pause tiers” needs a reason"):
        programs.switch_tiers(program, "pause", by=maya, reason=reason)


def test_a_reason_can_be_read(program: Program, maya: User) -> None:
    for reason in ("\x00", "\ud800", "quiet\u200b"):
        with pytest.raises(InvalidText, match="not allowed here"):
            programs.switch_tiers(program, "pause", by=maya, reason=reason)


def test_a_switch_is_for_those_who_operate_this_program(
    program: Program, maya: User, chen: User, aude: User
) -> None:
    other = factories.make_program(maya, "Other")
    limited = factories.make_maker("lima")
    ProgramLimit.objects.create(user=limited, program=other)
    inactive = factories.make_maker("ina")
    inactive.is_active = False
    inactive.save()
    for person in (chen, aude, limited, inactive):
        with pytest.raises(NotAllowed, match="may not switch this program's tiers"):
            programs.switch_tiers(program, "pause", by=person, reason="Mine.")
    programs.switch_tiers(other, "pause", by=limited, reason="Mine.")


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_of_two_who_switch_at_once_one_does(program: Program, maya: User) -> None:
    def pause() -> None:
        again = Program.objects.get(pk=program.pk)
        programs.switch_tiers(again, "pause", by=maya, reason="Now.")

    with racers() as people:
        for _ in range(count(10, 100)):
            outcomes = people.race(pause, pause)
            assert sorted(type(o).__name__ for o in outcomes) == [
                "InvalidTransition",
                "NoneType",
            ]
            programs.switch_tiers(program, "resume", by=maya, reason="Again.")
    paused = AuditEvent.objects.filter(verb="pause").count()
    assert paused == count(10, 100)


# Who sees which


def test_without_limits_people_see_all_programs_and_with_them_only_those(
    maya: User, chen: User
) -> None:
    one = factories.make_program(maya, "One")
    two = factories.make_program(maya, "Two")
    assert set(Program.objects.visible_to(chen)) == {one, two}
    ProgramLimit.objects.create(user=chen, program=two)
    assert set(Program.objects.visible_to(chen)) == {two}
    assert set(BalanceDefinition.objects.visible_to(chen)) == set(
        two.balance_definitions.all()
    )
    assert set(Program.objects.visible_to(maya)) == {one, two}


def test_limits_bind_superusers_too(maya: User, program: Program) -> None:
    other = factories.make_program(maya, "Other")
    sue = factories.make_user("sue", is_superuser=True)
    ProgramLimit.objects.create(user=sue, program=other)
    assert set(Program.objects.visible_to(sue)) == {other}


def test_who_is_not_signed_in_or_switched_off_sees_none(
    program: Program, maya: User
) -> None:
    assert not Program.objects.visible_to(AnonymousUser()).exists()
    maya.is_active = False
    assert not Program.objects.visible_to(maya).exists()


def test_what_a_program_is_called_comes_from_what_is_live(
    program: Program, maya: User
) -> None:
    named = Program.objects.with_live().get(pk=program.pk)
    assert str(named) == "Gemstone Rewards"
    assert str(Program.objects.get(pk=program.pk)) == f"Program {program.pk}"
    assert ProgramVersion.objects.live().get(program=program).name == str(named)
