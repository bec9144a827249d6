"""Loyalty accounts: a site's members, as the vendor shows them."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import (
    Count,
    F,
    FilteredRelation,
    Max,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
)
from django.db.models.functions import Coalesce

from loyalty.models import Balance, Member, PointsEntry
from tiers import counts
from tiers.models import Tier

from .fields import guid, instant, written
from .queries import Field, text, whole
from .site import Site

Kind = PointsEntry.Kind

#: Which total a line goes to; one that takes another back, to that one's.
TOTALS = {
    Kind.EARN: "earned",
    Kind.ADJUST: "adjusted",
    Kind.REDEEM: "redeemed",
    Kind.REFUND: "redeemed",
    Kind.EXPIRE: "expired",
}
SIGNS = {"earned": 1, "adjusted": 1, "redeemed": -1, "expired": -1}


# Rows


def accounts(site: Site) -> QuerySet[Member]:
    """Return the site's accounts with their contact, balance and standing."""
    own_standing = Q(standings__group=site.group_id)
    own_balance = Q(balances__balance_definition=site.points)
    return (
        Member.objects.filter(program=site.program)
        .select_related("contact")
        .annotate(
            standing=FilteredRelation("standings", condition=own_standing),
            points_balance=FilteredRelation("balances", condition=own_balance),
            balance=Coalesce(F("points_balance__amount"), 0),
            tier_id=F("standing__tier"),
            tier_points=F("standing__qualifying_points"),
            evaluated_at=F("standing__evaluated_at"),
        )
    )


def fields(site: Site) -> dict[str, Field]:
    """What can be asked about accounts."""
    shown = {uuid: pk for pk, uuid in site.shown.items()}
    lines = PointsEntry.objects.filter(
        member=OuterRef("pk"), balance_definition=site.points
    ).order_by()
    last = lines.values("member").annotate(at=Max("recorded_at")).values("at")

    def total(name: str) -> Any:
        kinds = [kind for kind, total in TOTALS.items() if total == name]
        of_kind = Q(kind__in=kinds) | Q(kind=Kind.REVERSAL, reverses__kind__in=kinds)
        summed = lines.filter(of_kind).values("member").annotate(all=Sum("amount"))
        return Coalesce(Subquery(summed.values("all")), 0) * Value(SIGNS[name])

    return {
        "id": Field("uuid", guid),
        "contactId": Field("contact__uuid", guid),
        "memberId": Field(
            "contact__site_member_id", text, missing=Q(contact__site_member_id="")
        ),
        "createdDate": Field("created_at", instant),
        "lastActivityDate": Field(
            "active_at", instant, made_of=Coalesce(Subquery(last), F("created_at"))
        ),
        "points.balance": Field("balance", whole),
        **{f"points.{name}": Field(name, whole, made_of=total(name)) for name in SIGNS},
        # Not by the relation: conditions on its absence would join it anew.
        "tier.id": Field(
            "tier_id",
            lambda value: shown.get(guid(value), 0),
            missing=~Q(tier_id__in=shown.values()) | Q(tier_id__isnull=True),
            sortable=False,
        ),
        "tier.points": Field(
            "tier_points", whole, missing=Q(tier_points__isnull=True), sortable=False
        ),
    }


def matching(words: dict[str, Any] | None) -> Q:
    """Return the condition that a name or an e-mail address holds words."""
    if not words or not words.get("expression"):
        return Q()
    names = words.get("fields") or ["contact.name", "contact.email"]
    found = Q()
    for place, word in enumerate(words["expression"].split()):
        of_word = Q()
        for name in names:
            of_word |= Q(**{f"{name.replace('.', '__')}__icontains": word})
        both = words.get("mode") == "AND" or not place
        found = found & of_word if both else found | of_word
    return found


# Documents


def documents(site: Site, members: Sequence[Any]) -> list[dict[str, Any]]:
    """Show accounts; what was earned and spent is added up for all at once."""
    totals: dict[int, Counter[str]] = {}
    last: dict[int, datetime] = {}
    lines = (
        PointsEntry.objects.filter(
            member__in=[member.pk for member in members],
            balance_definition=site.points,
        )
        .order_by()
        .values_list("member", "kind", "reverses__kind")
        .annotate(Sum("amount"), Max("recorded_at"))
    )
    for member, kind, reversed_kind, amount, at in lines:
        name = TOTALS[Kind(reversed_kind or kind)]
        totals.setdefault(member, Counter())[name] += SIGNS[name] * amount
        last[member] = max(at, last.get(member, at))
    return [
        _document(site, member, totals.get(member.pk, Counter()), last.get(member.pk))
        for member in members
    ]


def _document(
    site: Site, member: Any, totals: Counter[str], last: datetime | None
) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": str(member.uuid),
        "contactId": str(member.contact.uuid),
        "points": {"balance": member.balance} | {name: totals[name] for name in SIGNS},
        # Rewards are kept elsewhere.
        "rewardAvailable": False,
        "createdDate": written(member.created_at),
        "updatedDate": written(max(filter(None, [last, member.created_at]))),
        # Every line of the ledger is a change, and nothing else is.
        "revision": str(member.chain_length + 1),
        "contact": _contact(member.contact),
    }
    if member.contact.site_member_id:
        shown["memberId"] = member.contact.site_member_id
    if last:
        shown["lastActivityDate"] = written(last)
    if member.evaluated_at:
        shown["tier"] = {
            "points": member.tier_points,
            "updatedDate": written(member.evaluated_at),
        }
        if tier := site.shown.get(member.tier_id):
            shown["tier"]["id"] = str(tier)
    return shown


def _contact(contact: Any) -> dict[str, Any]:
    return {
        "id": str(contact.uuid),
        "name": contact.name or None,
        "email": contact.email or None,
        "displayName": contact.name or contact.email or None,
    }


def one(site: Site, **lookup: Any) -> dict[str, Any] | None:
    found = list(accounts(site).filter(**lookup).order_by("pk")[:1])
    return documents(site, found)[0] if found else None


def totals(site: Site) -> dict[str, Any]:
    """Add up the points of all accounts, and count who reads as which tier."""
    balances = Balance.objects.filter(
        member__program=site.program, balance_definition=site.points
    )
    points = Counter({"balance": balances.aggregate(all=Sum("amount"))["all"] or 0})
    lines = PointsEntry.objects.filter(balance_definition=site.points).order_by()
    summed = lines.values_list("kind", "reverses__kind").annotate(Sum("amount"))
    for kind, reversed_kind, amount in summed:
        name = TOTALS[Kind(reversed_kind or kind)]
        points[name] += SIGNS[name] * amount
    held = _held(site)
    everybody = Member.objects.filter(program=site.program, status=Member.Status.ACTIVE)
    alone = everybody.aggregate(all=Count("pk"))["all"] - sum(held.values())
    return {
        "points": {name: points[name] for name in ("balance", *SIGNS)},
        "tierTotals": [
            {"numberOfAccounts": alone},
            *(
                {
                    "id": str(version.tier.uuid),
                    "numberOfAccounts": held[version.tier_id],
                }
                for version in site.tiers
            ),
        ],
    }


def _held(site: Site) -> dict[int, int]:
    """Return how many active members hold each listed tier, as of now.

    What was counted, and what was noted since: nobody is counted one by one.
    """
    counted = dict(
        Tier.objects.filter(program=site.program).values_list("pk", "holders")
    )
    noted = counts.pending(site.program)
    return {
        version.tier_id: counted[version.tier_id] + noted.get(version.tier_id, 0)
        if version.tier_id in site.shown
        else 0
        for version in site.tiers
    }
