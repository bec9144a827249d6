"""Goes through rows of the matrix, asks as every role, and says what differs."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from django.db import transaction

from . import questions
from .asking import Asker
from .matrix import ROLES, STRANGERS, Row
from .questions import Ids
from .scene import MARK, World


def askers(world: World) -> list[Asker]:
    return [
        Asker(role, world.people.get(role), world.secrets.get(role, ""))
        for role in ROLES
    ]


def differences(world: World, rows: list[Row]) -> list[str]:
    """Return a sentence for each answer that is not as the matrix says."""
    everybody = askers(world)
    return [
        difference
        for row, things in prepared(world, rows)
        for asker in everybody
        for difference in compare(asker, row, things)
    ]


def prepared(world: World, rows: list[Row]) -> Iterator[tuple[Row, dict[str, Any]]]:
    """Give each row with the things that its request is about; undo what that took.

    What asks and what does are asked about the same things, prepared once.
    """
    for _, alike in groupby(sorted(rows, key=_address), key=_address):
        one_address = list(alike)
        with transaction.atomic():
            things = questions.prepare(world, one_address)
            for row in one_address:
                yield row, things
            transaction.set_rollback(True)


def _address(row: Row) -> tuple[Any, ...]:
    return row.pattern, row.words


def compare(asker: Asker, row: Row, things: dict[str, Any]) -> Iterator[str]:
    ids = Ids(things)
    question = questions.question(row, ids)
    answer = asker.ask(question)
    expected = row.by_role[asker.role]
    if answer.status != expected:
        yield f"{row}: {asker.role} is answered {answer.status}, not {expected}."
    if asker.role not in STRANGERS:
        return
    if MARK.encode() in answer.body:
        yield f"{row}: {asker.role} reads of {MARK}, which is not theirs."
    other = questions.question(row, Ids(things, nobodys=True))
    if other == question:
        return
    nobodys = asker.ask(other)
    if nobodys.status == answer.status == "L":
        # The way back after signing in names the address.
        return
    if nobodys.besides(ids.named) != answer.besides(ids.named):
        yield (
            f"{row}: {asker.role} can tell what is not theirs ({answer.status}) from "
            f"what is not there ({nobodys.status})."
        )
