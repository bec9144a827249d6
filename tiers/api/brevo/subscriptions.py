"""The vendor's endpoints for memberships: joining, leaving, sharing, and what is held."""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from loyalty import members, outlook
from loyalty.errors import AlreadyMember, NumberTaken
from loyalty.members import Person
from loyalty.models import Contact, HouseholdMember, Member, Program, ProgramVersion
from tiers.places import Place, Places

from . import member_messages as messages
from . import member_schema as answers
from .fields import read_contact_id, written
from .member_schema import INTERNAL, SUBSCRIPTION
from .people import ENROL, VIEW, MemberView, number
from .protocol import BadRequest, Unknown
from .schema import CID, PID, described, in_query

#: Nobody joins before the first publication, which switches the tiers on.
CLOSED = (Program.TiersStatus.DISABLED, Program.TiersStatus.DRAFT)


class Subscriptions(MemberView):
    permission = {"POST": ENROL}

    @described(
        "subscribeToLoyaltyProgram",
        answers.Subscription,
        messages.Subscribe,
        fails=(400, 404),
        parameters=[PID],
    )
    def post(self, request: Request, **ids: Any) -> Response:
        program = self.program
        said = self.read(messages.Subscribe)
        joined_at = said.get("creationDate")
        if joined_at is not None and joined_at > timezone.now():
            raise ValidationError(
                {"creationDate": "Send an instant that has passed."}, code="max_value"
            )
        if program.tiers_status in CLOSED:
            raise ValidationError("Publish the program first: nobody can join it yet.")
        contact = self.contact(said["contactId"])
        number = said.get("loyaltySubscriptionId", "")
        try:
            member = self._enrol(contact, number, joined_at, said["meta"])
        except NumberTaken as taken:
            raise BadRequest(taken.message, code="invalid_parameter") from None
        return Response(subscription(member))

    def _enrol(
        self,
        contact: Contact,
        number: str,
        joined_at: datetime | None,
        meta: dict[str, Any],
    ) -> Member:
        person = Person(
            contact_uuid=contact.uuid,
            subscription_id=number,
            joined_at=joined_at,
            meta=meta,
        )
        try:
            return members.enrol(self.program, person, by=self.request.user)
        except AlreadyMember as known:
            member: Member = Member.objects.get(pk=known.details["member_id"])
        member.program = self.program
        if not Member.objects.present().filter(pk=member.pk).exists():
            return self._take_back(member, number)
        if number not in ("", member.subscription_id):
            raise BadRequest(
                "The contact has a subscription already, with another id.",
                code="invalid_parameter",
            )
        return member

    def _take_back(self, member: Member, number: str) -> Member:
        """Let somebody who has left come back, under the number that they are given."""
        by = self.request.user
        if number not in ("", member.subscription_id):
            details = replace(members.details_of(member), subscription_id=number)
            members.edit(member, details, by=by)
        # Who sends this twice at once has come back already.
        with suppress(AlreadyMember):
            members.rejoin(member, by=by)
        return member


class OneSubscription(MemberView):
    permission = {"DELETE": ENROL}

    @described(
        "deleteContactSubscription", None, fails=(400, 404), parameters=[PID, CID]
    )
    def delete(self, request: Request, *, cid: int, **ids: Any) -> Response:
        members.leave(self.member(cid), by=request.user)
        return Response(status=204)


def subscription(member: Member) -> dict[str, Any]:
    starts = list(member.intervals.values_list("started_at", flat=True))
    return {
        "organizationId": settings.ORG_ID,
        "loyaltyProgramId": str(member.program.uuid),
        "versionId": len(starts),
        "contactId": member.contact_id,
        "loyaltySubscriptionId": member.subscription_id,
        "meta": member.meta,
        "createdAt": written(member.created_at),
        "updatedAt": written(starts[-1]),
    }


# Households


