"""Points by hand: small adjustments at once, others with a second person."""

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from approvals.errors import AlreadyDecided, NotAllowed, ReasonRequired, SelfApproval
from approvals.models import AuditEvent, Notice
from loyalty import adjustments, points, reversals
from loyalty.errors import InsufficientPoints, ReferenceReused
from loyalty.models import Balance, PointsEntry, PointsRequest, ProgramLimit
from tests import factories
from tests.counts import count
from tests.races import racers

Status = PointsRequest.Status


def ask(member, stars, amount, by, reference="r-1", **fields):
    return adjustments.adjust(
        member,
        stars,
        amount,
        reference=reference,
        reason="Lost voucher.",
        by=by,
        **fields,
    )


def balance(member):
    return sum(Balance.objects.filter(member=member).values_list("amount", flat=True))


@pytest.fixture
def waiting(member, stars, maya):
    """An adjustment of 5,000 that maya has asked for."""
    return ask(member, stars, 5000, maya)


# At once


def test_a_small_adjustment_is_posted_at_once_and_on_record(member, stars, maya):
    request = ask(member, stars, 1000, maya)
    entry = PointsEntry.objects.get()
    assert (entry.kind, entry.amount, entry.description) == (
        "ADJUST",
        1000,
        "Lost voucher.",
    )
    assert (request.status, request.created_by) == (Status.COMPLETED, maya)
    event = adjustments.events_of(request).get()
    assert (event.verb, event.reason) == ("adjust", "+1,000 points: Lost voucher.")


def test_the_same_adjustment_twice_is_one(member, stars, maya):
    first = ask(member, stars, 10, maya)
    assert ask(member, stars, 10, maya).pk == first.pk
    assert balance(member) == 10
    assert adjustments.events_of(first).count() == 1
    with pytest.raises(ReferenceReused):
        ask(member, stars, 20, maya)


def test_a_refusal_is_kept_and_leaves_no_trace_in_the_ledger(member, stars, maya):
    for _ in range(2):
        with pytest.raises(InsufficientPoints):
            ask(member, stars, -10, maya)
        factories.earn(member, 50)
    assert balance(member) == 100


def test_an_adjustment_needs_permission_a_reason_and_sight(
    member, stars, chen, maya, program
):
    with pytest.raises(NotAllowed):
        ask(member, stars, 10, chen)
    with pytest.raises(ReasonRequired):
        adjustments.adjust(member, stars, 10, reference="r", reason=" ", by=maya)
    other = factories.make_program(maya, "Other")
    ProgramLimit.objects.create(user=maya, program=other)
    with pytest.raises(NotAllowed):
        ask(member, stars, 10, maya)


# With a second person


@pytest.mark.parametrize("amount", [1001, -1001])
def test_above_the_limit_nothing_is_posted_before_somebody_else_agrees(
    member, stars, maya, chen, amount
):
    factories.earn(member, 2000)
    request = ask(member, stars, amount, maya)
    assert (request.status, balance(member)) == (Status.PENDING, 2000)
    assert list(adjustments.waiting_for(chen)) == [request]
    assert list(adjustments.waiting_for(maya)) == []
    notice = Notice.objects.get(user=chen)
    assert "maya asks for your approval" in notice.subject
    adjustments.approve(request, by=chen)
    assert balance(member) == 2000 + amount
    verbs = adjustments.events_of(request).order_by("pk")
    assert [(e.verb, e.actor) for e in verbs] == [
        ("ask_adjustment", maya),
        ("approve_adjustment", chen),
    ]
    assert "chen approved" in Notice.objects.get(user=maya).subject


def test_the_limit_counts_units_and_not_cents(member, money, maya):
    assert ask(member, money, 100_000, maya).status == Status.COMPLETED
    assert ask(member, money, 100_001, maya, "r-2").status == Status.PENDING


def test_many_small_ones_in_a_day_need_a_second_person_too(
    member, stars, maya, settings
):
    settings.POINTS_ADJUSTMENTS_A_DAY = 3
    now = timezone.now()
    yesterday = now - timedelta(hours=25)
    ask(member, stars, 5, maya, "old", at=yesterday)
    for number in range(3):
        request = ask(member, stars, 5, maya, f"r-{number}")
        assert request.status == Status.COMPLETED
    assert ask(member, stars, 5, maya, "r-3").status == Status.PENDING
    # Sent again, the earlier ones are still what they were.
    assert ask(member, stars, 5, maya, "r-0").status == Status.COMPLETED


@pytest.mark.parametrize("decide", [adjustments.approve, adjustments.reject])
def test_who_asked_never_decides_superusers_included(
    member, stars, admin_user, decide, chen
):
    request = ask(member, stars, 5000, admin_user)
    said = {"comment": "Fine."} if decide is adjustments.reject else {}
    with pytest.raises(SelfApproval):
        decide(request, by=admin_user, **said)
    request.refresh_from_db()
    assert (request.status, balance(member)) == (Status.PENDING, 0)
    adjustments.approve(request, by=chen)


def test_deciding_needs_the_reviewers_permission(waiting, aude, member):
    for act in (
        partial(adjustments.approve, waiting, by=aude),
        partial(adjustments.reject, waiting, by=aude, comment="No."),
    ):
        with pytest.raises(NotAllowed):
            act()
    assert balance(member) == 0


