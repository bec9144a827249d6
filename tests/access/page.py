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
_VERB = "<int:pk>/lifecycle/<slug:verb>/ verb="
_TIER = f"admin/tiers/tierversion/{_VERB}"
_MEMBER = f"admin/loyalty/member/{_VERB}"
_PAGE = "<path:object_id>/change/"
#: In short -> what people ask for, and what keys do, where that is something else.
SHORT = (
    (
        "Read tiers, members and points",
        f"GET admin/tiers/tier/{_PAGE}",
        "GET api/v1/entries/<number:pk>",
    ),
    (
        "Read drafts",
        f"GET admin/tiers/tierversion/{_PAGE}",
        "GET api/v1/tiers/<number:pk>/draft",
    ),
    (
        "Read the audit trail",
        f"GET admin/approvals/auditevent/{_PAGE}",
        "GET api/v1/audit-events/<number:pk>",
    ),
    (
        "Draft a change",
        f"POST admin/tiers/tierversion/{_PAGE}",
        "PATCH api/v1/tiers/<number:pk>/draft",
    ),
    ("Submit it", f"POST {_TIER}submit", "POST api/v1/change-sets"),
    (
        "Approve a change that one had no hand in",
        f"POST {_TIER}approve",
        "POST api/v1/change-sets/<number:pk>/approve",
    ),
    (
        "Reject a change",
        f"POST {_TIER}reject",
        "POST api/v1/change-sets/<number:pk>/reject",
    ),
    (
        "Publish at once, where no approval is asked for",
        f"POST {_TIER}publish_now",
        "POST api/v1/change-sets/publish-now",
    ),
    ("Begin a program", "POST admin/loyalty/program/add/", "POST api/v1/programs"),
    ("Post what a shop has sold", "POST api/v1/activities", ""),
    ("Adjust points by hand", f"POST {_MEMBER}adjust", ""),
    (
        "Approve a large adjustment by somebody else",
        f"POST admin/loyalty/pointsrequest/{_VERB}approve",
        "",
    ),
    (
        "Close an account",
        f"POST {_MEMBER}close",
        "POST api/v1/members/<number:pk>/close",
    ),
    (
        "Erase a person's data",
        f"POST {_MEMBER}erase",
        "POST api/v1/members/<number:pk>/erase",
    ),
    ("Make an API key", "POST admin/loyalty/apikey/add/", ""),
    ("Give roles to people", f"POST admin/auth/user/{_PAGE}", ""),
    ("Delete anything", "POST admin/tiers/tier/<path:object_id>/delete/", ""),
)
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
    rows = read() if rows is None else rows
    people = "\n".join(f"| {HEADINGS[r]} | {who}. |" for r, who in ROLES.items())
    parts = [INTRODUCTION.format(people=people), in_short(rows)]
    for section in dict.fromkeys(row.section for row in rows):
        parts.append(chapter(section, [row for row in rows if row.section == section]))
    return "\n".join(parts)


def in_short(rows: list[Row]) -> str:
    """Return what people ask about first: the very lines from further below."""
    by_request = {str(row): row for row in rows}
    shown = ["AUD", "MGR", "REV", "SUP", "KR", "KW"]
    lines = []
    for words, asked, by_key in SHORT:
        for_people = dict(zip(ROLES, meanings(by_request[asked]), strict=True))
        with_key = meanings(by_request[by_key or asked])
        for_keys = dict(zip(ROLES, with_key, strict=True))
        said = [(for_keys if r in KEYS else for_people)[r] for r in shown]
        cells = ["no" if each == "sign in" else each for each in said]
        lines.append(f"| {words} | {' | '.join(cells)} |")
    return "\n".join(
        [
            "## In short",
            "",
            "People work in the admin; keys ask our own voice, or a vendor's.",
            "",
            f"| | {' | '.join(HEADINGS[role] for role in shown)} |",
            f"|---|{'---|' * len(shown)}",
            *lines,
            "",
        ]
    )


def chapter(section: str, rows: list[Row]) -> str:
    """Return a section: a line for each thing that can be done, and why not."""
    lines: dict[str, list[str]] = {}
    for row in rows:
        words = meanings(row)
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


def meanings(row: Row) -> list[str]:
    for_all = is_success(row.by_role["ANON"])
    return [meaning(role, row.by_role[role], for_all) for role in ROLES]


def meaning(role: str, answer: str, for_all: bool) -> str:
    if answer == "L":
        return "sign in"
    if answer.startswith("404"):
        return "not there"
    if not is_success(answer):
        return "no"
    return "own" if role in STRANGERS and not for_all else "yes"


if __name__ == "__main__":
    PATH.write_text(page())
