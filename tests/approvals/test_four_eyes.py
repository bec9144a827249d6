"""Whoever had a hand in a change does not approve it, by any way that there is.

Every route that could make a change live is tried by every kind of contributor, each
with every right that a person can have, and by a stranger, for whom it works where
it should.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from approvals import lifecycle, roles, schedule, triggers, ui
from approvals.admin.drafts import lifecycle_url
from approvals.errors import Refused
from approvals.models import ChangeSet, Contribution, Decision, Version
from loyalty.models import Program
from tests import checkers, factories
from tiers import drafting

from .browsing import as_, form_data
from .conftest import Stage
from .stories import fresh, reject

Status = Version.Status
Approved = Decision.Kind.APPROVED


# Kinds of contributor: each makes a change in which the person has a hand


def author(stage: Stage, person: User) -> list[Any]:
    live = stage.live("tier")
    return [lifecycle.draft_change(live, by=person, changes={"threshold": 1200})]


def editor(stage: Stage, person: User) -> list[Any]:
    version = stage.draft("tier")
    lifecycle.revise(version, by=person, changes={"threshold": 1200})
    return [version]


def editor_of_another_version(stage: Stage, person: User) -> list[Any]:
    group = stage.draft("tier group")
    lifecycle.revise(group, by=person, changes={"name": "Ladder"})
    return [stage.draft("tier"), group]


def editor_before_a_rejection(stage: Stage, person: User) -> list[Any]:
    [version] = editor(stage, person)
    reject(stage.submitted(version), stage.rhea)
    lifecycle.revise(version, by=stage.olga, changes={"threshold": 1300})
    return [version]


def importer(stage: Stage, person: User) -> list[Any]:
    version = drafting.add_tier(
        stage.group,
        by=person,
        source=drafting.Tier.Source.IMPORT,
        name="Imported",
        threshold=5000,
    )
    assert hands_of(version, person) == {"IMPORTER"}
    return [version]


def owner_of_the_key(stage: Stage, person: User) -> list[Any]:
    version = stage.live("tier")
    draft = type(version)(
        tier=version.tier,
        **{name: getattr(version, name) for name in version.CONTENT if name != "icon"},
    )
    lifecycle.open_draft(draft, by=person, role=Contribution.Role.KEY_OWNER)
    assert hands_of(draft, person) == {"KEY_OWNER"}
    return [draft]


def submitter(stage: Stage, person: User) -> list[Any]:
    # Handed in by ``hand_in``.
    return [stage.draft("tier")]


def stranger(stage: Stage, person: User) -> list[Any]:
    return [stage.draft("tier")]


CONTRIBUTORS = [
    author,
    editor,
    editor_of_another_version,
    editor_before_a_rejection,
    importer,
    owner_of_the_key,
    submitter,
]


def hands_of(version: Any, person: User) -> set[str]:
    rows = Contribution.objects.filter(version_id=version.pk, user=person, kind="tier")
    return set(rows.values_list("role", flat=True))


@dataclass
class Case:
    """A change that waits, and somebody who would like to see it live."""

    stage: Stage
    person: User
    versions: list[Any]
    held: ChangeSet

    @property
    def version(self) -> Any:
        return self.versions[0]

    def fail(self) -> None:
        """Let it be approved for later, and not go live when its time has come."""
        self.stage.approve(self.held)
        self.held.refresh_from_db()
        self.stage.fail(self.held)


# Routes: each tries to make the change live


def verb(case: Case) -> None:
    lifecycle.approve(case.held, by=case.person, fingerprint=case.held.fingerprint)


def verb_under_another_name(case: Case) -> None:
    # The same person in another object: identity is the row, not the instance.
    again = User.objects.get(pk=case.person.pk)
    again.username = "somebody else"
    lifecycle.approve(case.held, by=again, fingerprint=case.held.fingerprint)


def admin_page(case: Case) -> None:
    url = lifecycle_url(case.held, "approve")
    client = as_(case.person)
    page = client.get(url)
    seen = page.context["form"].initial.get("seen") if page.context else None
    client.post(url, {"seen": seen or case.held.fingerprint, "comment": "Mine."})


def admin_bulk_action(case: Case) -> None:
    client = as_(case.person)
    page = client.post(
        reverse("admin:approvals_changeset_changelist"),
        {"action": "approve_selected", "_selected_action": [case.held.pk]},
    )
    said = {"ids": str(case.held.pk), "comment": "Mine."}
    said[f"fingerprint-{case.held.pk}"] = case.held.fingerprint
    client.post(page["Location"], said)


def orm(case: Case) -> None:
    Decision.objects.create(
        change_set=case.held,
        kind=Approved,
        fingerprint=case.held.fingerprint,
        decided_at=timezone.now(),
        decided_by=case.person,
    )
    rows = type(case.version)._default_manager
    rows.filter(pk=case.version.based_on_id).update(
        status=Status.SNAPSHOT, live_until=timezone.now()
    )
    rows.filter(pk=case.version.pk).update(status=Status.LIVE, live_from=timezone.now())


APPROVING = [
    verb,
    verb_under_another_name,
    admin_page,
    admin_bulk_action,
    orm,
]


def retry_verb(case: Case) -> None:
    seen = lifecycle.fresh_fingerprint(case.held)
    lifecycle.retry(case.held, by=case.person, fingerprint=seen)


def retry_page(case: Case) -> None:
    url = lifecycle_url(case.held, "retry")
    client = as_(case.person)
    page = client.get(url)
    seen = page.context["form"].initial.get("seen") if page.context else None
    seen = seen or lifecycle.fresh_fingerprint(case.held)
    client.post(url, {"seen": seen, "comment": "Mine."})


RETRYING = [retry_verb, retry_page]


# These are nobody's, contributor or stranger


def publish_now(case: Case) -> None:
    lifecycle.publish_now(case.versions, by=case.person)


def publish_now_page(case: Case) -> None:
    url = lifecycle_url(case.version, "publish_now")
    as_(case.person).post(url, {"seen": case.version.revision, "note": "Now."})


def edit_form(case: Case) -> None:
    """Post a draft's form with what the server owns."""
    url = ui.change_url(case.version)
    client = as_(case.person)
    page = client.get(url)
    data = form_data(page) if page.context and "adminform" in page.context else {}
    client.post(
        url,
        data
        | {
            "status": Status.LIVE,
            "live_from_0": "2026-01-01",
            "live_from_1": "00:00",
            "approved_by": case.stage.rhea.pk,
            "change_set": case.held.pk,
        },
    )


