"""What a member has, what of it lasts until when, and how far the next tier is."""

from datetime import datetime
from typing import Any, ClassVar

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from loyalty import outlook
from loyalty.models import BalanceDefinition, Member
from tiers import facts, judging, rules
from tiers.models import Standing
from tiers.progress import Step, progress

from . import filters, running
from .refusals import InvalidQuery
from .running import (
    VIEW_ENTRIES,
    VIEW_MEMBERS,
    AmountField,
    RunningView,
    ShownIdField,
    WhenField,
)

OF_BALANCE = OpenApiParameter(
    "balance_definition",
    {"type": "integer", "minimum": 1},
    description="Of this balance; without it, of the program's points.",
)


class BalanceSerializer(serializers.Serializer):
    """How much of a balance there is, and what is about to become of it."""

    balance_definition = ShownIdField()
    name = serializers.CharField()
    unit = serializers.CharField()
    amount = AmountField()
    waiting = AmountField(help_text="What pending postings would add or take.")
    expires_next_at = WhenField(allow_null=True)
    expiring = AmountField(help_text="How much expires then.")


class BalancesSerializer(serializers.Serializer):
    """A member's balances, as they are at an instant."""

    member = ShownIdField()
    as_of = WhenField()
    balances = BalanceSerializer(many=True)


class LotSerializer(serializers.Serializer):
    """A credit of which something is left."""

    entry = serializers.UUIDField()
    earned_at = WhenField()
    expires_at = WhenField(allow_null=True)
    amount = AmountField()
    left = AmountField()


class LotsSerializer(serializers.Serializer):
    """The credits of a balance, oldest first: that is how they are spent."""

    member = ShownIdField()
    balance_definition = ShownIdField()
    as_of = WhenField()
    lots = LotSerializer(many=True)


class StepSerializer(serializers.Serializer):
    """How much there is of one thing that the next tier asks for."""

    measure = serializers.CharField(help_text="WINDOW, LIFETIME, CURRENT or PERIOD.")
    months = serializers.IntegerField(
        allow_null=True, help_text="Of a window; null is the calendar year."
    )
    balance_definition = ShownIdField()
    amount = AmountField()
    needed = AmountField()
    left = AmountField()
    percent = serializers.IntegerField()
    is_choice = serializers.BooleanField(
        help_text="Whether other conditions may stand in for it."
    )


class ProgressSerializer(serializers.Serializer):
    """How far a member is from the next tier of a group."""

    group = ShownIdField()
    tier = ShownIdField(allow_null=True)
    next_tier = ShownIdField(
        allow_null=True, help_text="Null: there is no higher one that points lead to."
    )
    is_reached = serializers.BooleanField(
        help_text="Everything is there: they move up when they are looked at next."
    )
    steps = StepSerializer(many=True)


class ProgressOfAllSerializer(serializers.Serializer):
    """The way to the next tier in each group of the program."""

    member = ShownIdField()
    as_of = WhenField()
    groups = ProgressSerializer(many=True)