class SubscriptionMembers(MemberView):
    permission = {"POST": ENROL, "DELETE": ENROL}

    @described(
        "subscribeMemberToASubscription",
        answers.Household,
        messages.Share,
        fails=(404, 409),
        parameters=[PID],
    )
    def post(self, request: Request, **ids: Any) -> Response:
        program = self.program
        said = self.read(messages.Share)
        owner = self.find_member(
            said.get("contactId"), said.get("loyaltySubscriptionId")
        )
        if owner is None:
            raise Unknown("There is no such subscription.")
        wanted = set(said["memberContactIds"])
        contacts = Contact.objects.filter(pk__in=wanted, erased_at__isnull=True)
        known = list(contacts.order_by("pk"))
        if missing := wanted - {contact.pk for contact in known}:
            raise Unknown(f"There is no contact {min(missing)}.")
        members.share(owner, known, by=request.user)
        household = list(HouseholdMember.objects.filter(owner=owner, program=program))
        return Response(
            {
                "organizationId": settings.ORG_ID,
                "ownerContactId": owner.contact_id,
                "memberContactIds": [row.contact_id for row in household],
                "createdAt": written(household[0].created_at),
                "updatedAt": written(household[-1].created_at),
            }
        )

    @described(
        "deleteContactMembers",
        None,
        fails=(400, 404),
        parameters=[PID, in_query("memberContactIds", OpenApiTypes.STR, required=True)],
    )
    def delete(self, request: Request, **ids: Any) -> Response:
        sent = request.query_params.get("memberContactIds", "").split(",")
        try:
            wanted = {read_contact_id(text.strip()) for text in sent}
        except ValueError:
            raise BadRequest(
                "memberContactIds: Send contacts' ids with commas between.",
                code="invalid_parameter",
            ) from None
        if not members.unshare(self.program, wanted, by=request.user):
            raise Unknown("None of them shares a subscription.")
        return Response(status=204)


# What is held


class AccountInfo(MemberView):
    permission = VIEW

    @described(
        "getParameterSubscriptionInfo",
        answers.Account,
        fails=[400],
        parameters=[
            PID,
            in_query("contactId"),
            SUBSCRIPTION,
            in_query("params", OpenApiTypes.STR),
            INTERNAL,
        ],
    )
    def get(self, request: Request, **ids: Any) -> Response:
        query = messages.AccountQuery(data=request.query_params)
        if not query.is_valid():
            name, problems = next(iter(query.errors.items()))
            raise BadRequest(f"{name}: {problems[0]}", code="invalid_parameter")
        asked = query.validated_data
        names = ("contactId", "loyaltySubscriptionId")
        name = next((name for name in names if name in asked), None)
        if name is None:
            raise BadRequest(
                "Send contactId or loyaltySubscriptionId.", code="missing_parameter"
            )
        member = self.find_member(*(asked.get(each) for each in names))
        if member is None:
            raise BadRequest(
                f"{name}: Nobody with it has a subscription to this program.",
                code="invalid_parameter",
            )
        return Response(self._account(member, asked))

    def _account(self, member: Member, asked: dict[str, Any]) -> dict[str, Any]:
        live: ProgramVersion = self.program.versions.live().get()
        joined = subscription(member)
        document: dict[str, Any] = {
            "loyaltyProgramName": live.name,
            "membership": {
                name: joined[name]
                for name in ("loyaltySubscriptionId", "createdAt", "updatedAt")
            },
        }
        internal = asked["includeInternal"]
        parts = {
            "balance": lambda: self._balance(member, internal=internal),
            "tier": lambda: [
                held(place, member)
                for place in Places(member).all
                if place.tier and (internal or not place.group.meta.get("isInternal"))
            ],
            # Who hands rewards out is another system.
            "reward": list,
            "members": lambda: _household(member),
        }
        return document | {
            name: part() for name, part in parts.items() if name in asked["params"]
        }

    def _balance(self, member: Member, *, internal: bool) -> dict[str, Any]:
        amounts = outlook.balances(member, as_of=timezone.now())
        return {
            "contactId": member.contact_id,
            "loyaltyProgramId": str(self.program.uuid),
            "balances": [
                {
                    "balanceDefinitionId": str(version.balance_definition.uuid),
                    "balanceDefinitionName": version.name,
                    "value": number(
                        amounts.get(version.balance_definition_id, 0),
                        version.balance_definition.scale,
                    ),
                }
                for version in self.shown(internal=internal)
            ],
        }


def held(place: Place, member: Member) -> dict[str, Any]:
    assert place.tier is not None
    since = written(place.since)
    return {
        "tierId": str(place.tier.tier.uuid),
        "tierName": place.tier.name,
        "contactId": member.contact_id,
        "groupId": str(place.group.group.uuid),
        "groupName": place.group.name,
        "loyaltyProgramId": str(member.program.uuid),
        "meta": {},
        "createdAt": since,
        "updatedAt": since,
    }


def _household(member: Member) -> list[dict[str, Any]]:
    return [
        {
            "memberContactId": row.contact_id,
            "createdAt": written(row.created_at),
            "updatedAt": written(row.created_at),
        }
        for row in HouseholdMember.objects.filter(owner=member)
    ]
