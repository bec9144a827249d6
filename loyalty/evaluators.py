"""Who looks at members in the very transaction in which their points change.

``tiers`` registers here when apps are ready. Posting calls the registered
evaluators itself, so that no caller can forget them and nothing rests on signals,
on ``on_commit`` or on a broker. Posting without any is an error: members would keep
yesterday's tiers and nobody would notice.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from django.core.exceptions import ImproperlyConfigured

from .chain import Link
from .models import Member
from .rows import Command
from .statements import Ask


class Prepare(Protocol):
    """Take the locks that judging a program's members needs, before members are
    locked: whoever publishes new rules waits, or is waited for.

    What is returned holds for as long as the locks do, and is handed on."""

    def __call__(self, program_id: int) -> Any: ...


class Evaluate(Protocol):
    """Judge locked members as of an instant, and write what follows from it."""

    def __call__(
        self,
        program_id: int,
        member_ids: Sequence[int],
        as_of: datetime,
        prepared: Any,
        /,
    ) -> object: ...


class Share(NamedTuple):
    """So much of what was earned is at the rate of a tier; None is that of no tier."""

    group: int
    definition: int
    tier: int | None
    amount: int


#: What members have earned, or are about to, by member and then balance definition.
Earned = Mapping[int, Mapping[int, int]]


class Splits(Protocol):
    """Say how what held members are about to earn splits between the rates of the
    tiers held before it and of those held after."""

    def __call__(
        self, program_id: int, earned: Earned, at: datetime, prepared: Any, /
    ) -> Mapping[int, Sequence[Share]]: ...


class MaySplit(Protocol):
    """Say whether anything that is earned now can split at all."""

    def __call__(self, program_id: int, at: datetime, prepared: Any, /) -> bool: ...


class Posted(NamedTuple):
    """What is posted to one member under lock, before it is written."""

    member: Member
    #: When the interval began for which the member belongs to the program now.
    belongs_since: datetime | None
    lines: Sequence[Link]
    at: datetime


class Step(NamedTuple):
    """What judging comes to where the lines say it all."""

    #: What to write along with them.
    commands: Sequence[Command] = ()
    #: Whether that is all; if not, ``evaluate`` gets ``rest`` for what it prepared.
    is_all: bool = False
    rest: Any = None


class Shortcut(Protocol):
    """An evaluator's part in a posting to one member.

    What ``locks`` asks (as ``prepare`` does) and what ``facts`` asks of the member,
    once locked, is answered in the one trip in which the member is locked.
    """

    @property
    def locks(self) -> Sequence[Ask]: ...

    @property
    def facts(self) -> Sequence[Ask]: ...

    def prepared(self) -> Any:
        """Return what ``prepare`` would."""

    def step(self, posted: Posted) -> Step:
        """Judge the member without asking for their history, if that can be."""
        ...


@dataclass(frozen=True)
class Evaluator:
    """Named steps, called in the transaction of a posting."""

    name: str
    prepare: Prepare
    evaluate: Evaluate
    split: Splits | None = None
    may_split: MaySplit | None = None
    shortcut: Callable[[int, int], Shortcut] | None = None


_registry: dict[str, Evaluator] = {}


def register(evaluator: Evaluator) -> None:
    """Add an evaluator, or replace the one of the same name."""
    _registry[evaluator.name] = evaluator


def registered() -> list[Evaluator]:
    """Return the evaluators by name; none at all is an error."""
    if not _registry:
        raise ImproperlyConfigured(
            "No app judges members when their points change: none has registered "
            "with loyalty.evaluators."
        )
    return [_registry[name] for name in sorted(_registry)]


#: What each evaluator's locks brought to light, by its name.
Prepared = dict[str, Any]


def prepare(program_id: int) -> Prepared:
    return {e.name: e.prepare(program_id) for e in registered()}


def shortcuts(program_id: int, member_id: int) -> dict[str, Shortcut]:
    """Return each evaluator's part in a posting; those that have none prepare now."""
    return {
        e.name: e.shortcut(program_id, member_id)
        if e.shortcut
        else _Nothing(e.prepare(program_id))
        for e in registered()
    }


def step(
    parts: Mapping[str, Shortcut], posted: Posted
) -> tuple[list[Command], Prepared]:
    """Return what to write along with lines, and for whom that is not all."""
    steps = {name: part.step(posted) for name, part in parts.items()}
    commands = [command for step in steps.values() for command in step.commands]
    return commands, {name: s.rest for name, s in steps.items() if not s.is_all}


@dataclass(frozen=True)
class _Nothing:
    """The part of an evaluator that always looks at the whole member."""

    known: Any
    locks: Sequence[Ask] = ()
    facts: Sequence[Ask] = ()

    def prepared(self) -> Any:
        return self.known

    def step(self, posted: Posted) -> Step:
        return Step(rest=self.known)


def evaluate(
    program_id: int,
    member_ids: Sequence[int],
    as_of: datetime,
    *,
    prepared: Prepared | None = None,
) -> None:
    """Have locked members judged: by everybody, or by those who prepared for it."""
    for evaluator in registered():
        if prepared is None:
            evaluator.evaluate(program_id, member_ids, as_of, None)
        elif evaluator.name in prepared:
            known = prepared[evaluator.name]
            evaluator.evaluate(program_id, member_ids, as_of, known)


def split(
    program_id: int, earned: Earned, at: datetime, *, prepared: Prepared
) -> dict[int, list[Share]]:
    """Return the shares of each member whose earnings split, or may have."""
    found: dict[int, list[Share]] = {}
    for evaluator in registered():
        if evaluator.split:
            known = prepared.get(evaluator.name)
            shares = evaluator.split(program_id, earned, at, known)
            for member_id, more in shares.items():
                found.setdefault(member_id, []).extend(more)
    return found


def may_split(program_id: int, at: datetime, *, prepared: Prepared) -> bool:
    return any(
        evaluator.may_split(program_id, at, prepared.get(evaluator.name))
        for evaluator in registered()
        if evaluator.may_split
    )
