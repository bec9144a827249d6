"""A site of Wix's, who asks about it, and documents to compare with."""

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

from loyalty.models import Program
from tests import factories, scenes
from tests.tiers.api.conftest import assert_same
from tiers import direct
from tiers.models import Tier

PAYLOADS = Path(__file__).with_name("payloads")
SITE = UUID("22222222-2222-4222-8222-222222222222")
NOBODYS = UUID("99999999-9999-4999-8999-999999999999")
NOW = datetime(2026, 3, 1, 9, 30, 0, 123456, tzinfo=UTC)
LEVELS = (("Silver", 500), ("Gold", 1500), ("Lakeside", 4000))
ICON = {"url": "https://example.org/gold.svg"}


@scenes.kept
def store(maya: User) -> Program:
    """A site with three tiers, active, twelve months, "Welcome" for everybody else."""
    with time_machine.travel(factories.LONG_AGO, tick=False):
        program = direct.begin_program(
            SITE,
            by=maya,
            source="WIX",
            name="Lakeside Store",
            tier_name_rule="EXACT",
            status="ACTIVE",
            base_tier_name="Welcome",
            base_tier_description="Everybody begins here.",
        )
        direct.add_tiers(
            program,
            [
                {"name": name, "threshold": threshold, "icon": ICON}
                for name, threshold in LEVELS
            ],
            by=maya,
        )
        for number, tier in enumerate(Tier.objects.order_by("pk"), start=1):
            tier.uuid = tier_id(number)
            tier.save(update_fields=["uuid"])
    return program


def tier_id(number: int) -> UUID:
    return UUID(f"aaaaaaaa-0000-4000-8000-{number:012d}")


SILVER, GOLD, LAKESIDE = tier_id(1), tier_id(2), tier_id(3)


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
    """Ask the way that the vendor's client does, with everything that it sends."""

    def send(
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = key,
        site: Any = SITE,
        **headers: Any,
    ) -> Any:
        if token is not None:
            headers["Authorization"] = token
        if site is not None:
            headers["wix-site-id"] = str(site)
        options: dict[str, Any] = {"headers": headers}
        if body is not None:
            text = body if isinstance(body, str | bytes) else json.dumps(body)
            options |= {"data": text, "content_type": "application/json"}
        return getattr(client, method.lower())(path, **options)

    # A client whose view breaks answers 500, as a server would.
    client.raise_request_exception = False
    return send


@pytest.fixture
def frozen() -> Any:
    """Stop the clock at noon of the day after the store opened, in the test."""
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
    assert response.headers["X-Wix-Request-Id"]


def refused(response: Any, status: int, code: str) -> dict[str, Any]:
    """Expect an application error with a sentence; return it."""
    document = response.json()
    error: dict[str, Any] = document["details"]["applicationError"]
    assert (response.status_code, error["code"]) == (status, code), document
    assert set(error) == {"code", "description", "data"}
    assert set(document) == {"message", "details"}
    assert error["description"].endswith("."), error
    return error


def violations(response: Any) -> dict[str, str]:
    """Expect a validation error; return its rules by field."""
    document = response.json()
    assert response.status_code == 400, document
    assert document["message"] == "validation failed"
    found = document["details"]["validationError"]["fieldViolations"]
    assert all(v["description"].endswith(".") for v in found), found
    return {v["field"]: v["violatedRule"] for v in found}
