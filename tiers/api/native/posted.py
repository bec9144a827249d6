"""What is posted, and how: the words that entries, activities and postings share."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request

from approvals.errors import Refused
from loyalty import adjustments, points
from loyalty.errors import ReferenceReused
from loyalty.evaluators import Share
from loyalty.models import BalanceDefinition, PointsEntry, PointsRequest

from .. import idempotency, strict
from ..access import is_key
from . import fields, running
from .fields import ObjectField
from .protocol import Body
from .running import AmountField, SentAmountField, ShownIdField, WhenField

Kind = PointsEntry.Kind
BuiltIn = BalanceDefinition.BuiltIn

SOURCE: Final = "api"
#: Named by what does not come through here.
RESERVED: Final = ("brevo", "capillary", "expiry", "wix", adjustments.SOURCE)


class KeyRequired(Refused):
    """A system posts what is earned; a person adjusts, in the admin."""

    code = "key_required"


def expect_key(request: Request) -> None:
    """Refuse people: what they post by hand needs a second person above a limit."""
    if not is_key(request):
        raise KeyRequired(
            "Points are posted by systems, with an API key. A person adjusts points in "
            "the admin, where a second one agrees to large amounts."
        )


# What is sent


class SourceField(strict.LineField):
    """Which of the caller's systems posts; references are its own."""

    def __init__(self, **options: Any) -> None:
        words = "Which of your systems it is; references are its own."
        super().__init__(max_length=64, help_text=words, **options)

    def to_internal_value(self, data: Any) -> str:
        source: str = super().to_internal_value(data)
        if source in RESERVED:
            raise ValidationError("Another door posts so.", code="invalid_choice")
        return source


class PostingBody(Body):
    """What every posting says."""

    reference: Any = strict.LineField(
        max_length=256,
        required=False,
        help_text=(
            "Your own id of this posting. The same reference again has no second "
            "effect, for ever. Without one, the Idempotency-Key is the reference."
        ),
    )
    source: Any = SourceField(required=False)
    description = strict.TextField(max_length=255, allow_blank=True, default="")
    meta = ObjectField(default=dict)


@dataclass(frozen=True)
class Named:
    """Under which name something is posted for ever."""

    source: str
    reference: str
    by_header: bool


def name_of(request: Request, said: Mapping[str, Any]) -> Named:
    """Return what a posting is known by: its reference, else its Idempotency-Key."""
    key = request.headers.get("Idempotency-Key")
    if key is not None:
        idempotency.expect_usable(key)
    if reference := said.get("reference"):
        return Named(said.get("source", SOURCE), reference, False)
    if key is None:
        sentence = "Send a reference of your own, or an Idempotency-Key."
        raise ValidationError({"reference": [ErrorDetail(sentence, "required")]})
    # Keys are their sender's own.
    return Named(said.get("source", f"{SOURCE}:{request.user.pk}"), key, True)


@contextmanager
def worded(named: Named) -> Iterator[None]:
    """Word a reference that was used before as what the caller sent."""
    try:
        yield
    except ReferenceReused:
        if named.by_header:
            raise idempotency.KeyReused from None
        raise


# Balances


@dataclass
class Balances:
    """Balances by id, and of one program by what is built in; one query."""

    by_id: dict[int, BalanceDefinition]

    @classmethod
    def of(cls, program_id: int) -> "Balances":
        return cls.of_all([program_id])

    @classmethod
    def of_all(cls, program_ids: Iterable[int]) -> "Balances":
        found = BalanceDefinition.objects.filter(program__in=program_ids)
        return cls({definition.pk: definition for definition in found})

    def built_in(self, name: str) -> BalanceDefinition:
        return next(each for each in self.by_id.values() if each.built_in == name)

    def chosen(self, pk: int | None, *path: str | int) -> BalanceDefinition:
        """Return a balance by its id; the points, where none is named."""
        if pk is None:
            return self.built_in(BuiltIn.POINTS)
        if pk not in self.by_id:
            raise running.not_found(*path)
        return self.by_id[pk]


