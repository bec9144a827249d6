"""A member with points, for the stories of the ledger."""

from collections.abc import Callable

import pytest

from loyalty import evaluators, points
from loyalty.models import BalanceDefinition, Member, Program
from tests import factories


@pytest.fixture
def member(program: Program) -> Member:
    """Somebody who has earned nothing yet."""
    return factories.make_member(program)


@pytest.fixture
def stars(program: Program) -> BalanceDefinition:
    """The program's points."""
    return factories.definition_of(program, "POINTS")


@pytest.fixture
def money(program: Program) -> BalanceDefinition:
    """The program's purchases, in cents."""
    return factories.definition_of(program, "PURCHASES")


@pytest.fixture
def rich(member: Member, stars: BalanceDefinition) -> Member:
    """The member, with 100 points."""
    points.earn(member, stars, 100, reference="welcome", source="shop", by=None)
    return member


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, object]]:
    """Stand in for who judges members; what it is asked is noted here."""
    calls: list[tuple[str, object]] = []
    note: Callable[..., None] = lambda *asked: calls.append(asked)  # noqa: E731
    evaluator = evaluators.Evaluator(
        name="notes",
        prepare=lambda program_id: note("prepare", program_id),
        evaluate=lambda program_id, member_ids, as_of, prepared: note(
            "evaluate", list(member_ids)
        ),
    )
    monkeypatch.setattr(evaluators, "_registry", {"notes": evaluator})
    return calls
