"""Who asks our own voice, and documents to compare with."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from loyalty.models import Program
from tests import factories, scenes
from tests.tiers.api.conftest import assert_same, basic
from tiers.api.native.problems import FIELD_PROBLEMS, PROBLEMS

PAYLOADS = Path(__file__).with_name("payloads")
API = "/api/v1"

Call = Callable[..., Any]


@scenes.kept
def key(maya: User) -> str:
    """A key of Maya's with every scope."""
    return factories.make_key(maya)[1]


def make_key(owner: User, *scopes: str, program: Program | None = None) -> str:
    return factories.make_key(owner, *scopes, program=program)[1]


@pytest.fixture
def call(client: Client) -> Call:
    """Ask below ``/api/v1`` as a person or with a key; ``body`` may be bytes."""

    def send(
        method: str,
        path: str,
        body: Any = None,
        *,
        by: User | str | None,
        **headers: str,
    ) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if isinstance(by, str):
            named["Authorization"] = f"Api-Key {by}"
        elif by is not None:
            named["Authorization"] = basic(by.username)
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        return client.generic(
            method,
            path if path.startswith("/") else f"{API}/{path}",
            b"" if body is None else sent,
            content_type=named.pop("Content-Type", "application/json"),
            headers=named,
        )

    # A client whose view breaks answers 500, as a server would.
    client.raise_request_exception = False
    return send


def payload(name: str, **values: Any) -> Any:
    """Load a document; ``"$name"`` in it stands for what is given."""
    text = (PAYLOADS / f"{name}.json").read_text()
    filled = re.sub(r'"\$(\w+)"', lambda m: json.dumps(values[m[1]]), text)
    return json.loads(filled)


def expect(response: Any, status: int, name: str, **values: Any) -> Any:
    """Compare a whole answer with a document; return what was sent."""
    document = response.json()
    assert_same(without_id(response), payload(name, **values))
    assert response.status_code == status
    assert response.headers["X-Request-Id"]
    if status < 300:
        assert response.headers["Content-Type"] == "application/json"
        assert response.headers["ETag"]
    return document


def without_id(response: Any) -> Any:
    """Return an answer's document; the id of the request is in every refusal."""
    text = response.content.decode()
    return json.loads(text.replace(response.headers["X-Request-Id"], "REQUEST"))


def refused(response: Any, status: int, code: str) -> dict[str, Any]:
    """Expect a problem document that the documentation knows; return it."""
    document: dict[str, Any] = response.json()
    assert (response.status_code, document.get("code")) == (status, code), document
    assert response.headers["Content-Type"] == "application/problem+json"
    problem = PROBLEMS[code]
    assert document["type"] == problem.type
    assert document["title"] == problem.title
    assert document["status"] == problem.status == status
    assert document["instance"] == f"urn:uuid:{response.headers['X-Request-Id']}"
    assert document["detail"].endswith((".", "…")), document
    for error in document.get("errors", []):
        assert error["code"] in FIELD_PROBLEMS, error
        assert ("pointer" in error) != ("parameter" in error), error
        assert error["detail"].endswith("."), error
    return document


def errors(response: Any) -> dict[str, str]:
    """Expect an invalid request; return the codes by pointer or parameter."""
    document = refused(response, 400, "invalid_request")
    return {
        error.get("pointer", error.get("parameter")): error["code"]
        for error in document["errors"]
    }
