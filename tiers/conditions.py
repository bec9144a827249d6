"""Conditions as vendors and people write them, read into one tree.

A list says what is compared (Capillary's ``conditions``, or its renewal conditions),
a text how they combine: empty or ``AND`` for all, ``OR`` for any, ``ANY 2`` for any
two, or an expression over their numbers such as ``(1 AND 2) OR 3``. Expressions are
read strictly from left to right, as Capillary documents: ``1 OR 2 AND 3`` is
``(1 OR 2) AND 3``.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from .ladder import Condition, Measure, Needs, Test

#: What a condition compares, by Capillary's word; a tracker is a balance of ours.
TYPES = {"PURCHASE": "PURCHASES", "VISITS": "VISITS", "POINTS": "POINTS"}
TRACKER = "TRACKER"
#: The same of a renewal, in the order in which they are numbered.
RENEWAL_TYPES = {"purchase": "PURCHASES", "numVisits": "VISITS", "points": "POINTS"}
NOT_SET = "-1"

_NUMBER = re.compile(r"[0-9]{1,15}(\.[0-9]{1,4})?", re.ASCII)
_TOKEN = re.compile(r"\s*(?:(\d{1,3})|(AND|&&)|(OR|\|\|)|(\()|(\)))", re.I | re.ASCII)
_ANY = re.compile(r"ANY\s+(\d{1,3})", re.I | re.ASCII)
MAX_MONTHS = 36


class Malformed(ValueError):
    """A condition or an expression that cannot be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Asked:
    """At least ``minimum`` of a balance: a built-in's name, or an id.

    ``months`` is a tracker's own window, where it has one.
    """

    balance: str | int
    minimum: Decimal
    months: int | None = None


def read(items: Any) -> list[Asked]:
    """Return a tier's further conditions: a list of ``{type, value, ...}``."""
    if not isinstance(items, list) or not all(isinstance(i, dict) for i in items):
        raise Malformed('Give a list such as [{"type": "VISITS", "value": "3"}].')
    return [_read(item) for item in items]


def read_renewal(said: Any) -> list[Asked]:
    """Return what renews a tier: purchases, visits and points, then trackers."""
    if not isinstance(said, dict):
        raise Malformed("Give an object with the conditions.")
    unknown = sorted(set(said) - {*RENEWAL_TYPES, "tracker"})
    if unknown:
        raise Malformed(
            f"{unknown[0]} is not a condition of a renewal: there are "
            f"{', '.join(RENEWAL_TYPES)} and tracker."
        )
    found = [
        Asked(balance, _amount(said[name]))
        for name, balance in RENEWAL_TYPES.items()
        if _is_set(said.get(name))
    ]
    trackers = said.get("tracker") or []
    if not isinstance(trackers, list) or not all(isinstance(t, dict) for t in trackers):
        raise Malformed("Give trackers as a list of objects.")
    return found + [_tracker(item) for item in trackers]


def combine(text: str, tests: Sequence[Test]) -> tuple[Test, ...]:
    """Return conditions, all of which must hold, from tests numbered from 1."""
    text = text.strip()
    if not tests or text.upper() in {"", "AND", "&&"}:
        return tuple(tests)
    if text.upper() in {"OR", "||"}:
        return (Needs(1, tuple(tests)),)
    any_of = _ANY.fullmatch(text)
    if any_of:
        least = int(any_of[1])
        if not 1 <= least <= len(tests):
            raise Malformed(f"ANY {least} asks for more conditions than there are.")
        return (Needs(least, tuple(tests)),)
    return (_Expression(text, tests).tree(),)


def check(text: str, count: int) -> None:
    """Refuse a text that does not combine so many conditions."""
    stand_in = Condition(Measure("CURRENT", 0), 0)
    if text.strip() and not count:
        raise Malformed("There are no conditions to combine.")
    combine(text, [stand_in] * count)


# One condition


def _read(item: dict[str, Any]) -> Asked:
    kind = item.get("type")
    if kind == TRACKER:
        return _tracker(item)
    if kind not in TYPES:
        raise Malformed(f"A condition's type is {', '.join(TYPES)} or {TRACKER}.")
    return Asked(TYPES[kind], _amount(item.get("value")))


def _tracker(item: dict[str, Any]) -> Asked:
    balance = item.get("trackerId")
    if type(balance) is not int:
        raise Malformed("A tracker is named by its trackerId, a whole number.")
    return Asked(balance, _amount(item.get("value")), _months(item))


def _months(item: dict[str, Any]) -> int | None:
    window = item.get("trackerCondition")
    if window in (None, ""):
        return None
    text = str(window)
    if not re.fullmatch(r"\d{1,2}", text, re.ASCII) or not 1 <= int(text) <= MAX_MONTHS:
        raise Malformed(
            f"A tracker's trackerCondition is its window: 1 to {MAX_MONTHS} months."
        )
    return int(text)


def _is_set(value: Any) -> bool:
    return value is not None and str(value) not in {"", NOT_SET}


def _amount(value: Any) -> Decimal:
    text = "" if isinstance(value, bool) else str(value)
    if not _NUMBER.fullmatch(text):
        raise Malformed(
            "A condition's value is a number that is not negative, such as 250."
        )
    return Decimal(text)


# Expressions


class _Expression:
    """A recursive reader of ``1 AND (2 OR 3)``, without precedence."""

    def __init__(self, text: str, tests: Sequence[Test]) -> None:
        self.tests = tests
        self.tokens = list(_tokens(text))
        self.place = 0

    def tree(self) -> Test:
        found = self._operands()
        if self.place < len(self.tokens):
            raise Malformed("A closing parenthesis has no opening one.")
        return found

    def _operands(self) -> Test:
        left = self._operand()
        while (word := self._peek()) in {"AND", "OR"}:
            self.place += 1
            pair = (left, self._operand())
            left = Needs(2 if word == "AND" else 1, pair)
        if isinstance(word, int) or word == "(":
            raise Malformed("Between two conditions stands AND or OR.")
        return left

    def _operand(self) -> Test:
        word = self._peek()
        self.place += 1
        if isinstance(word, int):
            if not 1 <= word <= len(self.tests):
                raise Malformed(
                    f"There is no condition {word}; they are numbered from 1 to "
                    f"{len(self.tests)}."
                )
            return self.tests[word - 1]
        if word != "(":
            raise Malformed("A condition's number is missing in the expression.")
        found = self._operands()
        if self._peek() != ")":
            raise Malformed("A parenthesis is not closed.")
        self.place += 1
        return found

    def _peek(self) -> int | str | None:
        return self.tokens[self.place] if self.place < len(self.tokens) else None


def _tokens(text: str) -> list[int | str]:
    found: list[int | str] = []
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise Malformed(
                f"{text[place:].split()[0]} is not understood: write numbers, AND, OR "
                "and parentheses."
            )
        number, and_, or_, opening, _ = match.groups()
        if number:
            found.append(int(number))
        else:
            found.append("AND" if and_ else "OR" if or_ else "(" if opening else ")")
        place = match.end()
    return found
