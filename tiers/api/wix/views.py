"""The vendor's endpoints for tiers, and for the settings of a site's program."""

from typing import Any

from django.db import IntegrityError, transaction
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from approvals.errors import Refused, StaleEdit
from loyalty.models import Program, ProgramVersion
from tiers import direct
from tiers.models import Tier

from ..access import may
from . import schema, serializers
from .fields import guid
from .protocol import (
    Exists,
    Outdated,
    UnknownEntity,
    Unsupported,
    WixView,
    data_of,
    sentence_of,
    words_for,
)
from .schema import described, in_path

VIEW, CHANGE = "tiers.view_tier", "approvals.make_changes"


def path_guid(value: str, name: str) -> Any:
    """Read the id in an address."""
    try:
        return guid(value)
    except ValueError as error:
        raise ValidationError({name: str(error)}) from None


def outdated(stale: StaleEdit, entity_id: Any) -> Outdated:
    return Outdated(
        f"Outdated revision for entity id {entity_id}. {stale.message}",
        entity_id=str(entity_id),
    )


# Tiers


class Tiers(WixView):
    permission = {"GET": VIEW, "HEAD": VIEW, "POST": CHANGE}

    @described("listTiers", schema.TiersAnswer)
    def get(self, request: Request) -> Response:
        return Response({"tiers": [serializers.tier(v) for v in self.site.tiers]})

    @described("createTier", schema.TierAnswer, serializers.CreateTierRequest)
    def post(self, request: Request) -> Response:
        wording = self.read(serializers.CreateTierRequest)["tier"]
        version = direct.add_tier(
            self.site.program, wording, by=request.user, most=serializers.MOST_TIERS
        )
        return Response({"tier": serializers.tier(version)})


class BulkCreateTiers(WixView):
    permission = CHANGE

    @described("bulkCreateTiers", schema.BulkAnswer, serializers.BulkCreateTiersRequest)
    def post(self, request: Request) -> Response:
        wordings = self.read(serializers.BulkCreateTiersRequest)["tiers"]
        outcomes = direct.add_tiers(
            self.site.program, wordings, by=request.user, most=serializers.MOST_TIERS
        )
        refused = sum(isinstance(outcome, Refused) for outcome in outcomes)
        return Response(
            {
                "results": [
                    self._result(place, outcome)
                    for place, outcome in enumerate(outcomes)
                ],
                "bulkActionMetadata": {
                    "totalSuccesses": len(outcomes) - refused,
                    "totalFailures": refused,
                    "undetailedFailures": 0,
                },
            }
        )

    def _result(self, place: int, outcome: Any) -> dict[str, Any]:
        metadata = {"id": None, "originalIndex": place, "success": True, "error": None}
        if isinstance(outcome, Refused):
            error = {
                "code": words_for(outcome)[1],
                "description": sentence_of(outcome),
                "data": data_of(outcome),
            }
            return {"itemMetadata": metadata | {"success": False, "error": error}}
        item = serializers.tier(outcome)
        return {"itemMetadata": metadata | {"id": item["id"]}, "item": item}


class OneTier(WixView):
    permission = {"GET": VIEW, "HEAD": VIEW, "PATCH": CHANGE, "DELETE": CHANGE}

    @described("getTier", schema.TierAnswer, parameters=[in_path("tier_id")])
    def get(self, request: Request, tier_id: str) -> Response:
        wanted = path_guid(tier_id, "tierId")
        for version in self.site.tiers:
            if version.tier.uuid == wanted:
                return Response({"tier": serializers.tier(version)})
        raise _unknown(wanted)

    @described(
        "updateTier",
        schema.TierAnswer,
        serializers.UpdateTierRequest,
        [in_path("tier_id")],
    )
    def patch(self, request: Request, tier_id: str) -> Response:
        tier = self._tier(tier_id, "tier.id")
        changes = self.read(serializers.UpdateTierRequest)["tier"]
        revision = changes.pop("revision")
        try:
            version = direct.change_tier(
                tier, changes, by=request.user, revision=revision
            )
        except StaleEdit as stale:
            raise outdated(stale, tier.uuid) from None
        return Response({"tier": serializers.tier(version)})

    @described(
        "deleteTier", schema.Nothing, parameters=[in_path("tier_id"), schema.REVISION]
    )
    def delete(self, request: Request, tier_id: str) -> Response:
        tier = self._tier(tier_id, "tierId")
        query = serializers.DeleteTierQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        revision = query.validated_data.get("revision")
        try:
            if revision is None:
                raise StaleEdit("No revision was sent.")
            direct.retire_tier(tier, by=request.user, revision=revision)
        except StaleEdit as stale:
            raise outdated(stale, tier.uuid) from None
        return Response({})

    def _tier(self, tier_id: str, name: str) -> Tier:
        wanted = path_guid(tier_id, name)
        tier = self.site.tier(wanted)
        if tier is None:
            raise _unknown(wanted)
        return tier


