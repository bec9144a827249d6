"""Every writer of the ledger leaves its member marked or judged, at the same commit.

A new public function of ``loyalty.points`` fails here until somebody says what it is.
"""

import inspect
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import transaction

from loyalty import members, points
from loyalty.errors import InsufficientPoints
from loyalty.models import Member, PointsEntry, PointsRequest
from tests.tiers.stored import World
from tiers import assignment
from tiers.models import Standing

pytestmark = pytest.mark.django_db

#: Midnight: what was earned two months before expires now.
NOW = datetime(2026, 3, 10, tzinfo=UTC)
EARNED = datetime(2026, 1, 10, 12, tzinfo=UTC)
SHOP: dict[str, Any] = {"source": "shop", "by": None}

#: They write no line of the ledger.
READERS = {
    "balance_named",
    "outcome",
    "seal",
    "seal_due",
    "rules_of",
    "to_units",
    "verify",
    "verify_expiries",
    "verify_seals",
}
#: They settle or change what waits, or when lots expire, and post nothing by that.
POSTS_NOTHING = {"begin", "cancel", "expire_pending", "follow_terms"}


class Scene:
    """Somebody with 300 points, some of them redeemed; all judged and at rest."""

    def __init__(self, maya: User) -> None:
        with time_machine.travel(EARNED - timedelta(days=9), tick=False):
            self.world = World(maya, at=EARNED - timedelta(days=9))
        with time_machine.travel(EARNED, tick=False):
            self.world.members = [self._join()]
            self.member = self.world.members[0]
            self.stars = self.world.points
            points.post_activity(
                self.member, purchase=300, points=300, reference="bought", **SHOP
            )
            points.redeem(self.member, self.stars, 50, reference="spent", **SHOP)
            points.begin(
                self.member,
                self.stars,
                40,
                reference="waits",
                expires_at=NOW + timedelta(days=9),
                **SHOP,
            )
            assignment.recalculate(self.world.program, as_of=EARNED)

    def _join(self) -> Member:
        person = members.Person(external_id="scene")
        return members.enrol(self.world.program, person, by=None)

    def entry(self, kind: str) -> PointsEntry:
        return PointsEntry.objects.get(
            member=self.member, kind=kind, balance_definition=self.stars
        )

    def request(self, reference: str) -> PointsRequest:
        return PointsRequest.objects.get(reference=reference)


Write = Callable[[Scene], Any]


def _activity(scene: Scene) -> points.Activity:
    line = points.Line("EARN", scene.stars.pk, 10)
    return points.Activity(scene.member.pk, "m", (line,))


WRITERS: dict[str, Write] = {
    "adjust": lambda s: points.adjust(s.member, s.stars, -5, reference="a", **SHOP),
    "adjust_to": lambda s: points.adjust_to(
        s.member, s.stars, 7, reference="t", **SHOP
    ),
    "complete": lambda s: points.complete(s.request("waits")),
    "earn": lambda s: points.earn(s.member, s.stars, 10, reference="e", **SHOP),
    "expire": lambda s: points.expire(s.world.program.pk, as_of=NOW),
    "post": lambda s: points.post(s.world.program.pk, _activity(s), at=None, **SHOP),
    "post_activity": lambda s: points.post_activity(
        s.member, visits=1, points=10, reference="v", **SHOP
    ),
    "post_batch": lambda s: points.post_batch(s.world.program, [_activity(s)], **SHOP),
    "post_many": lambda s: points.post_many(s.world.program, [_activity(s)], **SHOP),
    "redeem": lambda s: points.redeem(s.member, s.stars, 10, reference="r", **SHOP),
    "refund": lambda s: points.refund(s.entry("REDEEM"), reference="f", **SHOP),
    "reverse": lambda s: points.reverse(s.entry("EARN"), reference="b", **SHOP),
    "reverse_activity": lambda s: points.reverse_activity(
        s.request("bought"), reference="c", **SHOP
    ),
    "settle": lambda s: points.settle([s.member.pk], NOW),
}
#: What they need is not expired yet; the others come when it is.
BEFORE_EXPIRY = {"redeem", "adjust"}


def public_functions() -> set[str]:
    found = ((name, getattr(points, name)) for name in points.__all__)
    return {name for name, thing in found if inspect.isfunction(thing)}


def test_everything_public_is_a_writer_with_a_case_or_said_to_be_none() -> None:
    assert public_functions() == READERS | POSTS_NOTHING | WRITERS.keys()
    assert not READERS & WRITERS.keys()


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_whoever_writes_a_line_leaves_the_member_marked_or_judged(
    name: str, maya: User
) -> None:
    scene = Scene(maya)
    now = EARNED + timedelta(days=1) if name in BEFORE_EXPIRY else NOW
    lines = PointsEntry.objects.filter(member=scene.member)
    before = lines.count()
    with time_machine.travel(now, tick=False):
        with transaction.atomic():
            WRITERS[name](scene)
        assert lines.count() > before
        marked = Member.objects.marked().filter(pk=scene.member.pk).exists()
        judged = Standing.objects.filter(member=scene.member, evaluated_at=now)
        if not marked:
            assert judged.count() == len(scene.world.groups)
            assert not list(scene.world.differences([scene.member], now))
        assignment.recalculate(scene.world.program, as_of=now)
        assert not list(scene.world.differences([scene.member], now))


def test_what_waits_is_judged_when_it_is_completed_not_before(maya: User) -> None:
    scene = Scene(maya)
    lines = PointsEntry.objects.filter(member=scene.member)
    before = lines.count()
    with time_machine.travel(EARNED + timedelta(days=1), tick=False):
        points.begin(scene.member, scene.stars, 9, reference="later", **SHOP)
        points.cancel(scene.request("waits"))
        points.expire_pending(EARNED + timedelta(days=400))
    assert lines.count() == before


def test_a_refused_posting_marks_nobody(maya: User) -> None:
    scene = Scene(maya)
    with time_machine.travel(EARNED + timedelta(days=1), tick=False):
        with pytest.raises(InsufficientPoints):
            points.redeem(scene.member, scene.stars, 9999, reference="no", **SHOP)
    assert not Member.objects.marked().filter(pk=scene.member.pk).exists()
