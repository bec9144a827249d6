"""The vendor's endpoints for balances: of one member, of all, by lots, and the way up."""

import uuid
from typing import Any

from django.conf import settings
from django.db.models import F, FilteredRelation, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from rest_framework.request import Request
from rest_framework.response import Response

from loyalty import outlook
from loyalty.models import BalanceDefinition, Member, PointsEntry
from tiers.places import Places, Way

from . import member_messages as messages
from . import member_schema as answers
from .fields import written
from .member_schema import CONTACT, DEFINITION, INTERNAL, PAGE, sorted_by
from .people import ENROL, VIEW, MemberView, number
from .protocol import Unknown
from .schema import CID, PID, described, in_query


class SubscriptionBalances(MemberView):
    """A member has every balance from the start, with nothing on it."""

    permission = {"GET": VIEW, "HEAD": VIEW, "POST": ENROL}

    @described(
        "getSubscriptionBalances",
        answers.SubscriptionBalances,
        fails=[404],
        parameters=[PID, CID, INTERNAL],
    )
    def get(self, request: Request, *, cid: int, **ids: Any) -> Response:
        internal = self.read_query(messages.InternalQuery)["includeInternal"]
        member = self.member(cid)
        amounts = outlook.balances(member, as_of=timezone.now())
        return Response(
            {
                "loyaltyProgramId": str(self.program.uuid),
                "contactId": member.contact_id,
                "balance": [
                    {
                        "balanceDefinitionId": str(version.balance_definition.uuid),
                        "value": number(
                            amounts.get(version.balance_definition_id, 0),
                            version.balance_definition.scale,
                        ),
                    }
                    for version in self.shown(internal=internal)
                ],
            }
        )

    @described(
        "createSubscriptionBalances",
        answers.SubscriptionBalance,
        messages.CreateBalance,
        fails=[404],
        parameters=[PID, CID],
    )
    def post(self, request: Request, *, cid: int, **ids: Any) -> Response:
        member = self.member(cid)
        said = self.read(messages.CreateBalance)
        definition = self.definition(said["balanceDefinitionId"])
        now = timezone.now()
        lines = PointsEntry.objects.filter(
            member=member, balance_definition=definition, amount__lt=0
        )
        last = lines.order_by("-occurred_at").values_list("occurred_at", flat=True)
        consumed_at = last.first()
        expiry = outlook.expiries(member, as_of=now).get(definition.pk)
        amounts = outlook.balances(member, as_of=now)
        return Response(
            {
                # Made of both ids: whoever asks again gets the same.
                "id": str(uuid.uuid5(member.uuid, str(definition.uuid))),
                "amount": number(amounts.get(definition.pk, 0), definition.scale),
                "loyaltyProgramId": str(self.program.uuid),
                "organizationId": settings.ORG_ID,
                "contactId": member.contact_id,
                "balanceDefinitionId": str(definition.uuid),
                "createdAt": written(member.created_at),
                "expiresAt": written(expiry.at) if expiry else None,
                "consumedAt": written(consumed_at) if consumed_at else None,
            }
        )


class ActiveBalances(MemberView):
    """Credits of which something is left; together they are the balance."""

    permission = VIEW

    @described(
        "getActiveBalancesApi",
        answers.ActiveBalances,
        fails=[404],
        parameters=[PID, CONTACT, DEFINITION, INTERNAL, *PAGE, sorted_by("createdAt")],
    )
    def get(self, request: Request, **ids: Any) -> Response:
        asked = self.read_query(messages.ActiveBalancesQuery)
        member = self.member(asked["contactId"])
        definition = self.definition(asked["balanceDefinitionId"])
        lots = []
        if self.is_shown(definition, internal=asked["includeInternal"]):
            lots = outlook.open_lots(member, definition.pk, as_of=timezone.now())
        if asked["sort"] == "desc":
            lots.reverse()
        part = lots[asked["offset"] : asked["offset"] + asked["limit"]]
        return Response(
            {
                "count": len(lots),
                "loyaltyProgramId": str(self.program.uuid),
                "contactId": member.contact_id,
                "balanceDefinitionId": str(definition.uuid),
                "activeBalances": [_lot(lot, definition.scale) for lot in part],
            }
        )


