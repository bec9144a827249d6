"""A member with the tiers they hold, held, and are on the way to."""

from typing import Any

from django.http import HttpRequest

from approvals.admin.acts import Act
from loyalty.admin.member_page import Part
from loyalty.admin.members import MemberAdmin

from . import acts_by_hand, standing
from .recalculation import recalculate_member_act, recalculate_member_button


class MemberWithTiersAdmin(MemberAdmin):
    def parts(self, request: HttpRequest, member: Any) -> list[Part]:
        book = standing.Book.of(member)
        balances, ledger, membership, events = super().parts(request, member)
        as_known_then = request.GET.get("known") == "then"
        return [
            *standing.cards(book, request.user),
            balances,
            ledger,
            standing.history(book, as_known_then=as_known_then),
            standing.by_hand(book),
            membership,
            events,
        ]

    def buttons(self, request: HttpRequest, member: Any) -> list[Any]:
        return [
            *super().buttons(request, member),
            *recalculate_member_button(request, member),
        ]

    def act(self, request: HttpRequest, member: Any, verb: str) -> Act | None:
        if verb == "recalculate":
            return recalculate_member_act(request, member)
        return acts_by_hand.act(request, member, verb) or super().act(
            request, member, verb
        )
