"""Steps that the demo's programs share."""

import random
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any

from approvals import lifecycle
from loyalty import members, points, programs
from loyalty.members import Person
from loyalty.models import BalanceDefinition, Member, Program

from .. import drafting
from ..models import Tier, TierGroup, TierVersion
from .people import Cast, names

Entry = TierVersion.Entry
POINTS, PURCHASES, VISITS = BalanceDefinition.BuiltIn.values
#: When something happened, and what; a redemption has no date that it could bear.
Dated = tuple[datetime, points.Activity]


def publish(drafts: Sequence[Any], cast: Cast, *, at: datetime, note: str = "") -> None:
    """Submit as the manager and approve as the reviewer, as the program asks."""
    change_set = lifecycle.submit(drafts, by=cast.manager, note=note, at=at)
    lifecycle.approve(
        change_set, by=cast.reviewer, fingerprint=change_set.fingerprint, at=at
    )


def draft_tier(
    group: TierGroup,
    name: str,
    threshold: int | None,
    *,
    by: Any,
    at: datetime,
    source: str = Tier.Source.ADMIN,
    slab_id: int | None = None,
    **wording: Any,
) -> TierVersion:
    """Draft a tier; one without a threshold is everybody's."""
    return drafting.add_tier(
        group,
        by=by,
        at=at,
        source=source,
        slab_id=slab_id,
        name=name,
        threshold=threshold,
        entry=Entry.BASE if threshold is None else Entry.MEASURED,
        **wording,
    )


def activate(program: Program, cast: Cast, *, at: datetime) -> None:
    programs.switch_tiers(
        program, "activate", by=cast.manager, reason="The program opens.", at=at
    )


def enrol(
    program: Program,
    joined: Sequence[datetime],
    cast: Cast,
    *,
    seed: int,
    domain: str,
    external: str,
) -> list[Member]:
    """Enrol one believable person for each instant at which somebody joined."""
    people = (
        Person(
            name=name,
            email=f"{address}@{domain}",
            external_id=f"{external}-{number:05d}",
            joined_at=joined_at,
        )
        for number, (joined_at, (name, address)) in enumerate(
            zip(joined, names(seed), strict=False), start=1
        )
    )
    return list(members.enrol_many(program, people, by=cast.manager))


def fill(
    program: Program,
    cast: Cast,
    balances: Sequence[int],
    chance: random.Random,
    *,
    seed: int,
    domain: str,
    external: str,
    start: datetime,
    end: datetime,
    thresholds: Iterable[int] = (),
) -> None:
    """Enrol a member for each balance, with a history that leaves it.

    Nobody's balance was ever at a threshold above the one that it is at now.
    """
    steps = sorted(thresholds)
    joined = sorted(start + (end - start) * (0.95 * chance.random()) for _ in balances)
    members = enrol(program, joined, cast, seed=seed, domain=domain, external=external)
    definitions = definitions_of(program)
    dated = [
        activity
        for member, balance in zip(members, balances, strict=True)
        for activity in history(
            member,
            balance,
            definitions,
            chance,
            end=end,
            below=next((step for step in steps if step > balance), None),
        )
    ]
    post_by_month(program, dated, until=end)


def history(
    member: Member,
    balance: int,
    definitions: dict[str, int],
    chance: random.Random,
    *,
    end: datetime,
    below: int | None = None,
) -> Iterator[Dated]:
    """Yield purchases, and perhaps a redemption, that leave ``balance`` points.

    Ten points for each unit of currency spent; a purchase is a visit too.
    """
    if not balance:
        return
    redeemed = 0
    if balance >= 1000 and chance.random() < 0.3:
        redeemed = 50 * chance.randint(1, balance // 250)
    if below is not None:
        # A tier that was reached is kept for its term, whatever is redeemed.
        redeemed = max(0, min(redeemed, (below - 1 - balance) // 50 * 50))
    amounts = _parts(balance + redeemed, chance.randint(1, 9), chance)
    when = start = member.created_at
    for number, (amount, when) in enumerate(
        zip(amounts, _instants(start, end, len(amounts), chance), strict=True), start=1
    ):
        lines = (
            points.Line("EARN", definitions[POINTS], amount),
            points.Line(
                "EARN", definitions[PURCHASES], 10 * amount + chance.randrange(10)
            ),
            points.Line("EARN", definitions[VISITS], 1),
        )
        reference = f"{member.subscription_id}-{number:03d}"
        yield when, points.Activity(member.pk, reference, lines, when, "Purchase")
    if redeemed:
        line = points.Line("REDEEM", definitions[POINTS], -redeemed)
        reference = f"{member.subscription_id}-voucher"
        yield when, points.Activity(member.pk, reference, (line,), None, "Voucher")


def post_by_month(program: Program, dated: Iterable[Dated], *, until: datetime) -> None:
    """Post as a shop does that sends a file a month: entries are recorded then."""
    months: dict[datetime, list[points.Activity]] = {}
    for when, activity in sorted(dated, key=itemgetter(0)):
        months.setdefault(_next_month(when), []).append(activity)
    for month_end, activities in months.items():
        post(program, activities, at=min(month_end, until))


def post(
    program: Program, activities: Iterable[points.Activity], *, at: datetime | None
) -> None:
    report = points.post_many(program, activities, source="demo", by=None, at=at)
    if report.problems:
        raise AssertionError(f"The demo does not add up: {report.problems[0]}")


def definitions_of(program: Program) -> dict[str, int]:
    """Return the ids of a program's built-in balances by their names."""
    built_in = program.balance_definitions.exclude(built_in="")
    return dict(built_in.values_list("built_in", "pk"))


def _next_month(instant: datetime) -> datetime:
    first = instant.replace(day=1, hour=2, minute=0, second=0, microsecond=0)
    return (first + timedelta(days=32)).replace(day=1)


def _parts(total: int, count: int, chance: random.Random) -> list[int]:
    """Cut ``total`` into ``count`` believable parts, none of them empty."""
    count = max(1, min(count, total))
    cuts = sorted(chance.sample(range(1, total), count - 1))
    return [high - low for low, high in zip([0, *cuts], [*cuts, total], strict=True)]


def _instants(
    start: datetime, end: datetime, count: int, chance: random.Random
) -> list[datetime]:
    """Return ``count`` instants between two, in order."""
    seconds = int((end - start).total_seconds())
    offsets = sorted(chance.randrange(max(1, seconds)) for _ in range(count))
    return [start + timedelta(seconds=offset) for offset in offsets]
