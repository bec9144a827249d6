"""The fold: from what happened to which rung was held, when and why.

A member's time in the program is cut into parts in which one ladder is in force. In
each part the fold steps from one instant at which something happens to the next; at
each it applies what happened and then evaluates once. ``docs/evaluation.md`` has the
rules in words, in the order of ``_Stay._evaluate``.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from dataclasses import replace
from datetime import datetime

from loyalty.calendar import add_months, first_instant, local_date

from . import schedules, terms
from .amounts import contribution, satisfied, target, weighs, weighs_until
from .terms import Term
from .words import (
    NOTHING,
    Acts,
    Condition,
    Held,
    Ladder,
    Line,
    Measure,
    Outcome,
    Override,
    Renewed,
    Rung,
    Schedule,
    Span,
)

Deltas = dict[datetime, list[tuple[Measure, int]]]


def fold(
    lines: Sequence[Line],
    memberships: Iterable[Span],
    ladders: Sequence[Ladder],
    as_of: datetime,
    acts: Acts = NOTHING,
) -> Outcome:
    """Return which rungs a member stood on up to ``as_of``, from scratch.

    ``ladders`` are in order of ``starts_at``; each is in force until the next.
    Bounds of what is held are instants at which something happened, never
    ``as_of``: two folds to different instants agree on what they both see.
    """
    outcome = Outcome()
    for span in sorted(memberships, key=lambda s: s.start):
        stay = _Stay(span, lines, acts, as_of, outcome)
        for ladder, part in _parts(ladders, span):
            if part.start > as_of:
                outcome.due_at = _earlier(outcome.due_at, part.start)
                break
            stay.fold_part(ladder, part)
        if span.end is not None and stay.placed:
            if span.end <= as_of:
                stay.leave(span.end)
            else:
                outcome.due_at = _earlier(outcome.due_at, span.end)
    return outcome


def _parts(ladders: Sequence[Ladder], span: Span) -> Iterator[tuple[Ladder, Span]]:
    """Cut a membership into the times of the ladders that were in force."""
    for index, ladder in enumerate(ladders):
        following = ladders[index + 1].starts_at if index + 1 < len(ladders) else None
        start = max(ladder.starts_at, span.start)
        ends = [end for end in (following, span.end) if end is not None]
        end = min(ends) if ends else None
        if end is None or start < end:
            yield ladder, Span(start, end)


class _Stay:
    """One membership: the state beneath, and what the member reads as.

    The state is the tier that the rules give; an override bounds what is read, and
    leaves the state alone.
    """

    def __init__(
        self,
        span: Span,
        lines: Sequence[Line],
        acts: Acts,
        as_of: datetime,
        outcome: Outcome,
    ) -> None:
        self.joined = span.start
        self.lines = lines
        self.acts = acts
        self.as_of = as_of
        self.outcome = outcome
        self.placed = False
        self.tier: int | None = None
        #: Where the tier stands on the ladder in force, and where the target does.
        self.rank = self.best = -1
        self.since = span.start
        self.term: Term | None = None
        #: The postings that caused the last upgrade.
        self.cause: frozenset[int] = frozenset()

    # One part after the other

    def fold_part(self, ladder: Ladder, part: Span) -> None:
        self.ladder = ladder
        self.rank = ladder.rank(self.tier)
        self.amounts = dict.fromkeys(ladder.measures(), 0)
        changes, exits = self._weigh(part)
        acts = self._instants_of_acts(part)
        at: datetime | None = part.start
        rules = True
        while at is not None and at <= self.as_of and _within(part, at):
            for measure, amount in changes.get(at, ()):
                self.amounts[measure] += amount
            self._step(at, rules=rules, changed=at in changes)
            rules = False
            at = self._next(at, changes, acts)
        if part.end is not None and part.end <= self.as_of:
            return
        outcome = self.outcome
        outcome.amount = self.amounts[ladder.measure]
        following = at if at is not None and _within(part, at) else part.end
        outcome.due_at = _earlier(outcome.due_at, following)
        outcome.next_exit_at = min(exits, default=None)
        outcome.term_ends_at = self.term.ends_at if self.term else None
        outcome.drops_at = self._drops_at(exits)

    def leave(self, at: datetime) -> None:
        _close(self.outcome, at)
        self.tier, self.rank, self.term, self.cause = None, -1, None, frozenset()
        self.outcome.term_ends_at = None

    def _weigh(self, part: Span) -> tuple["_Timeline", Deltas]:
        """Sum what weighs before the part begins, and return what changes in it.

        The second are the ends, later than ``as_of``, of what weighs by then.
        """
        changes: Deltas = {}
        exits: Deltas = {}
        zone = self.ladder.zone
        for measure in self.amounts:
            for line in self.lines:
                if not weighs(line, measure):
                    continue
                start, end = line.occurred_at, weighs_until(line, measure, zone)
                # What is past, or a reversal that comes when its original has left.
                if end is not None and end <= max(start, part.start):
                    continue
                if start < part.start:
                    self.amounts[measure] += line.amount
                else:
                    changes.setdefault(start, []).append((measure, line.amount))
                if end is not None:
                    changes.setdefault(end, []).append((measure, -line.amount))
                    if start <= self.as_of < end:
                        exits.setdefault(end, []).append((measure, -line.amount))
        return _Timeline(changes), exits

    def _instants_of_acts(self, part: Span) -> "_Timeline":
        acts = self.acts
        instants: set[datetime] = {move.at for move in acts.moves}
        instants.update(acts.evaluations)
        instants.update(_boundaries(acts.overrides))
        return _Timeline({at: [] for at in instants if at > part.start})

    # From one instant to the next

    def _next(
        self, at: datetime, changes: "_Timeline", acts: "_Timeline"
    ) -> datetime | None:
        """Return the next instant at which anything can happen.

        Schedule dates on which nothing could move are passed over: until an amount
        changes they would find what the last evaluation found.
        """
        found = changes.after(at)
        if acts:
            found = _earlier(found, acts.after(at))
        if self.term is not None and self.term.check_at > at:
            found = _earlier(found, self.term.check_at)
        if self.best == self.rank:
            return found
        ladder = self.ladder
        if self.best > self.rank and not ladder.up.is_real_time:
            found = _earlier(found, self._next_date(ladder.up, at))
        if self._could_fall():
            least = self._minimum_ends_at(ladder.rungs[self.rank])
            if not ladder.down.is_real_time:
                found = _earlier(found, self._next_date(ladder.down, at))
            elif least > at:
                found = _earlier(found, least)
        return found

    def _next_date(self, schedule: Schedule, after: datetime) -> datetime:
        anchor = self._anchor(schedule)
        return schedules.next_date(schedule, anchor, self.ladder.zone, after)

    def _anchor(self, schedule: Schedule) -> datetime:
        is_tiers = schedule.strategy == "TIER_ANNIVERSARY"
        return self.since if is_tiers else self.joined

    def _could_fall(self) -> bool:
        if self.rank < 0 or self.term is not None:
            return False
        rung = self.ladder.rungs[self.rank]
        return rung.may_fall and not satisfied(rung, self.amounts)

    def _minimum_ends_at(self, rung: Rung) -> datetime:
        if not rung.minimum_months:
            return self.since
        zone = self.ladder.zone
        day = add_months(local_date(self.since, zone), rung.minimum_months)
        return first_instant(day, zone)

    # At one instant

    def _step(self, at: datetime, *, rules: bool, changed: bool) -> None:
        ladder = self.ladder
        self.best = target(ladder, self.amounts)
        moved = self._moved_to(at) if self.acts.moves else -1
        reason: str | None
        if moved >= 0:
            self._enter(moved, at)
            self.placed = True
            reason = "MOVED"
        elif not self.placed:
            self._enter(self.best, at)
            self.placed = True
            reason = "PLACED"
        elif self.rank < 0 and self.tier is not None:
            self._enter(self.best, at)
            reason = "RULES_CHANGED"
        else:
            reason = self._evaluate(at, rules=rules, changed=changed)
            if reason is not None and rules:
                reason = "RULES_CHANGED"
        if reason is not None or self.acts.overrides:
            self._show(at, reason)

    def _moved_to(self, at: datetime) -> int:
        """Return the rung that somebody put the member on at an instant, or -1."""
        ranks = [self.ladder.rank(m.tier) for m in self.acts.moves if m.at == at]
        return next((rank for rank in reversed(ranks) if rank >= 0), -1)

    def _evaluate(self, at: datetime, *, rules: bool, changed: bool) -> str | None:
        """Evaluate once; return why the state changed, if it did."""
        ladder, rank, best = self.ladder, self.rank, self.best
        checked = self.term is not None and self.term.check_at == at
        if best == rank and not checked:
            # The present tier's conditions hold, and nobody is above it.
            return None
        ordered = at in self.acts.evaluations
        happened = rules or changed
        if best > rank and (ordered or self._is_due(ladder.up, at, happened)):
            self._enter(best, at)
            self.cause = self._cause(ladder.rungs[best], at)
            return "UPGRADED"
        if rank < 0:
            return None
        rung = ladder.rungs[rank]
        fails = not satisfied(rung, self.amounts)
        if fails and self._is_returned(rung, at):
            self._enter(target(ladder, self.amounts, below=rank), at)
            return "DOWNGRADED"
        if checked and self.term is not None:
            return self._check(self.term, rank, at)
        if not fails or not rung.may_fall or (self.term is not None and not ordered):
            return None
        least = self._minimum_ends_at(rung)
        happened = happened or (at == least and rung.minimum_months > 0)
        if at < least or not (ordered or self._is_due(ladder.down, at, happened)):
            return None
        self._enter(self._destination(rung, rank), at)
        return "DOWNGRADED"

    def _is_due(self, schedule: Schedule, at: datetime, happened: bool) -> bool:
        if schedule.is_real_time:
            return happened
        anchor = self._anchor(schedule)
        return schedules.is_due(schedule, anchor, self.ladder.zone, at)

    def _check(self, term: Term, rank: int, at: datetime) -> str | None:
        ladder = self.ladder
        if ladder.rungs[rank].is_base or terms.is_renewed(
            term, self.lines, ladder.zone
        ):
            destination = rank
        elif term.rung.downgrade_to != "THRESHOLD":
            destination = self._destination(term.rung, rank)
        elif ladder.rungs[rank].automatic:
            destination = target(ladder, self.amounts, below=rank + 1)
        else:
            destination = rank
        if destination != rank:
            self._enter(destination, at)
            return "DOWNGRADED"
        self.term = terms.renew(term, ladder.rungs[rank], ladder.zone)
        until = self.term.ends_at if self.term else None
        self.outcome.renewed.append(Renewed(ladder.rungs[rank].tier, at, until))
        return None

    def _destination(self, rung: Rung, rank: int) -> int:
        rungs = self.ladder.rungs
        if rung.downgrade_to == "SINGLE":
            lower = (i for i in range(rank - 1, -1, -1) if rungs[i].automatic)
            return next(lower, -1)
        if rung.downgrade_to == "LOWEST":
            return next((i for i in range(rank) if rungs[i].is_base), -1)
        return target(self.ladder, self.amounts, below=rank)

    def _enter(self, rank: int, at: datetime) -> None:
        rung = self.ladder.rungs[rank] if rank >= 0 else None
        self.rank = rank
        self.tier = rung.tier if rung else None
        self.since = at
        self.cause = frozenset()
        self.term = None
        if rung is not None and rung.validity is not None:
            zone = self.ladder.zone
            self.term = terms.begin(rung, joined=self.joined, at=at, zone=zone)

    # Returns

    def _cause(self, rung: Rung, at: datetime) -> frozenset[int]:
        if not rung.reevaluates_on_return:
            return frozenset()
        return frozenset(
            line.posting
            for line in self.lines
            if line.occurred_at == at
            and line.posting is not None
            and self._weighs(line)
        )

    def _is_returned(self, rung: Rung, at: datetime) -> bool:
        if not rung.reevaluates_on_return or not self.cause:
            return False
        return any(
            line.returns in self.cause
            for line in self.lines
            if line.occurred_at == at and line.kind == "REVERSAL" and self._weighs(line)
        )

    def _weighs(self, line: Line) -> bool:
        zone = self.ladder.zone
        return any(contribution(line, measure, zone) for measure in self.amounts)

    # What is read

    def _show(self, at: datetime, reason: str | None) -> None:
        """Change what is held if the member now reads as another tier."""
        outcome = self.outcome
        state = self.rank
        shown = self._bounded(state, at)
        rung = self.ladder.rungs[shown] if shown >= 0 else None
        current = outcome.current
        if (current.tier if current else None) == (rung.tier if rung else None):
            return
        if current is not None:
            _close(outcome, at)
        if rung is None:
            return
        first = rung.conditions[0] if len(rung.conditions) == 1 else None
        single = first if isinstance(first, Condition) else None
        outcome.held.append(
            Held(
                tier=rung.tier,
                version=rung.version,
                group_version=self.ladder.group_version,
                start=at,
                end=None,
                reason=reason if reason and shown == state else "OVERRIDDEN",
                amount=self.amounts[single.measure if single else self.ladder.measure],
                threshold=single.minimum if single else None,
            )
        )

    def _bounded(self, state: int, at: datetime) -> int:
        for override in self.acts.overrides:
            rank = self.ladder.rank(override.tier)
            if rank < 0 or not override.span.covers(at):
                continue
            if override.bound == "PIN":
                return rank
            if override.bound == "FLOOR":
                return max(state, rank)
            return min(state, rank)
        return state

    # The time to come

    def _drops_at(self, exits: Deltas) -> datetime | None:
        """Run forward with nothing more earned until a lower rung is read."""
        current = self.outcome.current
        if current is None:
            return None
        present = self.ladder.rank(current.tier)
        acts = Acts((), self.acts.overrides, ())
        ahead = copy(self)
        ahead.acts = acts
        ahead.amounts = dict(self.amounts)
        ahead.outcome = Outcome(held=[current])
        changes = _Timeline(exits)
        boundaries = ahead._instants_of_acts(Span(self.as_of))
        at = ahead._next(self.as_of, changes, boundaries)
        horizon = ahead._horizon(exits)
        while at is not None and at <= horizon:
            for measure, amount in exits.get(at, ()):
                ahead.amounts[measure] += amount
            ahead._step(at, rules=False, changed=at in exits)
            now = ahead.outcome.current
            if now is None or self.ladder.rank(now.tier) < present:
                return at
            at = ahead._next(at, changes, boundaries)
        return None

    def _horizon(self, exits: Deltas) -> datetime:
        """Return when everything earned is past and each term was checked since."""
        far = max([self.as_of, *exits, *_boundaries(self.acts.overrides)])
        months = max([_reach(rung) for rung in self._wordings()], default=0)
        zone = self.ladder.zone
        return first_instant(add_months(local_date(far, zone), months), zone)

    def _wordings(self) -> Iterator[Rung]:
        yield from self.ladder.rungs
        if self.term is not None:
            yield self.term.rung


class _Timeline(Deltas):
    """What changes when, with its instants in order."""

    def __init__(self, changes: Deltas) -> None:
        super().__init__(changes)
        self._instants = sorted(changes)

    def after(self, instant: datetime) -> datetime | None:
        place = bisect_right(self._instants, instant)
        return self._instants[place] if place < len(self._instants) else None


def _reach(rung: Rung) -> int:
    """Return in how many months a term of this wording shows what it comes to."""
    validity = rung.validity.months if rung.validity else 0
    return 2 * validity + rung.minimum_months + rung.renewal.from_months + 40


def _boundaries(overrides: Iterable[Override]) -> Iterator[datetime]:
    for override in overrides:
        yield override.span.start
        if override.span.end is not None:
            yield override.span.end


def _within(part: Span, at: datetime) -> bool:
    return part.end is None or at < part.end


def _close(outcome: Outcome, at: datetime) -> None:
    """End what is held; what would have lasted no time at all never was."""
    last = outcome.current
    if last is None:
        return
    outcome.held.pop()
    if last.start < at:
        outcome.held.append(replace(last, end=at))


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    if one is None or other is None:
        return one or other
    return min(one, other)
