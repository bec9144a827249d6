"""The comparison of two engines notices a rule that is wrong in either of them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings

from tests.tiers import reference
from tests.tiers.histories import (
    History,
    differences,
    histories,
    looks,
    merged,
)
from tiers.ladder import (
    NOTHING,
    Condition,
    Ladder,
    Line,
    Measure,
    Rung,
    Span,
    amounts,
    folding,
)


def at(month: int, day: int) -> datetime:
    return datetime(2024, month, day, tzinfo=UTC)


def a_line(kind: str, amount: int, when: datetime, window_at: datetime) -> Line:
    return Line(1, kind, "EARN", amount, when, window_at)


WINDOW = Measure("WINDOW", 1, 3)
#: Exactly 100 is asked for; a month, a day, or a window of the reversal's own more or
#: less, and 100 are there at other times.
DECISIVE = History(
    lines=(
        a_line("EARN", 100, at(1, 10), at(1, 10)),
        a_line("EARN", 100, at(2, 1), at(2, 1)),
        a_line("REVERSAL", -100, at(3, 1), at(1, 10)),
    ),
    memberships=(Span(at(1, 1)),),
    ladders=(
        Ladder(at(1, 1), "UTC", 1, WINDOW, (Rung(10, 1, (Condition(WINDOW, 100),)),)),
    ),
    acts=NOTHING,
)


@settings(
    max_examples=100,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@example(history=DECISIVE, as_of=at(12, 1))
@given(history=histories, as_of=looks)
def compare(history: History, as_of: datetime) -> None:
    known = history.until(as_of)
    assert not differences(known.fold(as_of), known.read(as_of))


Wrapped = Callable[..., Any]


def a_month_less(original: Wrapped) -> Wrapped:
    def wrapped(*arguments: Any) -> Any:
        return original(*(_shorter(a) for a in arguments))

    return wrapped


def _shorter(argument: Any) -> Any:
    if isinstance(argument, Measure) and argument.months:
        return argument._replace(months=argument.months - 1)
    return argument


def open_at_its_start(original: Wrapped) -> Wrapped:
    """What was earned on the first day of a window counts as well."""

    def wrapped(day: Any, *others: Any) -> Any:
        return original(day + reference.DAY, *others)

    return wrapped


def of_its_own(original: Wrapped) -> Wrapped:
    """A reversal stays for a window of its own."""

    def wrapped(*arguments: Any) -> Any:
        return original(*(_own(a) for a in arguments))

    return wrapped


def _own(argument: Any) -> Any:
    if isinstance(argument, Line):
        return replace(argument, window_at=argument.occurred_at)
    return argument


def more_than(original: Wrapped) -> Wrapped:
    """Reaching a threshold exactly is not enough."""

    def wrapped(asked: Any, found: Any) -> Any:
        if isinstance(asked, int):  # the reference: amount, minimum
            return asked > found
        if hasattr(asked, "minimum"):  # the fold: condition, amounts
            return found[asked.measure] > asked.minimum
        return original(asked, found)

    return wrapped


def test_the_two_engines_agree_as_they_are() -> None:
    compare()
    assert merged(DECISIVE.fold(at(12, 1))) == [(10, at(1, 10), at(5, 1))]


@pytest.mark.parametrize(
    ("engine", "name", "mutate"),
    [
        (folding, "weighs_until", a_month_less),
        (folding, "weighs_until", of_its_own),
        (amounts, "_leaving", open_at_its_start),
        (amounts, "holds", more_than),
        (reference, "end_of", a_month_less),
        (reference, "end_of", of_its_own),
        (reference, "leaving_day", open_at_its_start),
        (reference, "reaches", more_than),
    ],
)
def test_a_wrong_window_threshold_or_reversal_is_noticed_in_either_engine(
    engine: ModuleType, name: str, mutate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, name, mutate(getattr(engine, name)))
    with pytest.raises(AssertionError):
        compare()
