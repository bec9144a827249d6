"""The engine on real purchase histories, in the data's own dates."""

from collections import Counter
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from django.db import connection

from loyalty import cdnow, points
from loyalty.models import Contact, Member, Membership
from tests import factories
from tests.counts import FULL
from tiers import assignment, counts
from tiers.models.groups import Measure

ZONE = ZoneInfo("America/New_York")
BEFORE = datetime(1996, 12, 1, tzinfo=UTC)
END = datetime(1998, 6, 30, 23, 59, 59, tzinfo=ZONE)
#: In every-day runs one of so many customers is looked at.
STRIDE = 1 if FULL else 20


def by_hand(bought: list[cdnow.Purchase]) -> dict[str, int]:
    """Count customers by the dollars of their last twelve months."""
    cents: Counter[int] = Counter()
    for purchase in bought:
        counts_now = date(1997, 6, 30) < purchase.day <= date(1998, 6, 30)
        cents[purchase.customer] += purchase.cents * counts_now
    return Counter(
        next((str(n) for n in (250, 100, 50) if spent >= 100 * n), "Base")
        for spent in cents.values()
    )


@pytest.mark.proof
@pytest.mark.django_db
def test_real_histories_give_exactly_these_tiers(maya: User, chen: User) -> None:
    """CDNOW at the end of 30 June 1998: 12 months, from 50, 100 and 250 dollars.

    23,570 customers, 69,659 purchases; the window has been closed at its start on
    the wrong side when 20 of them differ.
    """
    program = factories.make_program(
        maya, at=BEFORE, time_zone="America/New_York", rolling_window_months=12
    )
    purchases = factories.definition_of(program, "PURCHASES")
    factories.make_group(
        program,
        by=maya,
        reviewer=chen,
        at=BEFORE,
        measure=Measure.WINDOW,
        measured_balance=purchases,
        tiers=[("Base", None), ("50", 50), ("100", 100), ("250", 250)],
    )
    bought = [p for p in cdnow.purchases() if p.customer % STRIDE == 0]
    numbers = sorted({purchase.customer for purchase in bought})
    contacts = Contact.objects.bulk_create(
        Contact(external_id=f"cd-{n}", created_at=BEFORE) for n in numbers
    )
    members = Member.objects.bulk_create(
        Member(
            program=program,
            contact=contact,
            subscription_id=contact.external_id,
            created_at=BEFORE,
            marked_at=BEFORE,
        )
        for contact in contacts
    )
    Membership.objects.bulk_create(
        Membership(member=member, started_at=BEFORE) for member in members
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    ids = dict(zip(numbers, (member.pk for member in members), strict=True))
    report = points.post_many(
        program,
        (
            points.Activity(
                member_id=ids[purchase.customer],
                reference=f"purchase-{index}",
                lines=(points.Line("EARN", purchases.pk, purchase.cents),),
                occurred_at=datetime.combine(purchase.day, time(12), tzinfo=ZONE),
            )
            for index, purchase in enumerate(bought)
        ),
        source="cdnow",
        by=None,
    )
    assert (report.posted, report.problems) == (len(bought), [])

    # The server's own housekeeping does not look into a test's transaction: without it
    # all of this is planned as for the empty tables that they were.
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    assignment.recalculate(program, as_of=END)

    found = {
        version.name: version.tier.customer_count
        for version in counts.live_tiers(program).select_related("tier")
    }
    assert found == by_hand(bought)
    if STRIDE == 1:
        assert report.posted == 69_659
        assert found == {"Base": 18_717, "50": 1_970, "100": 1_891, "250": 992}
