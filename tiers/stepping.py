"""A member who posts on time: a step from where they stood, without their history.

Most postings are of now, by members whose lines have all been judged, in a group
where one amount decides. Then the new amount is the old one with what was posted; if
that reaches another tier, the one held so far ends at the instant of the posting.
What a step needs to know is asked in the trip in which the member is locked, and what
follows from it is written along with the lines. Everything else is judged from the
whole history, as ever.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Exists, OuterRef

from loyalty.evaluators import Posted, Step
from loyalty.rows import Command
from loyalty.statements import Statement

from . import counts, keeping, ladder, locks, outbox, rules, sets
from .ladder import Ladder, Line, Rung, Span
from .models import ManualMove, Override, Standing, TierAssignment, TierGroup

Reason = TierAssignment.Reason


def _standings(member: int) -> Any:
    acts = {"member": OuterRef("member"), "group": OuterRef("group")}
    return Standing.objects.filter(member=member).annotate(
        has_acts=Exists(ManualMove.objects.filter(**acts))
        | Exists(Override.objects.filter(**acts))
    )


STANDINGS = Statement(
    (
        "pk",
        "group_id",
        "tier_id",
        "qualifying_points",
        "since",
        "evaluated_at",
        "ruleset",
        "due_at",
        "next_exit_at",
        "counted_as_id",
        "has_acts",
    ),
    _standings,
)


class Shortcut:
    """The part that judging has in a posting to one member."""

    def __init__(self, program_id: int, member_id: int) -> None:
        self.locks = locks.sharing(program_id)
        self._standings = STANDINGS.of(member_id)
        self.facts = (self._standings,)

    def prepared(self) -> list[TierGroup]:
        """Return the program's groups, whose rules stay as they are meanwhile."""
        return locks.groups_in(self.locks)

    def step(self, posted: Posted) -> Step:
        groups = self.prepared()
        ladders = rules.ladders_of(groups)
        standings = {standing.group_id: standing for standing in self._standings.rows}
        commands: list[Command] = []
        rest: list[TierGroup] = []
        for group in groups:
            if not ladders[group.pk]:
                # It never went live: nobody stands anywhere in it.
                continue
            standing = standings.get(group.pk)
            found = standing and _step(group, ladders[group.pk], standing, posted)
            if found is None:
                rest.append(group)
            else:
                commands += found
        return Step(commands, is_all=not rest, rest=rest)


def _step(
    group: TierGroup, ladders: Sequence[Ladder], standing: Any, posted: Posted
) -> list[Command] | None:
    """Return what brings a standing up to date; None if that takes the history."""
    if not sets.suit(ladders) or not _nothing_but_lines(group, standing, posted):
        return None
    current = ladders[-1]
    if standing.evaluated_at < current.starts_at:
        return None
    added = _added(current, standing.evaluated_at, posted)
    if added is None:
        return None
    amount = standing.qualifying_points + sum(line.amount for line, _ in added)
    before = _reached(current, standing.qualifying_points)
    after = _reached(current, amount)
    if before.tier != standing.tier_id:
        return None
    ends = [span.end for _, span in added if span.end is not None]
    step = sets.Step(
        group=group,
        member=posted.member.pk,
        standing=standing.pk,
        as_of=posted.at,
        amount=amount,
        due_at=_first(standing.due_at, *ends),
        next_exit_at=_first(standing.next_exit_at, *ends),
        tier=after.tier,
        since=standing.since,
        counted_as=standing.counted_as_id,
    )
    if after.tier == before.tier:
        return [sets.standing(step, current, after.least if added else None)]
    return _move(step, current, before, after, at=added[0][1].start, posted=posted)


def _move(
    step: sets.Step,
    current: Ladder,
    before: "_Reached",
    after: "_Reached",
    *,
    at: datetime,
    posted: Posted,
) -> list[Command]:
    """Return what moves a member at an instant later than all that was judged."""
    changes: Counter[int] = Counter()
    counted_as = after.tier if posted.member.status == counts.ACTIVE else None
    counts.count_move(changes, step.counted_as, counted_as)
    step = step._replace(since=at if after.rung else None, counted_as=counted_as)
    moved = outbox.Moved(step.member, before.tier, after.tier, at)
    outbox.tell(step.group, [moved], (), posted.at)
    commands = [sets.standing(step, current, after.least)]
    if before.rung:
        commands.append(sets.ending(step, at))
    if after.rung:
        held = (
            after.rung.tier,
            at,
            None,
            Reason.UPGRADED if after.least > before.least else Reason.DOWNGRADED,
            step.amount,
            None if after.least == sets.LOWEST else after.least,
            after.rung.version,
            current.group_version,
        )
        commands += keeping.inserting(step.group, [(step.member, held)], posted.at)
    return [*commands, *counts.noting(step.group.program_id, changes, posted.at)]


def _nothing_but_lines(group: TierGroup, standing: Any, posted: Posted) -> bool:
    """Whether nothing that concerns a standing came since, but what is posted now."""
    member = posted.member
    counted_as = standing.tier_id if member.status == counts.ACTIVE else None
    return (
        member.marked_at is None
        and posted.belongs_since is not None
        and posted.belongs_since <= standing.evaluated_at < posted.at
        and (standing.due_at is None or standing.due_at > posted.at)
        and standing.ruleset == group.ruleset
        and standing.counted_as_id == counted_as
        and not standing.has_acts
    )


def _added(
    current: Ladder, judged_at: datetime, posted: Posted
) -> list[tuple[Line, Span]] | None:
    """Return what weighs of what is posted; None where a step is not enough."""
    added = []
    for link in posted.lines:
        if link.reverses or not judged_at < link.occurred_at <= posted.at:
            return None
        line = Line(
            link.balance_definition_id,
            link.kind,
            link.kind,
            link.amount,
            link.occurred_at,
            link.window_at,
        )
        span = ladder.contribution(line, current.measure, current.zone)
        if span is not None and (span.end is None or span.end > posted.at):
            added.append((line, span))
        elif span is not None:
            return None
    # Between two instants the member may have stood elsewhere.
    return added if len({span.start for _, span in added}) <= 1 else None


class _Reached(NamedTuple):
    """The rung that an amount reaches, and the least that it takes; or none."""

    least: int
    rung: Rung | None

    @property
    def tier(self) -> int | None:
        return self.rung.tier if self.rung else None


def _reached(current: Ladder, amount: int) -> _Reached:
    # Below the base tier, which takes the least of all, there is nothing.
    reached = _Reached(sets.LOWEST - 1, None)
    for minimum, rung in ladder.bounds(current):
        if minimum is None or minimum <= amount:
            reached = _Reached(sets.LOWEST if minimum is None else minimum, rung)
    return reached


def _first(*instants: datetime | None) -> datetime | None:
    return min((at for at in instants if at is not None), default=None)
