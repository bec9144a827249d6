"""Programs: read, made, drafted, switched; and their balance definitions."""

from typing import Any, ClassVar, Final

from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from approvals.errors import ReasonRequired
from loyalty import programs
from loyalty.fields import validate_currency
from loyalty.models import (
    BalanceDefinition,
    BalanceDefinitionVersion,
    Program,
    ProgramLimit,
    ProgramVersion,
)

from .. import strict
from . import contents, filters, versions
from .fields import ThingField
from .protocol import Body
from .refusals import ProgramLimited
from .thing_lists import ThingFilters
from .things import (
    Note,
    Retirable,
    Things,
    ThingSerializer,
    asks_of,
    describing,
)

READ: Final = "loyalty.view_program"
READ_BALANCES: Final = "loyalty.view_balancedefinition"
OPERATE: Final = "loyalty.operate_programs"


# Programs


class ProgramSerializer(ThingSerializer):
    """A loyalty program."""

    source = serializers.ChoiceField(  # type: ignore[assignment]
        Program.Source.choices, help_text="Where it was made."
    )
    tiers_status = serializers.ChoiceField(
        Program.TiersStatus.choices,
        help_text="While tiers are not ACTIVE, every member reads as base tier.",
    )
    live = versions.ProgramVersionSerializer(allow_null=True)
    draft = versions.ProgramVersionSerializer(allow_null=True)


class ProgramBody(Body):
    """A new program; its first wording is live at once."""

    content = contents.ProgramContent()
    currency = strict.LineField(
        default="EUR",
        validators=[validate_currency],
        help_text="Of the built-in balance of purchases, in three letters.",
    )


class ProgramChangesBody(Body):
    """What of a program is to change."""

    content = contents.ProgramChanges(required=False)
    note = Note()


class SwitchBody(Body):
    """What becomes of a program's tiers, at once."""

    verb = strict.ChoiceField(list(programs.SWITCHES))
    reason = strict.TextField(max_length=1000, help_text="Kept on record.")


class ProgramFilters(ThingFilters):
    """Which programs."""

    program = filters.NumberFilter(field_name="pk", help_text="This one.")
    tiers_status = filters.ChoiceFilter(
        words=Program.TiersStatus.values, help_text="With its tiers in this state."
    )
    version_model = ProgramVersion

    def about_versions(self, queryset: Any, name: str, value: Any) -> Any:
        return queryset


class Programs(Things):
    """Loyalty programs."""

    tag = "Programs"
    queryset = Program.objects.all()
    model = Program
    version_model = ProgramVersion
    serializer_class = ProgramSerializer
    filterset_class = ProgramFilters
    asks: ClassVar = {**asks_of(READ, Things), "switch": OPERATE}
    publishes = frozenset({"create"})
    repeatable = Things.repeatable | {"switch"}
    bodies, answers = describing(
        versions.ProgramVersionSerializer, ProgramChangesBody, ProgramBody
    )
    bodies["switch"] = SwitchBody
    answers["switch"] = answers["create"] = ProgramSerializer

    def create(self, request: Request) -> Response:
        """Make a program; whoever sees some programs only cannot."""
        user: Any = request.user
        sent = self.read()
        if (
            getattr(user, "only_program_id", None) is not None
            or ProgramLimit.objects.filter(user=user).exists()
        ):
            raise ProgramLimited(
                "Who is limited to some programs cannot make another one."
            )

        def act() -> Any:
            program = programs.create_program(
                by=user,
                source=Program.Source.NATIVE,
                currency=sent["currency"],
                **sent["content"],
            )
            return self.shown(program.pk)

        made = self.once(act)
        return self.created(made, f"/api/v1/programs/{made['id']}")

    @action(detail=True, methods=["post"])
    def switch(self, request: Request, pk: int) -> Response:
        """Activate, prepare, pause, resume or disable a program's tiers, at once."""
        sent = self.read()
        if not sent["reason"].strip():
            raise ReasonRequired("Say why.")

        def act() -> Any:
            programs.switch_tiers(
                self.thing(), sent["verb"], by=request.user, reason=sent["reason"]
            )
            return self.shown(pk)

        return Response(self.once(act))


class ProgramVersions(versions.Versions):
    """Versions of a program."""

    tag = "Programs"
    queryset = ProgramVersion.objects.all()
    serializer_class = versions.ProgramVersionSerializer
    things = Program
    version_model = ProgramVersion
    asks: ClassVar = versions.reading(READ)


# Balance definitions


class BalanceDefinitionSerializer(ThingSerializer):
    """Something that members of a program can have an amount of."""

    program = serializers.IntegerField(source="program_id")
    built_in = serializers.ChoiceField(
        [*BalanceDefinition.BuiltIn.choices, ("", "None")],
        help_text="Which of the balances that every program has; empty: none.",
    )
    scale = serializers.IntegerField(
        help_text="How many decimals amounts have; integers count the smallest unit."
    )
    live = versions.BalanceDefinitionVersionSerializer(allow_null=True)
    draft = versions.BalanceDefinitionVersionSerializer(allow_null=True)


class BalanceDefinitionBody(Body):
    """A new balance definition, drafted."""

    program = ThingField(queryset=Program.objects.all())
    scale = strict.IntegerField(
        default=0,
        min_value=0,
        max_value=4,
        help_text="How many decimals amounts have. Cannot be changed later.",
    )
    content = contents.BalanceDefinitionContent()
    note = Note()


class BalanceDefinitionChangesBody(Body):
    """What of a balance definition is to change."""

    content = contents.BalanceDefinitionChanges(required=False)
    note = Note()


class BalanceDefinitionFilters(ThingFilters):
    """Which balance definitions."""

    built_in = filters.ChoiceFilter(
        words=BalanceDefinition.BuiltIn.values,
        help_text="The built-in one of this kind.",
    )
    unit = filters.TextFilter(
        method="about_versions", help_text="Counted in this unit: POINTS, EUR."
    )
    version_model = BalanceDefinitionVersion
    lookups: ClassVar = {"unit": "unit"}


class BalanceDefinitions(Retirable):
    """What can be earned."""

    tag = "Balance definitions"
    queryset = BalanceDefinition.objects.all()
    model = BalanceDefinition
    version_model = BalanceDefinitionVersion
    serializer_class = BalanceDefinitionSerializer
    filterset_class = BalanceDefinitionFilters
    asks: ClassVar = asks_of(READ_BALANCES)
    bodies, answers = describing(
        versions.BalanceDefinitionVersionSerializer,
        BalanceDefinitionChangesBody,
        BalanceDefinitionBody,
    )
    answers["create"] = BalanceDefinitionSerializer

    def things(self) -> Any:
        return super().things().filter(discarded_at__isnull=True)

    def create(self, request: Request) -> Response:
        """Draft a new balance definition."""
        sent = self.read(context={"visible_to": request.user})

        def act() -> Any:
            draft = programs.add_balance_definition(
                sent["program"],
                by=request.user,
                scale=sent["scale"],
                note=sent.get("note", ""),
                **sent["content"],
            )
            return self.shown(draft.balance_definition_id)

        made = self.once(act)
        return self.created(made, f"/api/v1/balance-definitions/{made['id']}")


class BalanceDefinitionVersions(versions.Versions):
    """Versions of a balance definition."""

    tag = "Balance definitions"
    queryset = BalanceDefinitionVersion.objects.all()
    serializer_class = versions.BalanceDefinitionVersionSerializer
    things = BalanceDefinition
    version_model = BalanceDefinitionVersion
    asks: ClassVar = versions.reading(READ_BALANCES)
