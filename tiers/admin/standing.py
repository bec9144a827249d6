"""What a member's page says of their tiers: which, why, until when, what comes next."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from approvals import ui
from approvals.admin.acts import Button
from approvals.admin.things import Table
from loyalty.admin.member_page import TABLE, PagedTable, Part
from loyalty.models import BalanceDefinition, Program
from loyalty.wording import amount

from .. import facts, rules
from ..ladder import Ladder, Measure
from ..models import (
    ManualMove,
    OrderedEvaluation,
    Override,
    Tier,
    TierAssignment,
    TierGroup,
)
from ..progress import Step, progress
from . import acts_by_hand

HISTORY = 25
BY_HAND = 10
#: "Valid until" is the last second, as people say it; the row has the next instant.
LAST_SECOND = timedelta(seconds=1)


@dataclass
class Bar:
    """How far one condition of the next tier has come, as a bar and in words."""

    words: str
    percent: int


@dataclass
class Card:
    """One group, as the template shows it."""

    title: str
    tier: Any
    bars: list[Bar]
    #: What to say instead of, or after, the bars.
    note: str
    facts: list[tuple[str, Any]]
    override: str
    buttons: list[Button] = field(default_factory=list)


@dataclass
class Book:
    """What the page needs of a program, read once, in a handful of queries."""

    member: Any
    now: datetime
    groups: list[Any]
    tiers: dict[int, Any]
    balances: dict[int, Any]
    ladders: dict[int, list[Ladder]]
    lines: list[Any]

    @classmethod
    def of(cls, member: Any) -> "Book":
        program_id = member.program_id
        kept = TierGroup.objects.kept().filter(program=program_id)
        groups = list(kept.with_live().order_by("pk"))
        ladders = rules.ladders_of(groups)
        tiers = Tier.objects.filter(program=program_id).with_wording()
        balances = BalanceDefinition.objects.filter(program=program_id).with_live()
        lines = facts.lines_of([member.pk], ladders.values())
        return cls(
            member=member,
            now=timezone.now(),
            groups=[group for group in groups if ladders[group.pk]],
            tiers={tier.pk: tier for tier in tiers},
            balances={balance.pk: balance for balance in balances},
            ladders=ladders,
            lines=lines.get(member.pk, []),
        )

    def rules(self, group_id: int) -> Ladder | None:
        ladders = [x for x in self.ladders[group_id] if x.starts_at <= self.now]
        return ladders[-1] if ladders else None

    def tier(self, tier_id: int | None) -> Any:
        if tier_id is None:
            return "No tier"
        tier = self.tiers[tier_id]
        return ui.beside(ui.swatch(tier.live_color or ""), self.tier_name(tier_id))

    def tier_name(self, tier_id: int) -> str:
        tier = self.tiers[tier_id]
        return str(tier.live_name or tier.open_name or f"Tier {tier_id}")

    def amount(self, units: int, measure: Measure, *, unit: bool = True) -> str:
        balance = self.balances[measure.balance]
        return amount(units, balance.scale, (balance.live_unit or "") if unit else "")


def cards(book: Book, user: Any) -> list[Part]:
    """One card a group, then nothing more: whoever is in no group has none."""
    member = book.member
    standings = {s.group_id: s for s in member.standings.all()}
    overrides = Override.objects.in_force(book.now).filter(member=member)
    in_force = {o.group_id: o for o in overrides.select_related("made_by")}
    return [
        (
            "admin/parts/standing.html",
            _card(
                book,
                group,
                standings.get(group.pk),
                in_force.get(group.pk),
                user,
            ),
        )
        for group in book.groups
    ]


def _card(book: Book, group: Any, standing: Any, override: Any, user: Any) -> Card:
    if standing is None:
        return Card(
            title=str(group),
            tier="Not judged yet",
            bars=[],
            note="The next recalculation places the member.",
            facts=[],
            override="",
        )
    bars, note = _way_up(book, group.pk, standing.tier_id)
    if book.member.program.tiers_status != Program.TiersStatus.ACTIVE:
        note = f"The program's tiers are not active: everybody reads as base. {note}"
    return Card(
        title=str(group),
        tier=book.tier(standing.tier_id),
        bars=bars,
        note=note,
        facts=_dates(standing),
        override=_override_in_words(book, override) if override else "",
        buttons=acts_by_hand.buttons(user, book.member, group, override),
    )


def _way_up(book: Book, group_id: int, tier_id: int | None) -> tuple[list[Bar], str]:
    ladder = book.rules(group_id)
    found = ladder and progress(ladder, book.lines, tier_id, book.now)
    if not found:
        return [], "There is no higher tier that points lead to."
    name = book.tier_name(found.tier)
    bars = [Bar(_step_in_words(book, step, name), step.percent) for step in found.steps]
    if found.is_reached:
        return bars, f"{name} is reached: the member moves up at the next check."
    if any(step.is_choice for step in found.steps):
        return bars, "Not all of these are needed: some stand in for one another."
    return bars, ""


def _step_in_words(book: Book, step: Step, name: str) -> str:
    have = book.amount(step.amount, step.measure, unit=False)
    of = book.amount(step.needed, step.measure)
    span = SPANS.get(step.measure.kind, "")
    if step.measure.kind == "WINDOW":
        months = step.measure.months
        span = f"in the last {months} months" if months else "this calendar year"
    if not step.left:
        return f"{have} of {of} {span}: enough for {name}".replace("  ", " ")
    left = book.amount(step.left, step.measure, unit=False)
    return f"{have} of {of} {span}, {left} to go until {name}".replace(" ,", ",")


SPANS = {"LIFETIME": "in all", "CURRENT": "on the balance"}


def _dates(standing: Any) -> list[tuple[str, Any]]:
    ends = standing.term_ends_at
    dates = [
        ("Since", ui.when(standing.since)),
        ("Valid until", ui.when(ends and ends - LAST_SECOND)),
        ("Next amount stops counting", ui.when(standing.next_exit_at)),
        ("Lost, if nothing more is earned", ui.when(standing.drops_at)),
        ("True as of", ui.when(standing.evaluated_at)),
    ]
    return [(label, value) for label, value in dates if value]


def _override_in_words(book: Book, override: Any) -> str:
    until = ui.when(override.until, "somebody ends it")
    return (
        f"{override.get_bound_display()} {book.tier_name(override.tier_id)} until "
        f"{until}. {override.made_by} set this on {ui.when(override.at)}: "
        f"{override.reason}"
    )


# What was


def history(book: Book, *, as_known_then: bool) -> Part:
    """The tiers held, newest first, with what was compared when each began."""
    rows = book.member.assignments.order_by("-valid_from", "-pk")
    if not as_known_then:
        rows = rows.known_now()
    link = "?#history" if as_known_then else "?known=then#history"
    label = "Only as known today" if as_known_then else "Also as known then"
    return "admin/parts/paged.html", PagedTable(
        "Tiers held",
        ["Tier", "From", "Until", "Why", "Compared", "Known"],
        [_held(book, row) for row in rows[:HISTORY]],
        "No tier held yet.",
        more=Button(label, link),
        anchor="tiers-held",
    )


def _held(book: Book, row: TierAssignment) -> list[Any]:
    known = ui.when(row.recorded_at)
    if row.superseded_at:
        known = ui.two_lines(
            ui.badge("Corrected later", "warn"),
            f"{known} to {ui.when(row.superseded_at)}",
        )
    tier = book.tier(row.tier_id)
    if len(book.groups) > 1:
        names = {group.pk: str(group) for group in book.groups}
        tier = ui.two_lines(tier, names.get(row.group_id, ""))
    return [
        tier,
        ui.when(row.valid_from),
        ui.when(row.valid_until, "Today"),
        row.get_reason_display(),
        _compared(book, row),
        known,
    ]


def _compared(book: Book, row: TierAssignment) -> Any:
    ladders = [
        ladder
        for ladder in book.ladders.get(row.group_id, [])
        if ladder.starts_at <= row.valid_from
    ]
    if not ladders:
        return ""
    measure = ladders[-1].measure
    if row.threshold is None:
        return book.amount(row.amount, measure)
    asked = f"{book.amount(row.threshold, measure)} asked for"
    return ui.two_lines(book.amount(row.amount, measure), asked)


def by_hand(book: Book) -> Part:
    """Moves, overrides and ordered evaluations, newest first."""
    member = book.member
    done: list[tuple[datetime, str, Any, str]] = []
    for move in ManualMove.objects.filter(member=member).select_related("made_by")[
        :BY_HAND
    ]:
        words = f"Moved to {book.tier_name(move.tier_id)}"
        done.append((move.at, words, move.made_by, move.reason))
    for override in Override.objects.filter(member=member).select_related(
        "made_by", "ended_by"
    )[:BY_HAND]:
        tier = book.tier_name(override.tier_id)
        words = f"Override: {override.get_bound_display().lower()} {tier}"
        done.append((override.at, words, override.made_by, override.reason))
        if override.ended_at:
            ended = f"Override ended: {tier}"
            done.append(
                (override.ended_at, ended, override.ended_by, override.end_reason)
            )
    for ordered in OrderedEvaluation.objects.filter(member=member).select_related(
        "made_by"
    )[:BY_HAND]:
        done.append((ordered.at, "Evaluated", ordered.made_by, ordered.reason))
    done.sort(key=lambda act: act[0], reverse=True)
    return TABLE, Table(
        "Tiers by hand",
        ["When", "What", "By", "Reason"],
        [[ui.when(at), what, str(who or ""), why] for at, what, who, why in done],
        "Nobody has touched the tiers by hand.",
        anchor="by-hand",
    )
