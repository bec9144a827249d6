"""The comparison of two engines notices a rule that is wrong in either of them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.tiers import reference
from tests.tiers.histories import History, differences, histories, looks
from tiers.ladder import Line, Measure, amounts, folding


@settings(
    max_examples=500,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(history=histories(), as_of=looks)
def compare(history: History, as_of: datetime) -> None:
    assert not differences(history.fold(as_of), history.read(as_of))


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

    def wrapped(day: Any, months: int | None) -> Any:
        return original(day + reference.DAY, months)

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


@pytest.mark.parametrize(
    ("engine", "name", "mutate"),
    [
        (folding, "weighs_until", a_month_less),
        (folding, "weighs_until", of_its_own),
        (amounts, "leaving_day", open_at_its_start),
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