def units_or_all(amount: Decimal | None, definition: BalanceDefinition) -> int | None:
    """Return how much is to be taken back; None is all that is left."""
    return None if amount is None else units(amount, definition, "amount")


def units(
    amount: Decimal | int, definition: BalanceDefinition, *path: str | int
) -> int:
    try:
        return running.in_units(Decimal(amount), definition.scale)
    except ValidationError as error:
        raise running.at(path, error.detail) from None


# What is answered


class PostedLineSerializer(serializers.Serializer):
    """A line that was written."""

    entry = serializers.UUIDField(read_only=True)
    balance_definition = ShownIdField()
    kind = serializers.ChoiceField(Kind.choices, read_only=True)
    asked = AmountField(help_text="What was asked for, signed.")
    amount = AmountField(
        help_text="What was posted: less where the balance has a ceiling."
    )
    balance = AmountField(help_text="The balance after it.")


class ShareSerializer(serializers.Serializer):
    """So much of what was earned is at the rate of a tier."""

    group = ShownIdField()
    balance_definition = ShownIdField()
    tier = ShownIdField(allow_null=True)
    amount = AmountField()


class PostedSerializer(serializers.Serializer):
    """What came of a posting, and where the member stands now."""

    posting = serializers.UUIDField(read_only=True)
    status = serializers.ChoiceField(PointsRequest.Status.choices, read_only=True)
    replayed = serializers.BooleanField(
        read_only=True, help_text="Whether it had been posted before."
    )
    member = ShownIdField()
    reference = serializers.CharField(read_only=True)
    lines = PostedLineSerializer(many=True)
    shares = ShareSerializer(
        many=True,
        help_text=(
            "How what was earned splits between the rates of tiers, in groups where the "
            "purchase that upgrades can earn at the new rate."
        ),
    )
    tiers = running.HeldSerializer(many=True)


def documents(
    posted: Sequence[tuple[points.Posting, str]], balances: Balances
) -> list[Any]:
    """Show what came of postings, with everybody's tiers; one query for all."""
    held = running.standings_of({posting.member_id for posting, _ in posted})
    rows = [
        {
            "posting": posting.request,
            "status": posting.status,
            "replayed": posting.replayed,
            "member": posting.member_id,
            "reference": reference,
            "lines": [line_document(line, balances) for line in posting.lines],
            "shares": [_share(share, balances) for share in posting.shares],
            "tiers": held[posting.member_id],
        }
        for posting, reference in posted
    ]
    shown: Any = PostedSerializer(rows, many=True).data
    return list(shown)


def line_document(line: points.Posted, balances: Balances) -> dict[str, Any]:
    scale = balances.by_id[line.definition_id].scale
    return {
        "entry": line.uuid,
        "balance_definition": line.definition_id,
        "kind": line.kind,
        "asked": running.written(line.asked, scale),
        "amount": running.written(line.amount, scale),
        "balance": running.written(line.balance, scale),
    }


def _share(share: Share, balances: Balances) -> dict[str, Any]:
    scale = balances.by_id[share.definition].scale
    return {
        "group": share.group,
        "balance_definition": share.definition,
        "tier": share.tier,
        "amount": running.written(share.amount, scale),
    }


# Whose


class WhoseBody(PostingBody):
    """Whose a posting is: ``member``, or a ``program`` and what names them there."""

    member = running.IdField(required=False)
    external_id = strict.LineField(max_length=128, required=False)
    membership_number = strict.LineField(max_length=64, required=False)

    WAYS: Final = ("member", "external_id", "membership_number")

    def validate(self, said: dict[str, Any]) -> dict[str, Any]:
        if len([way for way in self.WAYS if way in said]) != 1:
            ways = ", ".join(self.WAYS)
            sentence = f"Name the member by one of: {ways}."
            raise ValidationError({"member": [ErrorDetail(sentence, "required")]})
        return said


