"""Finding a member by what people have at hand."""

from typing import Any

from django.db.models import Q

from ..models import Contact, Member, Program
from .steps import address

#: More than this many people share a telephone or a card: no search is meant so.
MOST = 50


def find(program: Program, key: str) -> Member | None:
    """Return the member with this membership number, or else this card number,
    number in the shop, e-mail address or mobile number."""
    members = Member.objects.filter(program=program).select_related("contact")
    for way in (
        Q(subscription_id=key),
        _is("card", key),
        _is("contact__external_id", key),
        _is("contact__email", address(key)),
        Q(contact__mobile=key),
    ):
        # A card or a telephone may be shared: then it does not name one member.
        found = list(members.filter(way)[:2]) if key else []
        if len(found) == 1:
            return found[0]
    return None


def named_by(key: str, *, visible_to: Any) -> list[int]:
    """Return the ids of members whom ``key`` names exactly, in any program.

    Each way to be named has an index of its own and is looked up there; a condition
    that joins them by "or" would read every member instead.
    """
    key = key.strip()
    if not key:
        return []
    programs = Program.objects.visible_to(visible_to).values("pk")
    members = Member.objects.filter(program__in=programs).order_by()
    people = [
        Contact.objects.filter(way).order_by().values("pk")
        for way in (
            _is("email", address(key)),
            _is("external_id", key),
            Q(mobile=key),
        )
    ]
    ways = [
        members.filter(subscription_id=key),
        members.filter(_is("card", key)),
        *(members.filter(contact__in=found) for found in people),
    ]
    first, *rest = (way.values_list("pk", flat=True) for way in ways)
    return sorted(first.union(*rest)[:MOST])


def _is(name: str, key: str) -> Q:
    """Say again what the index says, which leaves empty ones out: SQLite wants it."""
    return Q(**{name: key}) & ~Q(**{name: ""})
