"""A club as Brevo's clients know it, who asks about it, and documents to compare with."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client

from loyalty.models import BalanceDefinition, Program
from tests import factories, scenes
from tests.tiers.api.conftest import assert_same
from tiers import direct, program_draft
from tiers.models import Tier, TierGroup

PAYLOADS = Path(__file__).with_name("payloads")
CLUB = UUID("11111111-1111-4111-8111-111111111111")
NOBODYS = UUID("99999999-9999-4999-8999-999999999999")
NOW = datetime(2026, 3, 1, 9, 30, 0, 123456, tzinfo=UTC)
LEVELS = (("Member", 0), ("Silver", 500), ("Gold", 1500))


def numbered(letter: str, number: int) -> UUID:
    return UUID(f"{letter * 8}-0000-4000-8000-{number:012d}")


STATUS = numbered("b", 1)
MEMBER, SILVER, GOLD = (numbered("a", number) for number in (1, 2, 3))
POINTS, PURCHASES, VISITS = (numbered("c", number) for number in (1, 2, 3))


@scenes.kept
def club(maya: User) -> Program:
    """A published program: Member from nothing, Silver from 500, Gold from 1,500."""
    with time_machine.travel(factories.LONG_AGO, tick=False):
        program = direct.begin_program(
            CLUB,
            by=maya,
            source="BREVO",
            name="Corner Shop Club",
            description="Points for every purchase.",
            status="DISABLED",
            tier_name_rule="NONE",
        )
        balances = BalanceDefinition.objects.filter(program=program)
        for number, balance in enumerate(balances.order_by("pk"), start=1):
            balance.uuid = numbered("c", number)
            balance.save(update_fields=["uuid"])
        points = balances.get(built_in="POINTS")
        group = program_draft.add_group(program, by=maya, name="Status").group
        for name, least in LEVELS:
            asked = [{"balance_definition": points.pk, "minimum": least}]
            program_draft.add_tier(group, by=maya, name=name, access_conditions=asked)
        program_draft.publish(program, by=maya)
        TierGroup.objects.filter(pk=group.pk).update(uuid=STATUS)
        for number, tier in enumerate(Tier.objects.order_by("pk"), start=1):
            tier.uuid = numbered("a", number)
            tier.save(update_fields=["uuid"])
    return program


@scenes.kept
def key(maya: User) -> str:
    """A key that may do everything that Maya may."""
    return make_key(maya)


def make_key(
    owner: User, *scopes: str, program: Program | None = None, **options: Any
) -> str:
    return factories.make_key(owner, *scopes, program=program, **options)[1]


Call = Callable[..., Any]


@pytest.fixture
def call(client: Client, key: str) -> Call:
    """Ask for an address below ``/v3`` the way that the vendor's clients do."""

    def send(
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = key,
        **headers: Any,
    ) -> Any:
        if token is not None:
            headers["api-key"] = token
        options: dict[str, Any] = {"headers": headers}
        if body is not None and method != "GET":
            text = body if isinstance(body, str | bytes) else json.dumps(body)
            options |= {"data": text, "content_type": "application/json"}
        return getattr(client, method.lower())(f"/v3{path}", **options)

    # A client whose view breaks answers 500, as a server would.
    client.raise_request_exception = False
    return send


@pytest.fixture
def frozen() -> Any:
    """Stop the clock, in the test."""
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


def payload(name: str, **values: Any) -> Any:
    """Load a document; ``"$name"`` in it stands for what is given."""
    text = (PAYLOADS / f"{name}.json").read_text()
    filled = re.sub(r'"\$(\w+)"', lambda m: json.dumps(values[m[1]]), text)
    return json.loads(filled)


def expect(response: Any, status: int, name: str, **values: Any) -> None:
    """Compare a whole answer with a document."""
    assert response.headers["Content-Type"] == "application/json", response.content
    assert_same(response.json(), payload(name, **values))
    assert response.status_code == status


def refused(response: Any, status: int, code: str) -> dict[str, Any]:
    """Expect a refusal with a sentence; return the document."""
    document: dict[str, Any] = response.json()
    assert (response.status_code, document["code"]) == (status, code), document
    assert set(document) - {"errors", "link"} == {"message", "code"}
    assert document["message"].endswith("."), document
    return document


def violations(response: Any) -> dict[str, str]:
    """Expect a refusal of what was sent; return the rules by field."""
    document = response.json()
    assert response.status_code == 422, document
    assert all(v["error"].endswith(".") for v in document["errors"]), document
    return {v["path"]: v["rule"] for v in document["errors"]}
