"""A bank whose books are kept twice: by the ledger, and by a naive clerk.

Hypothesis plays random histories of members who earn (late, too), redeem, are
corrected, refunded and reversed, while points expire and postings are replayed. After
each step the clerk, who knows dates and amounts only, recomputes every balance from
scratch and compares.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import hypothesis.strategies as st
import pytest
from django.db import connection, transaction
from django.db.models import Sum
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from loyalty import points
from loyalty.errors import AlreadyReversed, InsufficientPoints, MoreThanLeft
from loyalty.models import Balance, Member, PointsEntry
from tests import factories
from tests.counts import count

from .stories import SHOP, balance_of, set_rules

DAY = timedelta(days=1)
START = datetime(2024, 1, 1, 12, tzinfo=UTC)
#: Points last for so many days, that of earning among them.
LASTS = 40


#: When it ends, when it was earned, and by which line.
Coin = tuple[datetime, datetime, int]


class Clerk:
    """Keeps a member's points as single coins, each with the day of its end."""

    def __init__(self):
        self.events = []

    def note(self, kind, number, when, amount, of=None):
        self.events.append((when, kind, number, amount, of))

    def balance(self, now):
        """Lay out coins in order of time: what expires, what comes, what goes."""
        coins: list[Coin] = []
        debts: list[int] = []
        owners = set()
        spent: dict[int, list[Coin]] = {}
        expired: dict[int, list[Coin]] = {}
        order = {"credit": 0, "debit": 1, "reversal": 2}
        events = sorted(self.events, key=lambda e: (e[0], order[e[1]]))

        def sweep(until):
            for coin in list(coins):
                if coin[0] <= until:
                    coins.remove(coin)
                    expired.setdefault(coin[2], []).append(coin)

        def take(number, amount):
            for _ in range(amount):
                if coins:
                    coin = min(coins, key=lambda c: (c[1], c[2]))
                    coins.remove(coin)
                    spent.setdefault(number, []).append(coin)
                else:
                    debts.append(number)

        def put(coin):
            if debts:
                spent.setdefault(debts.pop(0), []).append(coin)
            else:
                coins.append(coin)

        for when, kind, number, amount, of in events:
            if when > now:
                break
            sweep(when)
            if kind == "credit":
                owners.add(number)
                end = when.replace(hour=0) + LASTS * DAY
                for _ in range(amount):
                    put((end, when, number))
            elif kind == "debit":
                take(number, amount)
            elif of in owners:
                for _ in range(amount):
                    mine = [coin for coin in coins if coin[2] == of]
                    if mine:
                        coins.remove(mine[0])
                    elif expired.get(of):
                        expired[of].pop()
                    else:
                        take(number, 1)
            else:
                for _ in range(amount):
                    if of in debts:
                        debts.remove(of)
                        continue
                    coin = spent[of].pop()
                    if coin[0] <= when:
                        expired.setdefault(coin[2], []).append(coin)
                    else:
                        put(coin)
        sweep(now)
        return len(coins) - len(debts)


class Bank(RuleBasedStateMachine):
    """Two members of a program whose points last for 40 days."""

    lines = Bundle("lines")

    def __init__(self, program, stars):
        super().__init__()
        self.stars = stars
        self.members = [factories.make_member(program) for _ in range(2)]
        self.clerks = [Clerk(), Clerk()]
        self.now = START
        self.number = 0
        self.sent = []

    def post(self, verb, *asked, **fields):
        """Post, and remember how, to send it again later."""
        self.number += 1
        fields.update(reference=f"{self.members[0].pk}-{self.number}", **SHOP)
        self.now += timedelta(seconds=1)
        posting = verb(*asked, at=self.now, **fields)
        self.sent.append((verb, asked, fields, posting))
        return posting.entries.get()

    who = st.integers(0, 1)

    @rule(target=lines, who=who, amount=st.integers(1, 9), ago=st.integers(0, 100))
    def earn(self, who, amount, ago):
        when = self.now - ago * DAY if ago else None
        member = self.members[who]
        entry = self.post(points.earn, member, self.stars, amount, occurred_at=when)
        self.clerks[who].note("credit", entry.pk, entry.occurred_at, amount)
        return who, entry

    @rule(target=lines, who=who, amount=st.integers(1, 9))
    def redeem(self, who, amount):
        member = self.members[who]
        enough = self.clerks[who].balance(self.now + timedelta(seconds=1)) >= amount
        try:
            entry = self.post(points.redeem, member, self.stars, amount)
        except InsufficientPoints:
            assert not enough
            return multiple()
        assert enough
        self.clerks[who].note("debit", entry.pk, entry.occurred_at, amount)
        return who, entry

    @rule(line=lines, amount=st.integers(1, 9))
    def reverse(self, line, amount):
        who, original = line
        taken = PointsEntry.objects.filter(reverses=original).aggregate(
            s=Sum("amount")
        )["s"]
        left = abs(original.amount) - abs(taken or 0)
        try:
            entry = self.post(points.reverse, original, amount=amount)
        except (AlreadyReversed, MoreThanLeft):
            assert amount > left
            return
        assert amount <= left
        clerk = self.clerks[who]
        clerk.note("reversal", entry.pk, entry.occurred_at, amount, original.pk)

    @rule(days=st.integers(1, 30))
    def wait(self, days):
        self.now += days * DAY

    @rule()
    def settle(self):
        ids = [member.pk for member in self.members]
        with transaction.atomic():
            points.settle(ids, self.now)
            assert points.settle(ids, self.now) == 0

    @rule(data=st.data())
    def replay(self, data):
        if self.sent:
            verb, asked, fields, posting = data.draw(st.sampled_from(self.sent))
            again = verb(*asked, **fields)
            assert again == posting
            assert again.replayed

    @invariant()
    def books_agree(self):
        for member, clerk in zip(self.members, self.clerks, strict=True):
            due = Member.objects.get(pk=member.pk).expires_next_at
            total = PointsEntry.objects.filter(member=member).aggregate(
                s=Sum("amount")
            )["s"]
            assert balance_of(member, self.stars) == (total or 0)
            if due is None or due > self.now:
                assert balance_of(member, self.stars) == clerk.balance(self.now)

    def teardown(self):
        self.settle()
        self.books_agree()
        for member in self.members:
            assert points.verify(member) is None
        total = Balance.objects.filter(member__in=self.members).aggregate(
            s=Sum("amount")
        )["s"]
        assert (total or 0) == sum(clerk.balance(self.now) for clerk in self.clerks)


@pytest.mark.proof
@pytest.mark.django_db
def test_the_ledger_and_a_naive_clerk_agree_on_every_balance(
    program, stars, maya, chen, judged
):
    set_rules(
        stars,
        maya,
        chen,
        since=factories.LONG_AGO.replace(month=2),
        availability_value=LASTS,
        availability_unit="DAY",
    )
    on_sqlite = connection.vendor == "sqlite"
    open_bank: Any = lambda: Bank(program, stars)  # noqa: E731
    run_state_machine_as_test(
        open_bank,
        settings=settings(
            max_examples=count(15, 2000 if on_sqlite else 500),
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
