"""Two engines that have to agree on whatever may happen to a member."""

from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import assume
from hypothesis import strategies as st

from tests.counts import Part, count, in_parts, whole
from tests.tiers import reference
from tests.tiers.histories import (
    History,
    differences,
    histories,
    instants,
    looks,
)

pytestmark = pytest.mark.proof

many = in_parts(whole(300, 10_000))
some = in_parts(count(100, 2_000))


@many
def test_the_fold_and_the_reference_agree_on_any_history(part: Part) -> None:
    def check(history: History, as_of: datetime) -> None:
        known = history.until(as_of)
        assert not differences(known.fold(as_of), known.read(as_of))

    part.run(check, history=histories, as_of=looks)


@some
def test_what_has_not_happened_yet_changes_nothing(part: Part) -> None:
    def check(history: History, as_of: datetime) -> None:
        early, late = history.until(as_of).fold(as_of), history.fold(as_of)
        assert late.held == early.held
        assert late.renewed == early.renewed
        assert (late.amount, late.next_exit_at) == (early.amount, early.next_exit_at)

    part.run(check, history=histories, as_of=looks)


@some
def test_folds_at_different_times_agree_on_what_both_see(part: Part) -> None:
    def check(history: History, ticks: list[datetime]) -> None:
        folded = [(at, history.until(at).fold(at)) for at in sorted(ticks)]
        for (early, before), (late, after) in pairwise(folded):
            seen = [interval for interval in before.held if interval.end is not None]
            assert after.held[: len(seen)] == seen
            assert after.renewed[: len(before.renewed)] == before.renewed
            happened = any(early < at <= late for at in history.happenings())
            if not happened and (before.due_at is None or before.due_at > late):
                assert after.held == before.held
                assert after.renewed == before.renewed
                assert after.amount == before.amount

    ticks = st.lists(instants, min_size=2, max_size=6, unique=True)
    part.run(check, history=histories, ticks=ticks)


@some
def test_a_tier_is_lost_when_it_was_said_to_be(part: Part) -> None:
    def check(history: History, as_of: datetime) -> None:
        known = history.until(as_of)
        outcome = known.fold(as_of)
        assume(outcome.current)
        horizon = as_of + timedelta(days=1200)
        lost = reference.drops_at(
            known.lines, known.memberships, known.ladders, as_of, known.acts, horizon
        )
        if lost is None and outcome.drops_at is not None:
            assert outcome.drops_at > horizon
        else:
            assert outcome.drops_at == lost

    part.run(check, history=histories, as_of=looks)


@some
def test_the_order_in_which_lines_arrive_does_not_matter(part: Part) -> None:
    def check(history: History, as_of: datetime, data: st.DataObject) -> None:
        lines = tuple(data.draw(st.permutations(history.lines)))
        other = History(lines, history.memberships, history.ladders, history.acts)
        assert other.fold(as_of) == history.fold(as_of)

    part.run(check, history=histories, as_of=looks, data=st.data())