class MemberReads(RunningView):
    """What a member has and what comes next."""

    tag = "Members"
    filter_backends = ()
    asks: ClassVar = {
        "balances": VIEW_ENTRIES,
        "lots": VIEW_ENTRIES,
        "progress": VIEW_MEMBERS,
    }
    answers: ClassVar = {
        "balances": BalancesSerializer,
        "lots": LotsSerializer,
        "progress": ProgressOfAllSerializer,
    }
    parameters: ClassVar = {"lots": (OF_BALANCE,)}

    def get_queryset(self) -> Any:
        return self.members()

    def find(self, pk: int) -> tuple[Member, dict[int, Any]]:
        """Return a member, with the balances of their program."""
        member: Member = get_object_or_404(self.get_queryset(), pk=pk)
        found = BalanceDefinition.objects.filter(program=member.program_id)
        return member, {each.pk: each for each in found.with_live().order_by("pk")}

    @action(detail=True)
    def balances(self, request: Request, pk: int) -> Response:
        """Get a member's balances; what has expired is gone, recorded or not."""
        member, definitions = self.find(pk)
        now = timezone.now()
        amounts = outlook.balances(member, as_of=now)
        waiting = outlook.waiting(member, as_of=now)
        expiries = outlook.expiries(member, as_of=now)
        shown = []
        for definition in definitions.values():
            if definition.live_unit is None and definition.pk not in amounts:
                continue
            scale, expiry = definition.scale, expiries.get(definition.pk)
            shown.append(
                {
                    "balance_definition": definition.pk,
                    "name": str(definition),
                    "unit": definition.live_unit or "",
                    "amount": running.written(amounts.get(definition.pk, 0), scale),
                    "waiting": running.written(waiting.get(definition.pk, 0), scale),
                    "expires_next_at": expiry and expiry.at,
                    "expiring": running.written(expiry.amount if expiry else 0, scale),
                }
            )
        document = {"member": pk, "as_of": now, "balances": shown}
        return Response(BalancesSerializer(document).data)

    @action(detail=True)
    def lots(self, request: Request, pk: int) -> Response:
        """Get the credits of which something is left, oldest first."""
        member, definitions = self.find(pk)
        definition = self._balance(request, definitions)
        now = timezone.now()
        found = outlook.open_lots(member, definition.pk, as_of=now)
        lots = [
            {
                "entry": lot.key,
                "earned_at": lot.earned_at,
                "expires_at": lot.expires_at,
                "amount": running.written(lot.amount, definition.scale),
                "left": running.written(lot.left, definition.scale),
            }
            for lot in found
        ]
        document = {
            "member": pk,
            "balance_definition": definition.pk,
            "as_of": now,
            "lots": lots,
        }
        return Response(LotsSerializer(document).data)

    def _balance(self, request: Request, definitions: dict[int, Any]) -> Any:
        sent = request.query_params.get("balance_definition")
        if sent is None:
            return next(d for d in definitions.values() if d.built_in == "POINTS")
        pk = filters.number("balance_definition", sent)
        if pk not in definitions:
            raise InvalidQuery(running.not_found("balance_definition").detail)
        return definitions[pk]

    @action(detail=True)
    def progress(self, request: Request, pk: int) -> Response:
        """Get the way to the next tier, by the rules and lines that decide it."""
        member, definitions = self.find(pk)
        now = timezone.now()
        ladders = rules.ladders_of(judging.groups_of(member.program_id))
        standings = Standing.objects.filter(member=member)
        held = dict(standings.values_list("group_id", "tier_id"))
        lines = facts.lines_of([member.pk], ladders.values()).get(member.pk, [])
        groups = []
        for group, all_rules in sorted(ladders.items()):
            begun = [ladder for ladder in all_rules if ladder.starts_at <= now]
            if begun:
                way = progress(begun[-1], lines, held.get(group), now)
                steps = way.steps if way else ()
                groups.append(
                    {
                        "group": group,
                        "tier": held.get(group),
                        "next_tier": way and way.tier,
                        "is_reached": bool(way and way.is_reached),
                        "steps": [_step(step, definitions) for step in steps],
                    }
                )
        return Response(_document(pk, now, groups))


def _document(pk: int, now: datetime, groups: list[Any]) -> Any:
    document = {"member": pk, "as_of": now, "groups": groups}
    return ProgressOfAllSerializer(document).data


def _step(step: Step, definitions: dict[int, Any]) -> dict[str, Any]:
    scale = definitions[step.measure.balance].scale
    return {
        "measure": step.measure.kind,
        "months": step.measure.months,
        "balance_definition": step.measure.balance,
        "amount": running.written(step.amount, scale),
        "needed": running.written(step.needed, scale),
        "left": running.written(step.left, scale),
        "percent": step.percent,
        "is_choice": step.is_choice,
    }
