"""The vendor's endpoints for balance definitions: drafts, until they are published."""

from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from loyalty import balances, programs
from loyalty.models import BalanceDefinition, BalanceDefinitionVersion
from tiers.program_draft import again_if_overtaken

from ..access import sees_drafts
from . import member_messages as messages
from . import member_schema as answers
from . import serializers
from .fields import written
from .member_messages import OVERTAKING, ROUNDING, SPAN_ENDS, SPANS
from .member_schema import BDID, PAGE, sorted_by
from .people import CHANGE, MemberView, number
from .protocol import Unknown
from .schema import PID, VERSION, described

VIEW = "loyalty.view_balancedefinition"
#: Units without decimals; of others a hundredth is the smallest amount.
WHOLE: Final = ("POINTS", "JPY", "CLP")
AMOUNTS: Final = {
    "minimum": "minAmount",
    "maximum": "maxAmount",
    "credit_limit": "maxCreditAmountLimit",
    "debit_limit": "maxDebitAmountLimit",
}
change = again_if_overtaken(balances.reword)
end = again_if_overtaken(balances.retire)


class DefinitionView(MemberView):
    def wordings(self, version: str) -> list[BalanceDefinitionVersion]:
        """Return what is live, or the latest edits for who may see them.

        Built-in balances that members are not told of are nobody's but ours.
        """
        caller: Any = self.request.user
        with_drafts = version == "draft" and sees_drafts(caller)
        return [
            wording
            for wording in balances.wordings(self.program, with_drafts=with_drafts)
            if not (wording.is_internal and wording.balance_definition.built_in)
        ]

    def one(self, bdid: UUID, version: str = "draft") -> BalanceDefinitionVersion:
        for wording in self.wordings(version):
            if wording.balance_definition.uuid == bdid:
                return wording
        raise Unknown("There is no such balance definition.")


class Definitions(DefinitionView):
    permission = {"GET": VIEW, "HEAD": VIEW, "POST": CHANGE}

    @described(
        "getBalanceDefinitionList",
        answers.Definitions,
        parameters=[
            PID,
            VERSION,
            *PAGE,
            sorted_by("name", "created_at", "updated_at"),
        ],
    )
    def get(self, request: Request, **ids: Any) -> Response:
        asked = self.read_query(messages.DefinitionsQuery)
        # As made, where what they are sorted by is the same.
        listed = sorted(
            self.wordings(asked["version"]),
            key=SORTED[asked["sortField"]],
            reverse=asked["sort"] == "desc",
        )
        part = listed[asked["offset"] : asked["offset"] + asked["limit"]]
        return Response({"items": [document(wording) for wording in part]})

    @described(
        "createBalanceDefinition",
        answers.Definition,
        messages.DefinitionRequest,
        fails=[404],
        parameters=[PID],
    )
    def post(self, request: Request, **ids: Any) -> Response:
        program = self.program
        said = self.read(messages.DefinitionRequest)
        scale = scale_of(said["unit"])
        made = programs.add_balance_definition(
            program, by=request.user, scale=scale, **wording_of(said, scale)
        )
        return Response(document(made))


class OneDefinition(DefinitionView):
    permission = {"GET": VIEW, "HEAD": VIEW, "PUT": CHANGE, "DELETE": CHANGE}

    @described(
        "getBalanceDefinition",
        answers.Definition,
        fails=[404],
        parameters=[PID, BDID, VERSION],
    )
    def get(self, request: Request, *, bdid: UUID, **ids: Any) -> Response:
        version = self.read_query(serializers.Version)["version"]
        return Response(document(self.one(bdid, version)))

    @described(
        "updateBalanceDefinition",
        answers.Definition,
        messages.DefinitionRequest,
        fails=(404, 424),
        parameters=[PID, BDID],
    )
    def put(self, request: Request, *, bdid: UUID, **ids: Any) -> Response:
        definition = self.one(bdid).balance_definition
        said = self.read(messages.DefinitionRequest)
        expect_decimals(definition, said["unit"])
        wording = wording_of(said, definition.scale)
        return Response(document(change(definition, wording, by=request.user)))

    @described("deleteBalanceDefinition", None, fails=[404], parameters=[PID, BDID])
    def delete(self, request: Request, *, bdid: UUID, **ids: Any) -> Response:
        end(self.one(bdid).balance_definition, by=request.user)
        return Response(status=204)


# Words


def scale_of(unit: str) -> int:
    return 0 if unit in WHOLE else 2


def expect_decimals(definition: BalanceDefinition, unit: str) -> None:
    """Refuse a unit in which the amounts that there are would mean something else."""
    if scale_of(unit) != definition.scale:
        raise ValidationError(
            {
                "unit": f"Amounts of this balance have {definition.scale} decimals, and "
                f"those in {unit} have {scale_of(unit)}. Make a new definition."
            },
            code="unit_fixed",
        )


def wording_of(said: dict[str, Any], scale: int) -> dict[str, Any]:
    """Return a definition in our words: amounts in its smallest unit."""
    meta = dict(said["meta"])
    wording = said | {"meta": meta, "is_internal": bool(meta.pop("isInternal", False))}
    for ours, theirs in AMOUNTS.items():
        if said[ours] is not None:
            wording[ours] = _units(said[ours], scale, theirs)
    return wording


def _units(amount: Decimal, scale: int, name: str) -> int:
    units = amount.scaleb(scale)
    if units != int(units):
        sentence = (
            f"Send at most {scale} decimals." if scale else "Send a whole number."
        )
        raise ValidationError({name: sentence}, code="too_many_decimals")
    return int(units)


SORTED: Final[dict[str, Any]] = {
    "name": lambda version: (version.name, version.balance_definition_id),
    "created_at": lambda version: (
        version.balance_definition.created_at,
        version.balance_definition_id,
    ),
    "updated_at": lambda version: (version.updated_at, version.balance_definition_id),
}


def document(version: BalanceDefinitionVersion) -> dict[str, Any]:
    definition = version.balance_definition
    span = version.availability_value
    internal = {"isInternal": True} if version.is_internal else {}
    amounts = {
        theirs: None
        if getattr(version, ours) is None
        else number(getattr(version, ours), definition.scale)
        for ours, theirs in AMOUNTS.items()
    }
    return {
        "id": str(definition.uuid),
        "name": version.name,
        "description": version.description,
        "imageRef": version.image_ref or None,
        "meta": version.meta | internal,
        "unit": version.unit,
        **amounts,
        "balanceOptionAmountOvertakingStrategy": _word(OVERTAKING, version.overtaking),
        "balanceOptionCreditRounding": _word(ROUNDING, version.credit_rounding),
        "balanceOptionDebitRounding": _word(ROUNDING, version.debit_rounding),
        "balanceAvailabilityDurationValue": span,
        "balanceAvailabilityDurationUnit": (
            _word(SPANS, version.availability_unit) if span else None
        ),
        "balanceAvailabilityDurationModifier": (
            _word(SPAN_ENDS, version.availability_end) if span else None
        ),
        "balanceExpirationDate": version.expires_on or None,
        "createdAt": written(definition.created_at),
        "updatedAt": written(version.updated_at),
        "deletedAt": None,
    }


def _word(words: dict[str, str], ours: str) -> str:
    return next(word for word, own in words.items() if own == ours)
