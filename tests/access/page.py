"""Prints ``docs/permissions.md`` from the matrix: ``python -m tests.access.page``."""

from pathlib import Path

from .matrix import KEYS, ROLES, STRANGERS, Row, is_success, read

PATH = Path(__file__).parents[2] / "docs" / "permissions.md"
HEADINGS = {
    "ANON": "Not signed in",
    "AUD": "Auditor",
    "MGR": "Manager",
    "REV": "Reviewer",
    "SUP": "Superuser",
    "KR": "Key: reads",
    "KW": "Key: every scope",
    "K0": "Key: no scope",
    "OUT": "Person elsewhere",
    "KO": "Key elsewhere",
}
INTRODUCTION = """\
# Who may do what

This page is printed from `tests/access/matrix.txt` by `python -m tests.access.page`.
A test asks for every address as everybody below, and fails where an answer differs
from this page, or where there is an address that it does not know.

Roles are groups of people; a superuser gives them, and nobody changes their own. An
API key acts in a person's name, does what its scopes cover and that person may do, and
never decides. Whoever had a hand in a change does not approve it, superusers included:
what is said below of approving is said of everybody else.

| column | who that is |
|---|---|
{people}

| answer | what it means |
|---|---|
| yes | It works. |
| own | It works, and is about their own program only. |
| no | It is refused, and nothing is stored. |
| not there | It reads like something that does not exist. |
| sign in | The page to sign in is shown. |
"""


def page(rows: list[Row] | None = None) -> str:
    rows = rows or read()
    people = "\n".join(f"| {HEADINGS[r]} | {who}. |" for r, who in ROLES.items())
    parts = [INTRODUCTION.format(people=people)]
    for section in dict.fromkeys(row.section for row in rows):
        parts.append(chapter(section, [row for row in rows if row.section == section]))
    return "\n".join(parts)


def chapter(section: str, rows: list[Row]) -> str:
    """Return a section: a line for each thing that can be done, and why not."""
    lines: dict[str, list[str]] = {}
    for row in rows:
        words = [meaning(role, row.by_role[role]) for role in ROLES]
        if lines.setdefault(row.what, words) != words:
            raise ValueError(f"{row}: “{row.what}” is answered in two ways.")
    shown = [r for r in ROLES if r not in KEYS or section_has_keys(lines)]
    places = [list(ROLES).index(role) for role in shown]
    table = [
        f"| | {' | '.join(HEADINGS[role] for role in shown)} |",
        f"|---|{'---|' * len(shown)}",
        *(
            f"| {what} | {' | '.join(words[place] for place in places)} |"
            for what, words in lines.items()
        ),
    ]
    reasons = dict.fromkeys(f"- {r.what}: {r.why}" for r in rows if r.why)
    return "\n".join([f"## {section}", "", *table, "", *reasons, ""]).rstrip() + "\n"


def section_has_keys(lines: dict[str, list[str]]) -> bool:
    """Tell whether keys are asked for at all: to the admin they are nobody."""
    names = list(ROLES)
    anonymous = names.index("ANON")
    return any(
        words[names.index(key)] != words[anonymous]
        for words in lines.values()
        for key in KEYS
    )


def meaning(role: str, answer: str) -> str:
    if answer == "L":
        return "sign in"
    if answer.startswith("404"):
        return "not there"
    if not is_success(answer):
        return "no"
    return "own" if role in STRANGERS else "yes"


if __name__ == "__main__":
    PATH.write_text(page())