def test_a_rejection_says_why_and_posts_nothing(waiting, member, chen, maya):
    with pytest.raises(ReasonRequired):
        adjustments.reject(waiting, by=chen, comment=" ")
    adjustments.reject(waiting, by=chen, comment="No receipt.")
    assert balance(member) == 0
    event = adjustments.events_of(waiting).first()
    assert (event.verb, event.reason) == (
        "reject_adjustment",
        "+5,000 points: No receipt.",
    )
    with pytest.raises(AlreadyDecided, match="chen rejected"):
        adjustments.approve(waiting, by=chen)


def test_who_asked_may_withdraw_and_nobody_else(waiting, member, maya, chen):
    with pytest.raises(NotAllowed):
        adjustments.withdraw(waiting, by=chen)
    adjustments.withdraw(waiting, by=maya)
    with pytest.raises(AlreadyDecided, match="maya withdrew"):
        adjustments.approve(waiting, by=chen)
    assert balance(member) == 0


def test_after_two_weeks_it_is_too_late(waiting, member, chen):
    later = timezone.now() + timedelta(days=15)
    with pytest.raises(AlreadyDecided, match="waited until"):
        adjustments.approve(waiting, by=chen, at=later)
    assert balance(member) == 0


def test_what_cannot_be_posted_now_stays_pending(member, stars, maya, chen):
    factories.earn(member, 2000)
    request = ask(member, stars, -2000, maya)
    points.redeem(member, stars, 500, reference="gift", source="shop", by=None)
    with pytest.raises(InsufficientPoints):
        adjustments.approve(request, by=chen)
    request.refresh_from_db()
    assert request.status == Status.PENDING
    factories.earn(member, 500)
    adjustments.approve(request, by=chen)
    assert balance(member) == 0


@pytest.mark.parametrize("verb", ["nothing", "approve_adjustment", "reject_adjustment"])
def test_the_database_posts_nothing_without_a_second_person(
    waiting, member, maya, chen, verb
):
    """Whoever completes the request by another way than ``approve`` is refused."""
    by = chen if verb == "reject_adjustment" else maya
    if verb != "nothing":
        adjustments.on_record(
            verb,
            member,
            kind=adjustments.KIND,
            object_id=waiting.pk,
            said="Fine by me.",
            by=by,
            at=timezone.now(),
        )
    with pytest.raises(IntegrityError, match="somebody else"), transaction.atomic():
        points.complete(waiting)
    assert balance(member) == 0


# Reversing


def test_a_line_is_reversed_in_parts_with_a_reason(rich, maya):
    entry = rich.entries.get()
    for amount, left in ((30, 70), (None, 0)):
        reversals.reverse(
            entry, amount=amount, reference=f"v-{left}", reason="Returned.", by=maya
        )
        assert balance(rich) == left
    events = AuditEvent.objects.about("member", rich.pk).filter(verb="reverse")
    assert [e.reason for e in events.order_by("pk")] == [
        "-30 points: Returned.",
        "-70 points: Returned.",
    ]


def test_the_same_reversal_twice_is_one(rich, maya):
    entry = rich.entries.get()
    for _ in range(2):
        reversals.reverse(entry, amount=30, reference="v", reason="Returned.", by=maya)
    assert balance(rich) == 70
    assert AuditEvent.objects.filter(verb="reverse").count() == 1


# At the same time


def decide_without_lock(request, *, by, at=None):
    """What ``approve`` would be, if it trusted what it has read."""
    row: Any = PointsRequest.objects.get(pk=request.pk)
    assert row.status == Status.PENDING
    activity = points.requests.activity_of(row)
    points.adjust(
        row.member,
        factories.definition_of(row.program),
        activity.lines[0].amount,
        reference=f"{request.pk}-by-{by.pk}",
        source="broken",
        by=by,
    )
    PointsRequest.objects.filter(pk=row.pk, status=Status.PENDING).update(
        status=Status.CANCELLED, settled_at=timezone.now()
    )


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("broken", [False, True])
def test_of_two_reviewers_at_once_one_wins(program, stars, maya, chen, broken):
    approve = decide_without_lock if broken else adjustments.approve
    dan = factories.make_reviewer("dan")
    member = factories.make_member(program)
    races = count(10, 100)
    with racers(2) as people:
        for number in range(races):
            request = ask(member, stars, 5000, maya, f"r-{number}")
            outcomes = people.race(
                partial(approve, request, by=chen), partial(approve, request, by=dan)
            )
            if not broken:
                assert [type(o) for o in outcomes if o] == [AlreadyDecided]
    if broken:
        # The race is one: without the lock, both post.
        assert balance(member) > races * 5000
    else:
        assert balance(member) == races * 5000


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_approving_and_rejecting_at_once_has_one_outcome(program, stars, maya, chen):
    dan = factories.make_reviewer("dan")
    member = factories.make_member(program)
    approved = 0
    with racers(2) as people:
        for number in range(count(10, 100)):
            request = ask(member, stars, 5000, maya, f"r-{number}")
            outcomes = people.race(
                partial(adjustments.approve, request, by=chen),
                partial(adjustments.reject, request, by=dan, comment="No receipt."),
            )
            assert [type(o) for o in outcomes if o] == [AlreadyDecided]
            approved += outcomes[0] is None
    assert balance(member) == approved * 5000


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_two_at_once_are_not_both_the_last_small_one(program, stars, settings):
    settings.POINTS_ADJUSTMENTS_A_DAY = 1
    member = factories.make_member(program)
    with racers(2) as people:
        for number in range(count(5, 50)):
            maker = factories.make_maker(f"maker-{number}")
            outcomes = people.race(
                partial(ask, member, stars, 5, maker, f"a-{number}"),
                partial(ask, member, stars, 5, maker, f"b-{number}"),
            )
            assert sorted(o.status for o in outcomes) == ["COMPLETED", "PENDING"]
