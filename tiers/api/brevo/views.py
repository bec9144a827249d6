"""The vendor's ten endpoints for tier groups and tiers."""

from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from loyalty.models import Member, Reward
from tiers import acts, program_draft
from tiers.editions import Edition
from tiers.models import TierGroupVersion, TierVersion

from ..access import sees_drafts
from . import schema, serializers
from .fields import written
from .people import MemberView
from .protocol import BrevoView, MissingDependency, Unknown
from .schema import CID, GID, PID, TID, VERSION, described

VIEW, CHANGE = "tiers.view_tier", "approvals.make_changes"
MOVE = "loyalty.move_members"


class TierView(BrevoView):
    """Looks groups and tiers up in the edition that is asked for."""

    @property
    def asked(self) -> Edition:
        """The edition that ``version`` names, of the program in the address."""
        wanted = self.read_query(serializers.Version)["version"]
        return self.edition(draft=wanted == "draft")

    @property
    def draft(self) -> Edition:
        return self.edition(draft=True)

    def edition(self, *, draft: bool) -> Edition:
        """Return an edition; for keys that draft nothing, there is no draft."""
        caller: Any = self.request.user
        return Edition(self.program, draft=draft and sees_drafts(caller))

    def group_in(self, edition: Edition, gid: UUID) -> TierGroupVersion:
        found = edition.group(gid)
        if found is None:
            raise Unknown("There is no such tier group.")
        return found

    def tier_in(self, edition: Edition, tid: UUID) -> TierVersion:
        found = edition.tier(tid)
        if found is None:
            raise Unknown("There is no such tier.")
        return found

    def show_group(self, version: TierGroupVersion) -> Response:
        """Show a group as it is in the draft now."""
        edition = Edition(self.program, draft=True)
        shown = self.group_in(edition, version.group.uuid)
        return Response(serializers.group(shown, edition))

    def show_tier(self, version: TierVersion) -> Response:
        edition = Edition(self.program, draft=True)
        shown = self.tier_in(edition, version.tier.uuid)
        return Response(serializers.tier(shown, edition))


# Groups


class TierGroups(TierView):
    permission = {"GET": VIEW, "HEAD": VIEW, "POST": CHANGE}

    @described(
        "getListOfTierGroups",
        schema.TierGroupList,
        fails=[404],
        parameters=[PID, VERSION],
    )
    def get(self, request: Request, **ids: Any) -> Response:
        edition = self.asked
        shown = [serializers.group(group, edition) for group in edition.groups]
        return Response({"items": shown})

    @described(
        "createTierGroup",
        schema.TierGroup,
        serializers.NewGroup,
        fails=(400, 404, 409),
        parameters=[PID],
    )
    def post(self, request: Request, **ids: Any) -> Response:
        program = self.program
        wording = self.read(serializers.NewGroup)
        if wording.pop("tierOrder", None):
            raise ValidationError({"tier_order": "A new group has no tiers yet."})
        version = program_draft.add_group(program, by=request.user, **wording)
        return self.show_group(version)


class OneTierGroup(TierView):
    permission = {"GET": VIEW, "HEAD": VIEW, "PUT": CHANGE, "DELETE": CHANGE}

    @described(
        "getTierGroup", schema.TierGroup, fails=[404], parameters=[PID, GID, VERSION]
    )
    def get(self, request: Request, *, gid: UUID, **ids: Any) -> Response:
        edition = self.asked
        return Response(serializers.group(self.group_in(edition, gid), edition))

    @described(
        "updateTierGroup",
        schema.TierGroup,
        serializers.ChangedGroup,
        fails=[404],
        parameters=[PID, GID],
    )
    def put(self, request: Request, *, gid: UUID, **ids: Any) -> Response:
        edition = self.draft
        group = self.group_in(edition, gid)
        changes = self.read(serializers.ChangedGroup)
        own = {tier.tier.uuid: tier.tier_id for tier in edition.tiers_of(group)}
        order = changes.pop("tierOrder")
        if set(order) - set(own):
            raise ValidationError(
                {"tier_order": "The order names a tier that is not in this group."}
            )
        changes["tier_order"] = [own[tier] for tier in order]
        version = program_draft.change_group(group.group, by=request.user, **changes)
        return self.show_group(version)

    @described("deleteTierGroup", None, fails=(404, 409), parameters=[PID, GID])
    def delete(self, request: Request, *, gid: UUID, **ids: Any) -> Response:
        group = self.group_in(self.draft, gid).group
        program_draft.end_group(group, by=request.user)
        return Response(status=204)


