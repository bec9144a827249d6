"""What the stories of the ledger ask again and again."""

from datetime import datetime
from typing import Any

from django.contrib.auth.models import User

from approvals import lifecycle
from loyalty.models import Balance, BalanceDefinition, Member
from tests import factories

SHOP: dict[str, Any] = {"source": "shop", "by": None}


def balance_of(member: Member, definition: BalanceDefinition) -> int:
    row = Balance.objects.filter(member=member, balance_definition=definition).first()
    return row.amount if row else 0


def amounts_of(member: Member) -> dict[int, int]:
    """Return a member's balances by definition."""
    balances = Balance.objects.filter(member=member)
    return dict(balances.values_list("balance_definition_id", "amount"))


def set_rules(
    definition: BalanceDefinition,
    maya: User,
    chen: User,
    *,
    since: datetime | None = None,
    **rules: Any,
) -> None:
    """Change what a balance definition allows, approved as it should be."""
    live = definition.versions.live().get()
    draft = lifecycle.draft_change(live, by=maya, changes=rules)
    change_set = lifecycle.submit([draft], by=maya, at=since)
    factories.approve(change_set, chen, **({"at": since} if since else {}))
