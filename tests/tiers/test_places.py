"""Where members stand, and the way up, as systems are told."""

import pytest
from django.utils import timezone

from loyalty import programs
from tests import factories
from tiers.places import Places


@pytest.fixture
def member(group):
    return factories.make_member(group.program)


def place(member):
    member.refresh_from_db()
    (found,) = Places(member).all
    return found.tier and found.tier.name


def way(member):
    member.refresh_from_db()
    (found,) = Places(member).ways(as_of=timezone.now())
    name = found.next and found.next.name
    return name, found.amount, found.needed


def test_the_way_leads_from_tier_to_tier(member):
    factories.earn(member, 100)
    assert (place(member), way(member)) == ("Bronze", ("Silver", 100, 500))
    factories.earn(member, 400)
    assert (place(member), way(member)) == ("Silver", ("Gold", 500, 1000))
    factories.earn(member, 700)
    assert (place(member), way(member)) == ("Gold", (None, 1200, None))


def test_while_tiers_rest_everybody_reads_as_base(member, maya):
    factories.earn(member, 700)
    programs.switch_tiers(member.program, "pause", by=maya, reason="Stocktaking.")
    assert (place(member), way(member)) == ("Bronze", ("Silver", 700, 500))


def test_a_group_more_costs_no_query_more(
    member, program, maya, chen, django_assert_num_queries
):
    factories.earn(member, 100)
    member.program  # noqa: B018
    Places(member).ways(as_of=timezone.now())
    # The tiers, the standings, the groups; the member's lines.
    with django_assert_num_queries(4):
        Places(member).ways(as_of=timezone.now())
    factories.make_group(
        program, by=maya, reviewer=chen, name="Other", tiers=[("Fan", 10)]
    )
    Places(member).ways(as_of=timezone.now())
    with django_assert_num_queries(4):
        assert len(Places(member).ways(as_of=timezone.now())) == 2