def members_named(members: Any, program_id: int, rows: Sequence[Any]) -> list[Any]:
    """Return the member of each row, or None; one query for each way to name them."""
    columns = {
        "member": "pk",
        "external_id": "contact__external_id",
        "membership_number": "subscription_id",
    }
    known: dict[tuple[str, Any], int] = {}
    for way, column in columns.items():
        names = {row[way] for row in rows if way in row}
        if names:
            found = members.filter(program=program_id, **{f"{column}__in": names})
            known |= {(way, name): pk for name, pk in found.values_list(column, "pk")}
    return [
        next((known.get((way, row[way])) for way in columns if way in row), None)
        for row in rows
    ]


def no_member(said: Mapping[str, Any]) -> ValidationError:
    return running.not_found(next(way for way in WhoseBody.WAYS if way in said))


class AmountBody(Body):
    """An amount of one of the program's own balances."""

    balance_definition = running.IdField()
    amount = SentAmountField(min_value=Decimal(0))


class ActivityBody(WhoseBody):
    """What a purchase or a visit earns, all of it or nothing."""

    occurred_at = fields.InstantField(
        required=False, help_text="Without it, when it is posted."
    )
    purchase = SentAmountField(
        required=False, min_value=Decimal(0), help_text="The money spent; 0 counts."
    )
    visits = strict.IntegerField(required=False, min_value=1)
    points = SentAmountField(required=False, min_value=Decimal(0))
    amounts = AmountBody(many=True, required=False, help_text="Of other balances.")

    def validate(self, said: dict[str, Any]) -> dict[str, Any]:
        said = super().validate(said)
        if not any(said.get(n) is not None for n in (*EARNED, "amounts")):
            sentence = f"Say what was earned: {', '.join(EARNED)} or amounts."
            raise ValidationError({"points": [ErrorDetail(sentence, "required")]})
        return said


EARNED: Final = {
    "purchase": BuiltIn.PURCHASES,
    "visits": BuiltIn.VISITS,
    "points": BuiltIn.POINTS,
}


def activity_of(
    said: Mapping[str, Any], member: int, reference: str, balances: Balances
) -> points.Activity:
    """Return what an activity posts; amounts that cannot be are refused by their field."""
    lines = []
    for name, built_in in EARNED.items():
        if name in said:
            definition = balances.built_in(built_in)
            amount = units(said[name], definition, name)
            lines.append(points.Line(Kind.EARN, definition.pk, amount))
    for place, each in enumerate(said.get("amounts", ())):
        path = ("amounts", place)
        definition = balances.chosen(
            each["balance_definition"], *path, "balance_definition"
        )
        amount = units(each["amount"], definition, *path, "amount")
        lines.append(points.Line(Kind.EARN, definition.pk, amount))
    return points.Activity(
        member_id=member,
        reference=reference,
        lines=tuple(lines),
        occurred_at=said.get("occurred_at"),
        description=said["description"],
        meta=said["meta"],
    )


# Lines of the ledger


class EntrySerializer(serializers.Serializer):
    """A line of the ledger; it never changes."""

    id = ShownIdField()
    uuid = serializers.UUIDField(read_only=True)
    member = ShownIdField(source="member_id")
    program = ShownIdField(source="member.program_id")
    balance_definition = ShownIdField(source="balance_definition_id")
    kind = serializers.ChoiceField(Kind.choices, read_only=True)
    amount = serializers.SerializerMethodField()
    occurred_at = WhenField()
    counts_from = WhenField(
        source="window_at",
        help_text="The instant whose local day decides how long it counts.",
    )
    recorded_at = WhenField()
    posting = serializers.UUIDField(source="request.uuid", read_only=True)
    source: Any = serializers.CharField(source="request.source", read_only=True)
    reference = serializers.CharField(source="request.reference", read_only=True)
    reverses = ShownIdField(source="reverses_id", allow_null=True)
    concerns = ShownIdField(
        source="concerns_id",
        allow_null=True,
        help_text="The credit that expired, or the redemption that is refunded.",
    )
    description = serializers.CharField(read_only=True)
    meta = ObjectField(read_only=True)
    sequence = serializers.IntegerField(
        read_only=True, help_text="Its place among the member's lines."
    )

    def get_amount(self, entry: Any) -> str:
        return running.written(entry.amount, entry.balance_definition.scale)