def _lot(lot: Any, scale: int) -> dict[str, Any]:
    shown = {
        "id": str(lot.key),
        "amount": number(lot.left, scale),
        "createdAt": written(lot.earned_at),
    }
    if lot.expires_at is not None:
        shown["expiresAt"] = written(lot.expires_at)
    return shown


class ContactBalances(MemberView):
    """Everybody's balance of one definition, as of the last recalculation."""

    permission = VIEW

    @described(
        "getContactBalances",
        answers.ContactBalances,
        fails=[404],
        parameters=[PID, DEFINITION, INTERNAL, *PAGE, sorted_by("updatedAt", "value")],
    )
    def get(self, request: Request, **ids: Any) -> Response:
        asked = self.read_query(messages.ContactBalancesQuery)
        definition = self.definition(asked["balanceDefinitionId"])
        rows = self._rows(definition)
        if not self.is_shown(definition, internal=asked["includeInternal"]):
            rows = rows.none()
        # As they joined, which takes no sorting, unless something else is asked for.
        column = {"updatedAt": "changed_at", "value": "value"}.get(
            asked.get("sortField", "")
        )
        order = [column, "pk"] if column else ["pk"]
        way = "-" if asked["sort"] == "desc" else ""
        listed = rows.order_by(*(f"{way}{name}" for name in order))
        part = listed[asked["offset"] : asked["offset"] + asked["limit"]]
        return Response(
            {
                "balanceDefinitionId": str(definition.uuid),
                "loyaltyProgramId": str(self.program.uuid),
                "count": rows.count(),
                "balances": [
                    {
                        "contactId": row.contact_id,
                        "loyaltySubscriptionId": row.subscription_id,
                        "value": number(row.value, definition.scale),
                        "updatedAt": written(row.changed_at),
                    }
                    for row in part
                ],
            }
        )

    def _rows(self, definition: BalanceDefinition) -> QuerySet[Any]:
        own = FilteredRelation(
            "balances", condition=Q(balances__balance_definition=definition)
        )
        present: QuerySet[Any] = Member.objects.present().filter(program=self.program)
        return present.annotate(
            own=own,
            value=Coalesce(F("own__amount"), 0),
            changed_at=Coalesce(F("own__updated_at"), F("created_at")),
        )


class TierProgress(MemberView):
    """How far it is to the next tier; of one group, or of each in an array."""

    permission = VIEW

    @described(
        "getTierProgress",
        answers.TIER_PROGRESS,
        fails=[404],
        parameters=[PID, CID, in_query("tierGroupId", OpenApiTypes.UUID)],
    )
    def get(self, request: Request, *, cid: int, **ids: Any) -> Response:
        asked = self.read_query(messages.ProgressQuery)
        member = self.member(cid)
        ways = Places(member).ways(as_of=timezone.now())
        if wanted := asked.get("tierGroupId"):
            ways = [way for way in ways if way.place.group.group.uuid == wanted]
            if not ways:
                raise Unknown("There is no such tier group.")
        scales = dict(self.program.balance_definitions.values_list("pk", "scale"))
        shown = [_way(way, scales[way.measure.balance]) for way in ways]
        return Response(shown[0] if len(shown) == 1 else shown)


def _way(way: Way, scale: int) -> dict[str, Any]:
    tier = way.place.tier
    return {
        "tierGroupId": str(way.place.group.group.uuid),
        "tierGroupName": way.place.group.name,
        "tierId": str(tier.tier.uuid) if tier else None,
        "tierName": tier.name if tier else None,
        "nextTierName": way.next.name if way.next else None,
        "nextTierThreshold": (
            None if way.needed is None else number(way.needed, scale)
        ),
        "currentBalance": number(way.amount, scale),
    }
