"""Steps of a state machine that are put down, so that they can be taken once more."""

from collections.abc import Callable
from functools import wraps
from inspect import signature
from typing import Any, Protocol

from hypothesis import strategies as st
from hypothesis.stateful import rule

#: A method's name, and with what it was called.
Call = tuple[str, dict[str, Any]]


def call(name: str, **arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Call]:
    return st.tuples(st.just(name), st.fixed_dictionaries(arguments))


class Scripted(Protocol):
    script: list[Call]


def step(**drawn: Any) -> Callable[[Callable[..., None]], Any]:
    """Make a rule of a method, and put each call of it into the machine's script."""

    def decorate(method: Callable[..., None]) -> Any:
        @rule(**drawn)
        @wraps(method)
        def recorded(self: Scripted, *positional: Any, **named: Any) -> None:
            called = signature(method).bind(self, *positional, **named).arguments
            del called["self"]
            self.script.append((method.__name__, called))
            method(self, **called)

        return recorded

    return decorate
