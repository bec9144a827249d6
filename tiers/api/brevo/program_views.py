"""The vendor's endpoints for programs, their publication, and rewards."""

import uuid
from typing import Any, Final
from uuid import UUID

from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response

from approvals.errors import ApprovalRequired
from loyalty import programs
from loyalty.models import Program, ProgramVersion, Reward
from tiers import direct, program_draft

from ..access import programs_for
from . import schema, serializers
from .protocol import BadRequest, BrevoView, Unknown
from .schema import LIMIT, OFFSET, PID, RID, SORT, SORT_FIELD, described

VIEW, CHANGE = "loyalty.view_program", "approvals.make_changes"
#: How programs can be sorted, and by what.
SORTED: Final = {
    "name": "name",
    "created_at": "program__created_at",
    "updated_at": "live_from",
}


class ProgramView(BrevoView):
    def live(self, program: Program) -> ProgramVersion:
        version: ProgramVersion = (
            program.versions.live().select_related("program").get()
        )
        return version

    def show(self, program: Program) -> Response:
        return Response(serializers.program(self.live(program)))


class Programs(ProgramView):
    permission = {"GET": VIEW, "HEAD": VIEW, "POST": CHANGE}

    @described(
        "getLpList",
        schema.ProgramList,
        fails=[400],
        parameters=[LIMIT, OFFSET, SORT_FIELD, SORT],
    )
    def get(self, request: Request) -> Response:
        asked = self.read_query(serializers.ProgramList)
        field = asked["sort_field"]
        if field not in SORTED:
            raise BadRequest(
                f"sort_field: Send one of: {', '.join(SORTED)}.",
                code="invalid_parameter",
            )
        way = "-" if asked["sort"] == "desc" else ""
        listed = (
            ProgramVersion.objects.live()
            .filter(program__in=programs_for(request))
            .select_related("program")
            .order_by(f"{way}{SORTED[field]}", f"{way}program")
        )
        end = asked["offset"] + asked["limit"]
        shown = [serializers.program(v) for v in listed[asked["offset"] : end]]
        return Response({"items": shown})

    @described(
        "createNewLp", schema.LoyaltyProgram, serializers.NewProgram, fails=[409]
    )
    def post(self, request: Request) -> Response:
        program = direct.begin_program(
            uuid.uuid4(),
            by=request.user,
            source=Program.Source.BREVO,
            status=Program.TiersStatus.DISABLED,
            tier_name_rule=ProgramVersion.NameRule.NONE,
            own_name=True,
            # The vendor's programs begin without balances.
            internal_balances=True,
            **self.read(serializers.NewProgram),
        )
        return self.show(program)


class OneProgram(ProgramView):
    permission = {
        "GET": VIEW,
        "HEAD": VIEW,
        "PUT": CHANGE,
        "PATCH": CHANGE,
        "DELETE": CHANGE,
    }

    @described(
        "getLoyaltyProgramInfo", schema.LoyaltyProgram, fails=[404], parameters=[PID]
    )
    def get(self, request: Request, **ids: Any) -> Response:
        return self.show(self.program)

    @described(
        "updateLoyaltyProgram",
        schema.LoyaltyProgram,
        serializers.NewProgram,
        fails=(404, 409),
        parameters=[PID],
    )
    def put(self, request: Request, **ids: Any) -> Response:
        return self._change({"description": "", "meta": {}}, serializers.NewProgram)

    @described(
        "partiallyUpdateLoyaltyProgram",
        schema.LoyaltyProgram,
        serializers.PartOfProgram,
        fails=(404, 409),
        parameters=[PID],
    )
    def patch(self, request: Request, **ids: Any) -> Response:
        return self._change({}, serializers.PartOfProgram)

    def _change(self, defaults: dict[str, Any], kind: Any) -> Response:
        program = self.program
        changes = defaults | self.read(kind)
        direct.change_program(program, changes, by=self.request.user, own_name=True)
        return self.show(program)

    @described("deleteLoyaltyProgram", None, fails=[404], parameters=[PID])
    def delete(self, request: Request, **ids: Any) -> Response:
        direct.discard_program(self.program, by=request.user)
        return Response(status=204)


class PublishProgram(ProgramView):
    permission = {"POST": CHANGE}

    @described(
        "publishLoyaltyProgram", schema.LoyaltyProgram, fails=[404], parameters=[PID]
    )
    def post(self, request: Request, **ids: Any) -> Response:
        program = self.program
        waiting = program_draft.publish(program, by=request.user).waiting
        if waiting is not None:
            page = reverse("admin:approvals_changeset_change", args=[waiting.pk])
            raise ApprovalRequired(
                "Changes to this program are approved by a reviewer. The draft was "
                f"handed in as change set {waiting.pk} and waits for a decision.",
                link=request.build_absolute_uri(page),
            )
        return self.show(program)


# Rewards


class Offers(BrevoView):
    permission = {"GET": VIEW, "HEAD": VIEW, "POST": CHANGE}

    @described(
        "getRewardPageApi",
        schema.RewardList,
        fails=[404],
        parameters=[PID, LIMIT, OFFSET],
    )
    def get(self, request: Request, **ids: Any) -> Response:
        asked = self.read_query(serializers.RewardList)
        rewards = Reward.objects.filter(program=self.program).select_related("program")
        end = asked["offset"] + asked["limit"]
        shown = [serializers.reward(r) for r in rewards[asked["offset"] : end]]
        return Response({"items": shown, "totalCount": rewards.count()})

    @described(
        "createReward",
        schema.Reward,
        serializers.NewReward,
        fails=[404],
        parameters=[PID],
    )
    def post(self, request: Request, **ids: Any) -> Response:
        program = self.program
        made = programs.add_reward(
            program, by=request.user, **self.read(serializers.NewReward)
        )
        return Response(serializers.reward(made))


class OneReward(BrevoView):
    permission = VIEW

    @described(
        "getRewardInformation", schema.Reward, fails=[404], parameters=[PID, RID]
    )
    def get(self, request: Request, *, rid: UUID, **ids: Any) -> Response:
        rewards = Reward.objects.filter(program=self.program, uuid=rid)
        found = rewards.select_related("program").first()
        if found is None:
            raise Unknown("There is no such reward.")
        return Response(serializers.reward(found))
