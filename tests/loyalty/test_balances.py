"""Balance definitions: drafts, what is live, and their end."""

import pytest

from approvals import lifecycle
from approvals.errors import InvalidTransition, Unsound
from loyalty import balances, programs
from tests import factories


@pytest.fixture
def club(maya):
    """A program that asks for no reviewer."""
    return factories.make_program(
        maya, "Club", approval_required=False, internal_balances=True
    )


@pytest.fixture
def miles(club, maya):
    """Its own balance, still a draft."""
    return programs.add_balance_definition(club, by=maya, name="Miles")


def names(club, **options):
    return [version.name for version in balances.wordings(club, **options)]


BUILT_IN = ["Points", "Purchases", "Visits"]


def test_the_draft_view_is_one_query(club, miles, django_assert_num_queries):
    with django_assert_num_queries(1):
        assert names(club, with_drafts=True) == [*BUILT_IN, "Miles"]
    with django_assert_num_queries(1):
        assert names(club, with_drafts=False) == BUILT_IN


def test_built_in_balances_can_be_internal(club, program):
    assert all(v.is_internal for v in balances.wordings(club, with_drafts=False))
    assert not any(v.is_internal for v in balances.wordings(program, with_drafts=False))


def test_a_change_is_a_draft_and_a_second_one_edits_it(club, miles, maya):
    lifecycle.publish_now([miles], by=maya)
    definition = miles.balance_definition
    first = balances.reword(definition, {"name": "Sea miles"}, by=maya)
    again = balances.reword(definition, {"name": "Air miles"}, by=maya)
    assert again.pk == first.pk
    assert names(club, with_drafts=True)[-1] == "Air miles"
    assert names(club, with_drafts=False)[-1] == "Miles"


def test_who_says_the_same_again_takes_nothing_back(program, maya):
    draft = programs.add_balance_definition(program, by=maya, name="Miles")
    lifecycle.submit([draft], by=maya)
    again = balances.reword(draft.balance_definition, {"name": "Miles"}, by=maya)
    assert again.status == "PENDING_APPROVAL"
    again = balances.reword(draft.balance_definition, {"name": "Stars"}, by=maya)
    assert (again.pk, again.status) == (draft.pk, "DRAFT")


def test_what_was_never_live_is_put_away_at_once(club, miles, maya):
    balances.retire(miles.balance_definition, by=maya)
    miles.balance_definition.refresh_from_db()
    assert miles.balance_definition.discarded_at
    assert names(club, with_drafts=True) == BUILT_IN


def test_the_end_of_what_is_live_is_a_draft(club, miles, maya):
    lifecycle.publish_now([miles], by=maya)
    balances.reword(miles.balance_definition, {"name": "Air miles"}, by=maya)
    balances.retire(miles.balance_definition, by=maya)
    balances.retire(miles.balance_definition, by=maya)
    with pytest.raises(InvalidTransition, match="being deleted"):
        balances.reword(miles.balance_definition, {"name": "Back"}, by=maya)
    assert names(club, with_drafts=True) == BUILT_IN
    assert names(club, with_drafts=False)[-1] == "Miles"
    ending = miles.balance_definition.versions.open().get()
    lifecycle.publish_now([ending], by=maya)
    assert names(club, with_drafts=False) == BUILT_IN
    with pytest.raises(InvalidTransition):
        balances.reword(miles.balance_definition, {"name": "Back"}, by=maya)


def test_the_end_of_what_waits_for_a_reviewer_takes_it_back(program, maya):
    draft = programs.add_balance_definition(program, by=maya, name="Miles")
    lifecycle.submit([draft], by=maya)
    balances.retire(draft.balance_definition, by=maya)
    draft.refresh_from_db()
    assert draft.status == "DELETED"


def test_what_is_built_in_stays(club, maya):
    with pytest.raises(InvalidTransition, match="built in"):
        balances.retire(factories.definition_of(club), by=maya)


def test_hidden_balances_take_no_name(club, program, maya, chen):
    draft = programs.add_balance_definition(club, by=maya, name="Points")
    lifecycle.publish_now([draft], by=maya)
    shown = programs.add_balance_definition(program, by=maya, name="Points")
    with pytest.raises(Unsound, match="called Points already"):
        factories.approve(lifecycle.submit([shown], by=maya), chen)