# Tiers


class TierWriter(TierView):
    """Reads what a tier shall be."""

    def wording(
        self, edition: Edition, tier: TierVersion | None = None
    ) -> dict[str, Any]:
        said = self.read(serializers.NewTier)
        asked = self._amounts(edition, said.pop("accessConditions"))
        if "tierRewards" in said:
            said["reward_refs"] = self._rewards(said.pop("tierRewards"))
        return {**said, **edition.asking(asked, tier)}

    def _amounts(
        self, edition: Edition, conditions: list[dict[str, Any]]
    ) -> list[tuple[int, int]]:
        known = edition.balances_by_uuid
        if unknown := {c["balanceDefinitionId"] for c in conditions} - set(known):
            raise ValidationError(
                {"access_conditions": f"There is no balance definition {min(unknown)}."}
            )
        return [
            (known[c["balanceDefinitionId"]], c["minimumValue"]) for c in conditions
        ]

    def _rewards(self, rewards: list[dict[str, Any]]) -> list[str]:
        named = list(dict.fromkeys(reward["rewardId"] for reward in rewards))
        if named:
            known = Reward.objects.filter(program=self.program, uuid__in=named)
            if unknown := set(named) - set(known.values_list("uuid", flat=True)):
                raise ValidationError(
                    {"reward_refs": f"There is no reward {min(unknown)}."}
                )
        return [str(reward) for reward in named]


class TiersOfGroup(TierWriter):
    permission = {"POST": CHANGE}

    @described(
        "createTierForTierGroup",
        schema.Tier,
        serializers.NewTier,
        fails=[404],
        parameters=[PID, GID],
    )
    def post(self, request: Request, *, gid: UUID, **ids: Any) -> Response:
        edition = self.draft
        group = self.group_in(edition, gid).group
        wording = self.wording(edition)
        return self.show_tier(program_draft.add_tier(group, by=request.user, **wording))


class Tiers(TierView):
    permission = VIEW

    @described(
        "getLoyaltyProgramTier",
        schema.TierList,
        fails=[404],
        parameters=[PID, VERSION],
    )
    def get(self, request: Request, **ids: Any) -> Response:
        edition = self.asked
        shown = [serializers.tier(tier, edition) for tier in edition.tiers]
        return Response({"items": shown})


class OneTier(TierWriter):
    permission = {"PUT": CHANGE, "DELETE": CHANGE}

    @described(
        "updateTier",
        schema.Tier,
        serializers.NewTier,
        fails=[404],
        parameters=[PID, TID],
    )
    def put(self, request: Request, *, tid: UUID, **ids: Any) -> Response:
        edition = self.draft
        tier = self.tier_in(edition, tid)
        changes = self.wording(edition, tier)
        return self.show_tier(
            program_draft.change_tier(tier.tier, by=request.user, **changes)
        )

    @described("deleteTier", None, fails=[404], parameters=[PID, TID])
    def delete(self, request: Request, *, tid: UUID, **ids: Any) -> Response:
        program_draft.end_tier(self.tier_in(self.draft, tid).tier, by=request.user)
        return Response(status=204)


# Who is put into a tier


class AssignTier(TierView, MemberView):
    permission = {"POST": MOVE}

    @described(
        "addSubscriptionToTier",
        schema.Assignment,
        fails=(404, 409, 424),
        parameters=[PID, CID, TID],
    )
    def post(self, request: Request, *, cid: int, tid: UUID, **ids: Any) -> Response:
        live = self.edition(draft=False)
        tier = live.tier(tid) or self._drafted(tid)
        member = self._member(cid)
        if live.tier(tid) is None:
            raise MissingDependency(
                f"{tier.name} is not live yet. Publish the program first."
            )
        move = acts.move(
            member, tier.tier, by=request.user, reason="Assigned through Brevo's API."
        )
        return Response(
            {
                "id": str(tid),
                "contactId": cid,
                "groupId": str(live.group_of(tier).group.uuid),
                "loyaltyProgramId": str(self.program.uuid),
                "meta": {},
                "createdAt": written(move.at),
                "updatedAt": written(move.at),
            }
        )

    def _drafted(self, tid: UUID) -> TierVersion:
        return self.tier_in(self.draft, tid)

    def _member(self, cid: int) -> Member:
        member = self.find_member(cid)
        if member is None:
            self.contact(cid)
            raise MissingDependency(
                "This contact does not belong to the program. Subscribe them first."
            )
        return member