def _unknown(tier_id: Any) -> UnknownEntity:
    return UnknownEntity(f"There is no tier {tier_id}.")


# Settings


class SettingsView(WixView):
    """Reads of a site's settings; a site without a program gets one with defaults.

    Only from who could make one: everybody else is told that there is none.
    """

    def find_program(self) -> Program | None:
        program = super().find_program()
        if program or not may(self.request, CHANGE):
            return program
        return self.begin({}) or super().find_program()

    def begin(self, said: dict[str, Any]) -> Program | None:
        """Make the program of this site; None if somebody else was faster."""
        status = said.pop("status", Program.TiersStatus.DISABLED)
        try:
            with transaction.atomic():
                return direct.begin_program(
                    self.site_id,
                    by=self.request.user,
                    source=Program.Source.WIX,
                    name=f"Site {self.site_id}",
                    tier_name_rule=ProgramVersion.NameRule.EXACT,
                    status=status,
                    **said,
                )
        except Refused:
            # Who sees some programs only can make none: there is none for them.
            return None
        except IntegrityError:
            # Of two that come at once, or of somebody else's site, one id is one's.
            return None


class TiersProgram(SettingsView):
    permission = VIEW

    @described("getTiersProgram", schema.ProgramAnswer)
    def get(self, request: Request) -> Response:
        return Response(
            {
                "tiers": [serializers.tier(version) for version in self.site.tiers],
                "programSettings": serializers.settings(self.site),
            }
        )


class ProgramSettings(SettingsView):
    permission = {"GET": VIEW, "HEAD": VIEW, "POST": CHANGE, "PATCH": CHANGE}

    @described("getTiersProgramSettings", schema.SettingsAnswer)
    def get(self, request: Request) -> Response:
        return Response({"programSettings": serializers.settings(self.site)})

    @described(
        "createTiersProgramSettings",
        schema.SettingsAnswer,
        serializers.CreateSettingsRequest,
    )
    def post(self, request: Request) -> Response:
        said = self.read(serializers.CreateSettingsRequest)["programSettings"]
        existing = WixView.find_program(self)
        if existing is None and self.begin(said) is None:
            existing = WixView.find_program(self)
            if existing is None:
                raise UnknownEntity("There is no loyalty program for this site.")
        if existing is not None:
            direct.expect_writable(existing, by=request.user)
            raise Exists(
                "The site has settings already. Update them, with their revision."
            )
        return Response({"programSettings": serializers.settings(self.site)})

    @described(
        "updateTiersProgramSettings",
        schema.SettingsAnswer,
        serializers.UpdateSettingsRequest,
    )
    def patch(self, request: Request) -> Response:
        said = self.read(serializers.UpdateSettingsRequest)["programSettings"]
        status, revision = said.pop("status"), said.pop("revision")
        program = self.site.program
        try:
            direct.replace_settings(
                program, said, by=request.user, status=status, revision=revision
            )
        except StaleEdit as stale:
            raise outdated(stale, program.uuid) from None
        program.refresh_from_db()
        return Response({"programSettings": serializers.settings(self.site)})


# What is not there


class NotSupported(WixView):
    """Something of the vendor's that we do not do: refused in a sentence."""

    permission = VIEW
    schema = None
    sentence = ""

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        super().initial(request, *args, **kwargs)
        raise Unsupported(self.sentence)

    def get(self, request: Request, **kwargs: object) -> Response:
        raise Unsupported(self.sentence)

    post = patch = delete = get


class NothingHere(WixView):
    """Any other address of the vendor's: refused in its words, not on a page."""

    authentication_classes = ()
    permission_classes = ()
    schema = None

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        raise NotFound("There is nothing at this address.")