def delete_pages(case: Case) -> None:
    client = as_(case.person)
    for row in (case.held, case.version):
        client.post(ui.change_url(row).replace("/change/", "/delete/"), {"post": "yes"})


def scheduler(case: Case) -> None:
    """Call the scheduler on a set that nobody approved, as if it were due."""
    ChangeSet.objects.filter(pk=case.held.pk).update(due_at=timezone.now())
    later = timezone.now() + timedelta(days=9)
    lifecycle.go_live(fresh(case.held), at=later)


def schedule_of_all(case: Case) -> None:
    ChangeSet.objects.filter(pk=case.held.pk).update(due_at=timezone.now())
    schedule.go_live_due(as_of=timezone.now() + timedelta(days=9))


def command(case: Case) -> None:
    ChangeSet.objects.filter(pk=case.held.pk).update(due_at=timezone.now())
    call_command("go_live", stdout=StringIO())


NOBODYS = [
    publish_now,
    publish_now_page,
    edit_form,
    delete_pages,
    scheduler,
    schedule_of_all,
    command,
]

Hand = Callable[[Stage, User], list[Any]]
Route = Callable[[Case], None]


@pytest.fixture(params=["with both roles", "superuser"])
def person(request: pytest.FixtureRequest, stage: Stage) -> User:
    """Somebody who may do everything, were it not for their hand in it."""
    if request.param == "superuser":
        return factories.make_user("sue", is_superuser=True)
    return factories.make_user("bo", roles.MANAGERS, roles.REVIEWERS)


def case_of(stage: Stage, person: User, hand: Hand, **options: Any) -> Case:
    versions = hand(stage, person)
    by = person if hand is submitter else stage.olga
    held = lifecycle.submit(versions, by=by, **options)
    return Case(stage, person, versions, held)


def attempt(route: Route, case: Case) -> None:
    """Try it; whether it is refused by a verb or by the database is all one."""
    try:
        with transaction.atomic():
            route(case)
    except (Refused, IntegrityError):
        pass


def is_live(case: Case) -> bool:
    return all(fresh(version).status == Status.LIVE for version in case.versions)


@pytest.mark.parametrize("hand", CONTRIBUTORS)
def test_no_contributor_makes_their_change_live(
    stage: Stage, person: User, hand: Hand
) -> None:
    case = case_of(stage, person, hand)
    for route in [*APPROVING, *NOBODYS]:
        with transaction.atomic():
            attempt(route, case)
            # Editing it takes it back; nothing else changes anything.
            allowed = {
                Status.PENDING_APPROVAL,
                Status.DRAFT if route is edit_form else "",
            }
            assert {fresh(v).status for v in case.versions} <= allowed, route
            assert not Decision.objects.filter(change_set=case.held).exists(), route
            transaction.set_rollback(True)


@pytest.mark.parametrize("hand", CONTRIBUTORS)
def test_no_contributor_tries_again(stage: Stage, person: User, hand: Hand) -> None:
    later = timezone.now() + timedelta(days=1)
    case = case_of(stage, person, hand, go_live_at=later)
    case.fail()
    for route in RETRYING:
        with transaction.atomic():
            attempt(route, case)
            assert {fresh(v).status for v in case.versions} == {Status.PUBLISH_FAILED}
            transaction.set_rollback(True)


