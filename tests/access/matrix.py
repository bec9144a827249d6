"""The permission matrix as data: who is answered what at which address.

``matrix.txt`` has a line for each address and method, and for each verb of a page that
serves several. Its answers stand in the order of ``ROLES``:

    L     sent to the page to sign in
    200   this HTTP status, and nothing is stored
    302+  this HTTP status, and something is stored

A line whose answers are all refusals says why; so may any other. Alike addresses share
a line: ``[part]`` is there or not, and ``@name`` stands for each of a list.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

PATH = Path(__file__).with_name("matrix.txt")

#: Column -> who that is, in words for the printed page.
ROLES = {
    "ANON": "Nobody: not signed in, no key",
    "AUD": "Auditor",
    "MGR": "Loyalty manager",
    "REV": "Reviewer",
    "SUP": "Superuser",
    "KR": "API key that reads",
    "KW": "API key with every scope",
    "K0": "API key without scopes",
    "OUT": "Person with every role, but limited to another program",
    "KO": "API key with every scope, but of another program",
}
KEYS = frozenset({"KR", "KW", "K0", "KO"})
#: For whom the programs of the matrix do not exist.
STRANGERS = ("OUT", "KO")
ANSWER = re.compile(r"L|\d{3}\+?")


@dataclass(frozen=True)
class Row:
    """What one request is answered, by role."""

    section: str
    method: str
    pattern: str
    #: What tells apart requests to one address: ``verb=approve``, ``action=reject``.
    words: tuple[tuple[str, str], ...]
    what: str
    answers: tuple[str, ...]
    why: str = ""

    def __str__(self) -> str:
        return " ".join([self.method, self.pattern, *self.said])

    @property
    def said(self) -> list[str]:
        return [f"{name}={value}" for name, value in self.words]

    @property
    def key(self) -> tuple[str, str]:
        """What the resolver knows of it."""
        return self.method, self.pattern

    @cached_property
    def by_role(self) -> dict[str, str]:
        return dict(zip(ROLES, self.answers, strict=True))

    @property
    def succeeds(self) -> bool:
        return any(is_success(answer) for answer in self.answers)


def is_success(answer: str) -> bool:
    return answer[0] in "23"


def read(text: str | None = None) -> list[Row]:
    """Return the rows of the file; complain about a line that makes no sense."""
    rows: list[Row] = []
    section = ""
    lists: dict[str, list[str]] = {}
    for number, line in enumerate((text or PATH.read_text()).splitlines(), start=1):
        if line.startswith("#"):
            section = line.lstrip("# ")
        elif line.startswith("@"):
            name, _, members = line.partition(":")
            for each in members.split():
                lists.setdefault(name, []).extend(lists.get(each, [each]))
        elif line.strip():
            try:
                rows += _rows(line, section, lists)
            except ValueError as error:
                raise ValueError(f"{PATH.name}, line {number}: {error}") from error
    return rows


def _rows(line: str, section: str, lists: dict[str, list[str]]) -> list[Row]:
    answers, address, what, *why = (part.strip() for part in line.split(" | "))
    given = tuple(answers.split())
    if len(given) != len(ROLES) or not all(map(ANSWER.fullmatch, given)):
        raise ValueError(f"{len(ROLES)} answers are needed, such as L, 200 or 302+.")
    methods, pattern, *words = address.split()
    pattern = pattern.removeprefix("/")
    pairs = tuple((name, value) for name, value in (w.split("=") for w in words))
    return [
        Row(section, method, each, pairs, what, given, " ".join(why))
        for method in methods.split(",")
        for each in _spelled_out(pattern, lists)
    ]


def _spelled_out(pattern: str, lists: dict[str, list[str]]) -> list[str]:
    if found := re.search(r"@\w+", pattern):
        parts = lists.get(found[0])
        if parts is None:
            raise ValueError(f"There is no list {found[0]}.")
    elif found := re.search(r"\[([^]]*)\]", pattern):
        parts = ["", found[1]]
    else:
        return [pattern]
    before, after = pattern[: found.start()], pattern[found.end() :]
    return [
        each for part in parts for each in _spelled_out(before + part + after, lists)
    ]
