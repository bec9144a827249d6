"""What the endpoints about members and what happens to them have in common."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar, Final

from django.db.models import (
    BigIntegerField,
    Case,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    When,
)
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request

from loyalty.models import Member, Program
from tiers.models import Standing, TierVersion

from .. import strict
from ..access import programs_for
from . import fields, filters
from .protocol import Body, NativeView
from .refusals import flattened

VIEW_MEMBERS: Final = "loyalty.view_member"
EDIT_MEMBERS: Final = "loyalty.edit_members"
MOVE_MEMBERS: Final = "loyalty.move_members"
VIEW_ENTRIES: Final = "loyalty.view_pointsentry"
POST_POINTS: Final = "loyalty.post_points"
OPERATE: Final = "loyalty.operate_programs"

#: So many at once; more are an import.
MOST: Final = 500


# Amounts


def written(units: int, scale: int) -> str:
    """Write an amount as this voice does: 1250 of a scale of 2 is “12.50”."""
    return format(Decimal(units).scaleb(-scale), "f")


@extend_schema_field({"type": "string", "format": "decimal"})
class AmountField(serializers.CharField):
    """An amount in the unit of its balance, as “12.50”."""

    def __init__(self, **options: Any) -> None:
        super().__init__(read_only=True, **options)


@extend_schema_field(
    {"type": "string", "format": "decimal", "pattern": r"^-?\d+(\.\d+)?$"}
)
class SentAmountField(strict.AmountField):
    """An amount in the unit of its balance; its decimals are looked at later."""

    def __init__(self, **options: Any) -> None:
        super().__init__(scale=4, **options)


def in_units(amount: Decimal, scale: int) -> int:
    """Return an amount in the smallest unit; more decimals than are kept are refused."""
    units = amount.scaleb(scale)
    if units != units.to_integral_value():
        raise ValidationError(
            f"This balance has {scale} decimals.", code="too_many_decimals"
        )
    return int(units)


# Fields


@extend_schema_field(OpenApiTypes.DATETIME)
class WhenField(fields.InstantField):
    """An instant that is only shown."""

    def __init__(self, **options: Any) -> None:
        super().__init__(read_only=True, **options)


class IdField(strict.IntegerField):
    """An id that is sent."""

    def __init__(self, **options: Any) -> None:
        super().__init__(min_value=1, **options)


@extend_schema_field(fields.Id)
class ShownIdField(serializers.IntegerField):
    """An id that is shown."""

    def __init__(self, **options: Any) -> None:
        super().__init__(read_only=True, **options)


class ReasonField(strict.TextField):
    """Why somebody does this; it is kept on record."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("max_length", 255)
        super().__init__(help_text="Kept on record.", **options)


class GivenReasonBody(Body):
    """Why it is done."""

    reason = ReasonField()


class RowProblemSerializer(serializers.Serializer):
    """Why one of many was refused."""

    code = serializers.CharField()
    detail = serializers.CharField()
    errors: Any = serializers.ListField(
        child=serializers.DictField(), required=False, help_text="One for each field."
    )


def row_problem(detail: Any) -> dict[str, Any]:
    """Return why one of many breaks a rule, in the words of refusals."""
    found = list(flattened(detail, "pointer"))
    return {"code": "invalid_request", "detail": found[0]["detail"], "errors": found}


def read_rows(kind: Any, sent: Sequence[Any]) -> tuple[dict[int, Any], dict[int, Any]]:
    """Read each of many by itself: return what they say, and why the others do not.

    One serializer reads all of them: making one takes longer than reading with it.
    """
    reader = kind()
    said: dict[int, Any] = {}
    problems: dict[int, Any] = {}
    for place, row in enumerate(sent):
        try:
            said[place] = reader.run_validation(row)
        except ValidationError as error:
            problems[place] = row_problem(error.detail)
    return said, problems


class NamedProgramFilters(filters.FilterSet):
    """Narrows to a program; ``path`` leads there."""

    program = filters.NumberFilter(
        method="of_program", help_text="Of this program only."
    )
    path: ClassVar[str] = "program_id"

    def of_program(self, queryset: QuerySet[Any], name: str, value: int) -> Any:
        return queryset.filter(**{self.path: value})


class MemberFilters(NamedProgramFilters):
    """Narrows to a program or a member."""

    member = filters.NumberFilter(
        field_name="member_id", help_text="Of this member only."
    )
    path = "member__program_id"


# Views


class RunningView(NativeView):
    """An endpoint that finds what it is about among what the caller may see."""

    request: Request

    def program_named(self, pk: int, field: str = "program") -> Program:
        program = programs_for(self.request).filter(pk=pk).first()
        if program is None:
            raise not_found(field)
        found: Program = program
        return found

    def member_named(self, pk: int, field: str = "member") -> Member:
        found = self.members().select_related("contact").filter(pk=pk).first()
        if found is None:
            raise not_found(field)
        member: Member = found
        return member

    def members(self) -> Any:
        return Member.objects.visible_to(self.request.user)


def not_found(*path: str | int) -> ValidationError:
    sentence = "There is no such thing, or not for you."
    return at(path, [ErrorDetail(sentence, "not_found")])


def at(path: Sequence[str | int], detail: Any) -> ValidationError:
    """Return a refusal of what stands at a place of the body."""
    for name in reversed(path):
        detail = {name: detail}
    return ValidationError(detail)


# Standings


class HeldSerializer(serializers.Serializer):
    """Where a member stands in a group."""

    group = ShownIdField(source="group_id")
    tier = ShownIdField(source="tier_id", allow_null=True, help_text="What is held.")
    tier_name = serializers.CharField(allow_null=True, read_only=True)
    shown_tier = ShownIdField(
        allow_null=True,
        help_text=(
            "What the member reads as. While the program's tiers are not ACTIVE that is "
            "the base tier, or none."
        ),
    )
    since = WhenField(allow_null=True)
    next_exit_at = WhenField(
        allow_null=True, help_text="When the next amount stops counting."
    )
    drops_at = WhenField(
        allow_null=True, help_text="When the tier is lost if nothing more is earned."
    )
    term_ends_at = WhenField(
        allow_null=True, help_text="When the running term is over."
    )
    evaluated_at = WhenField(help_text="The instant for which this is true.")


def standings() -> QuerySet[Any]:
    """Return standings with the names of their tiers, and what they read as."""
    live = TierVersion.objects.live()
    base = live.filter(tier__group=OuterRef("group"), entry=TierVersion.Entry.BASE)
    latest = TierVersion.objects.filter(
        tier=OuterRef("tier"), live_from__isnull=False
    ).order_by("-live_from", "-number")
    active = Q(group__program__tiers_status=Program.TiersStatus.ACTIVE)
    return Standing.objects.annotate(
        tier_name=Subquery(latest.values("name")[:1]),
        shown_tier=Case(
            When(active, then=F("tier")),
            default=Subquery(base.values("tier")[:1]),
            output_field=BigIntegerField(),
        ),
    ).order_by("group")


def standings_of(member_ids: Any) -> Mapping[int, list[Any]]:
    """Return where members stand, by member; one query for all."""
    found: dict[int, list[Any]] = {pk: [] for pk in member_ids}
    for standing in standings().filter(member__in=found):
        found[standing.member_id].append(standing)
    return found
