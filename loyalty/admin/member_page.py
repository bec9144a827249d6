"""The cards of a member's page: how much they have, what happened, who did what."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone

from approvals import audit, ui
from approvals.admin.acts import Button
from approvals.admin.drafts import lifecycle_url
from approvals.admin.things import Table
from approvals.models import AuditEvent

from .. import adjustments, outlook
from ..models import BalanceDefinition, PointsEntry
from ..wording import amount
from . import member_acts
from .ledger import KIND_TONES, in_words, left_of, signed, with_taken_back, with_units

#: A template, and what it shows.
Part = tuple[str, Any]
TABLE = "admin/parts/table.html"
LINES = 20
EVENTS = 25


@dataclass
class PagedTable(Table):
    """A table with a way on to what is older, and back."""

    newer: str = ""
    older: str = ""
    #: Has so many columns that a phone shows it better when it scrolls further.
    wide: bool = True


def facts(member: Any) -> list[tuple[str, Any]]:
    contact = member.contact
    facts = [
        ("Program", ui.link(ui.change_url(member.program), member.named_program)),
        ("Membership number", member.subscription_id),
        ("Card", member.card),
        ("E-mail", contact.email),
        ("Mobile", contact.mobile),
        ("Your shop's number", contact.external_id),
        ("Member since", ui.when(member.created_at)),
        ("Data erased", ui.when(contact.erased_at)),
        (
            "Below the lowest balance since",
            ui.when(member.flagged_at),
        ),
        ("Id for other systems", str(member.uuid)),
    ]
    return [(label, value) for label, value in facts if value]


def balances(member: Any) -> Part:
    """Every balance of the program, in its own decimals and unit."""
    now = timezone.now()
    there = {row.balance_definition_id: row for row in member.balances.all()}
    definitions: Any = BalanceDefinition.objects.filter(program=member.program_id)
    waits = outlook.waiting(member, as_of=now)
    expires = outlook.expiries(member, as_of=now)
    return TABLE, Table(
        "Balances",
        ["Balance", "Amount", "Not posted yet", "Expires next", "Last change"],
        [
            _balance(definition, there, waits, expires)
            for definition in definitions.with_live().order_by("pk")
            if definition.live_unit or definition.pk in there
        ],
        anchor="balances",
    )


def _balance(
    definition: Any,
    there: dict[int, Any],
    waits: dict[int, int],
    expires: dict[int, outlook.Expiry],
) -> list[Any]:
    def words(units: int) -> str:
        return amount(units, definition.scale, definition.live_unit or "")

    row, ends = there.get(definition.pk), expires.get(definition.pk)
    waiting = waits.get(definition.pk, 0)
    return [
        str(definition),
        words(row.amount if row else 0),
        f"{'+' * (waiting > 0)}{words(waiting)}" if waiting else "",
        ui.two_lines(words(ends.amount), ui.when(ends.at)) if ends else "",
        ui.when(row and row.updated_at),
    ]


# The ledger, a page at a time


def ledger(request: HttpRequest, member: Any) -> Part:
    """Lines by their place in the member's chain: any page costs the same."""
    before = sequence_asked(request)
    lines = with_units(
        member.entries.select_related("balance_definition", "request__created_by")
    )
    if before:
        lines = lines.filter(sequence__lt=before)
    found = list(with_taken_back(lines).order_by("-sequence")[: LINES + 1])
    shown = found[:LINES]
    may_reverse = request.user.has_perm(member_acts.POST)
    return "admin/parts/paged.html", PagedTable(
        "Ledger",
        ["When", "What", "Amount", "Balance", "Why", "Asked for by", ""],
        [_line(entry, may_reverse) for entry in shown],
        "Nothing posted yet.",
        anchor="ledger",
        newer=f"?before={before + LINES}#ledger" if before else "",
        older=f"?before={shown[-1].sequence}#ledger" if len(found) > LINES else "",
        more=Button(
            "In the list of all entries",
            ui.list_url(PointsEntry, f"q={member.subscription_id}"),
        ),
    )


def sequence_asked(request: HttpRequest) -> int:
    """The line that the page ends before; 0 for the newest, or for nonsense."""
    text = request.GET.get("before", "")
    if text.isascii() and text.isdigit() and len(text) < 10:
        return int(text)
    return 0


def _line(entry: Any, may_reverse: bool) -> list[Any]:
    left = left_of(entry)
    what = ui.badge(entry.get_kind_display(), KIND_TONES.get(entry.kind, ""))
    if entry.taken_back:
        rest = f"{in_words(entry, left)} left" if left else "All taken back"
        what = ui.two_lines(what, rest)
    return [
        ui.link(ui.change_url(entry), ui.when(entry.occurred_at)),
        what,
        signed(entry),
        entry.balance_name,
        entry.description,
        str(entry.request.created_by or entry.request.source),
        ui.link(lifecycle_url(entry, "reverse"), "Reverse")
        if may_reverse and left
        else "",
    ]


# Membership, and what people did


def membership(member: Any) -> Part:
    return TABLE, Table(
        "Membership",
        ["From", "Until"],
        [
            [ui.when(i.started_at), ui.when(i.ended_at, "Today")]
            for i in member.intervals.all()
        ],
        anchor="membership",
    )


def events(member: Any) -> Part:
    by_hand = member.points_requests.filter(source=adjustments.SOURCE).values("pk")
    done = AuditEvent.objects.filter(
        Q(kind="member", object_id=member.pk)
        | Q(kind=adjustments.KIND, object_id__in=by_hand)
    )[:EVENTS]
    return TABLE, Table(
        "What people did",
        ["When", "What", "Reason"],
        [[ui.when(e.created_at), audit.in_words(e), e.reason] for e in done],
        "Nobody has done anything by hand.",
        anchor="history",
    )
