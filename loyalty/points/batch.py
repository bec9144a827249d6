"""Posting some things at once and saying what came of each, the new tiers included.

What other systems send is a batch of a hundred, not a million: it is one transaction,
its members are judged in it like those of a single posting, and each activity has an
outcome of its own. Sent again it posts nothing and says the same.

How a purchase splits between the rates of tiers depends on what its member has earned
before. So a batch is posted in rounds, each with one activity of a member at most,
where anything can split; else in one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone

from approvals.errors import Refused

from .. import evaluators
from ..models import Program
from . import asking, requests
from .asking import Activity
from .bulk import Decided, decide_all, once_more
from .ledger import Ledger
from .posting import split
from .requests import Posting


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one activity: its posting, or why there is none."""

    activity: Activity
    posting: Posting | None
    refusal: Refused | None


def post_batch(
    program: Program,
    activities: Sequence[Activity],
    *,
    source: str,
    by: Any,
    at: datetime | None = None,
) -> list[Outcome]:
    """Post activities of a program's members; return the outcome of each, in order.

    One that is refused or makes no sense does not hold up the others. The number of
    queries is that of a single posting, whatever the number of members.
    """
    asking.check_source(source)
    return once_more(
        lambda: _post_all(program.pk, activities, source=source, by=by, at=at)
    )


def _post_all(
    program_id: int,
    activities: Sequence[Activity],
    *,
    source: str,
    by: Any,
    at: datetime | None,
) -> list[Outcome]:
    prepared = evaluators.prepare(program_id)
    now = at or timezone.now()
    apart = evaluators.may_split(program_id, now, prepared=prepared)
    rounds = _rounds(activities) if apart else [range(len(activities))]
    if len(rounds) > 1:
        # All of them first: whatever the rounds, members are locked in one order.
        Ledger(program_id).hold(activity.member_id for activity in activities)
    found: dict[int, Outcome] = {}
    for places in rounds:
        ledger = Ledger(program_id)
        ledger.prepared = prepared
        part = [activities[place] for place in places]
        decided = _post_round(ledger, part, source=source, by=by, at=at, apart=apart)
        found |= dict(zip(places, map(_outcome, decided), strict=True))
    return [found[place] for place in range(len(activities))]


def _rounds(activities: Sequence[Activity]) -> Sequence[Sequence[int]]:
    """Return the places of activities, with one of each member in a round."""
    rounds: list[list[int]] = []
    seen: dict[int, int] = {}
    for place, activity in enumerate(activities):
        number = seen.get(activity.member_id, 0)
        seen[activity.member_id] = number + 1
        if number == len(rounds):
            rounds.append([])
        rounds[number].append(place)
    return rounds


def _post_round(
    ledger: Ledger,
    part: Sequence[Activity],
    *,
    source: str,
    by: Any,
    at: datetime | None,
    apart: bool,
) -> list[Decided]:
    ledger.hold(activity.member_id for activity in part)
    # The clock is read under the locks: along a chain, time never runs backwards.
    at = at or timezone.now()
    ledger.look(at)
    decided = list(decide_all(ledger, part, source=source, by=by, at=at))
    if apart:
        split(ledger, ledger.requests, at=at)
    ledger.write(at=at)
    if touched := {link.member_id for link, _ in ledger.links}:
        evaluators.evaluate(
            ledger.program_id, sorted(touched), at, prepared=ledger.prepared
        )
    return decided


def _outcome(decided: Decided) -> Outcome:
    posting = None
    if decided.made is not None and decided.refusal is None:
        posting = requests.outcome(decided.made, replayed=decided.replayed)
    return Outcome(decided.activity, posting, decided.refusal)