@pytest.mark.forges
@pytest.mark.parametrize("route", APPROVING)
def test_a_stranger_makes_it_live(stage: Stage, person: User, route: Route) -> None:
    case = case_of(stage, person, stranger)
    attempt(route, case)
    assert is_live(case)
    assert checkers.unapproved() == []


@pytest.mark.parametrize("route", RETRYING)
def test_a_stranger_tries_again(stage: Stage, person: User, route: Route) -> None:
    later = timezone.now() + timedelta(days=1)
    case = case_of(stage, person, stranger, go_live_at=later)
    case.fail()
    attempt(route, case)
    assert is_live(case)


def test_what_is_nobodys_does_not_work_for_a_stranger_either(
    stage: Stage, person: User
) -> None:
    case = case_of(stage, person, stranger)
    for route in NOBODYS:
        attempt(route, case)
        assert not is_live(case), route


def test_a_contributor_may_reject_and_a_stranger_then_approve_the_next(
    stage: Stage, person: User
) -> None:
    case = case_of(stage, person, author)
    reject(case.held, person)
    lifecycle.revise(case.version, by=stage.olga, changes={"threshold": 1300})
    stage.approve(stage.submitted(fresh(case.version)))
    assert is_live(case)


def test_the_owner_of_a_hand_in_another_change_is_a_stranger_to_this_one(
    stage: Stage, person: User
) -> None:
    first = case_of(stage, person, author)
    stage.approve(first.held)
    second = case_of(stage, person, stranger)
    verb(second)
    assert is_live(second)


def test_bulk_approval_leaves_the_own_one_out_and_takes_the_others(
    stage: Stage, person: User
) -> None:
    own = case_of(stage, person, author)
    others = stage.submitted(stage.draft("program"))
    sets = [own.held, others]
    said = {"ids": ",".join(str(s.pk) for s in sets), "comment": "All."}
    said |= {f"fingerprint-{s.pk}": s.fingerprint for s in sets}
    url = reverse("admin:approvals_changeset_decide", args=["approve"])
    page = as_(person).post(url, said)
    assert "worked on this change" in page.content.decode()
    assert not is_live(own)
    assert fresh(others).state == "Published"


def test_nobody_who_is_not_signed_in_gets_anywhere(stage: Stage, person: User) -> None:
    case = case_of(stage, person, stranger)
    url = lifecycle_url(case.held, "approve")
    answer = Client().post(url, {"seen": case.held.fingerprint})
    assert answer.status_code == 302
    assert "/login/" in answer["Location"]
    assert not is_live(case)


# The checker itself


@pytest.mark.forges
def test_the_checker_finds_what_was_forged(stage: Stage) -> None:
    """What every teardown here relies on would notice each way to cheat."""
    version, held = stage.bring("tier", Status.LIVE)
    assert checkers.unapproved() == []
    cheats: list[tuple[str, Callable[[], object]]] = [
        (
            "says something else",
            lambda: rows(version).update(description="Swapped."),
        ),
        ("its change set has no item for it", lambda: put_elsewhere(version)),
        (
            "approved a change of their own",
            lambda: Decision.objects.filter(change_set=held).update(
                decided_by=stage.olga
            ),
        ),
        (
            "the decision was on something else",
            lambda: Decision.objects.filter(change_set=held).update(fingerprint="0"),
        ),
        (
            "the decision was on something else",
            lambda: ChangeSet.objects.filter(pk=held.pk).update(
                go_live_at=timezone.now()
            ),
        ),
        (
            "nobody decided",
            lambda: Decision.objects.filter(change_set=held).delete(),
        ),
        (
            "waived while the program asked",
            lambda: Decision.objects.filter(change_set=held).update(kind="WAIVED"),
        ),
        (
            "the decision was REJECTED",
            lambda: Decision.objects.filter(change_set=held).update(
                kind="REJECTED", comment="No."
            ),
        ),
    ]
    for words, cheat in cheats:
        with transaction.atomic():
            triggers.uninstall(connection)
            cheat()
            assert words in " ".join(checkers.unapproved())
            transaction.set_rollback(True)
    assert checkers.unapproved() == []


def rows(version: Any) -> Any:
    return type(version)._default_manager.filter(pk=version.pk)


def put_elsewhere(version: Any) -> None:
    empty = ChangeSet.objects.create(
        program_id=1, fingerprint="x", created_at=timezone.now()
    )
    rows(version).update(change_set=empty)


def test_programs_born_without_approval_are_waived_until_they_ask_for_it(
    stage: Stage, person: User
) -> None:
    program: Program = factories.make_program(person, "Open", approval_required=False)
    wording = program.versions.live().get()
    on = lifecycle.draft_change(wording, by=person, changes={"approval_required": True})
    lifecycle.publish_now([on], by=person)
    again = lifecycle.draft_change(on, by=person, changes={"description": "New."})
    with pytest.raises(Refused):
        lifecycle.publish_now([again], by=person)
    assert checkers.unapproved() == []
