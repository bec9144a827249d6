"""Who looks at members in the very transaction in which their points change.

``tiers`` registers here when apps are ready. Posting calls the registered
evaluators itself, so that no caller can forget them and nothing rests on signals,
on ``on_commit`` or on a broker. Posting without any is an error: members would keep
yesterday's tiers and nobody would notice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from django.core.exceptions import ImproperlyConfigured


class Prepare(Protocol):
    """Take the locks that judging a program's members needs, before members are
    locked: whoever publishes new rules waits, or is waited for."""

    def __call__(self, program_id: int) -> object: ...


class Evaluate(Protocol):
    """Judge locked members as of an instant, and write what follows from it."""

    def __call__(
        self, program_id: int, member_ids: Sequence[int], as_of: datetime
    ) -> object: ...


@dataclass(frozen=True)
class Evaluator:
    """A named pair of steps, called in the transaction of a posting."""

    name: str
    prepare: Prepare
    evaluate: Evaluate


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


def prepare(program_id: int) -> None:
    for evaluator in registered():
        evaluator.prepare(program_id)


def evaluate(program_id: int, member_ids: Sequence[int], as_of: datetime) -> None:
    for evaluator in registered():
        evaluator.evaluate(program_id, member_ids, as_of)
