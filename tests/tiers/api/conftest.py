"""What tests of the API share: somebody who asks, and documents to compare with."""

import base64
import difflib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

PAYLOADS = Path(__file__).with_name("payloads")


def basic(name: str, password: str = "demo") -> str:  # noqa: S107
    """Return the Authorization header of a person."""
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


@pytest.fixture
def ask(client: Client) -> Callable[..., Any]:
    """Ask for ``/v3/tiers`` as somebody; the query is a dict, or a text sent as it is."""

    def get(query: dict[str, Any] | str = "", by: User | None = None) -> Any:
        headers = {"Authorization": basic(by.username)} if by else {}
        if isinstance(query, str):
            return client.get(f"/v3/tiers?{query}", headers=headers)
        return client.get("/v3/tiers", query, headers=headers)

    # A client whose view breaks answers 500, as a server would.
    client.raise_request_exception = False
    return get


@pytest.fixture
def payload() -> Callable[..., Any]:
    """Load a document from ``payloads``; ``"$name"`` in it stands for what is given."""

    def load(name: str, **values: Any) -> Any:
        text = (PAYLOADS / f"{name}.json").read_text()
        filled = re.sub(r'"\$(\w+)"', lambda m: json.dumps(values[m[1]]), text)
        return json.loads(filled)

    return load


def assert_same(sent: Any, expected: Any) -> None:
    """Compare whole documents, and name the lines that differ."""
    before, after = (
        json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False).splitlines()
        for document in (expected, sent)
    )
    if sent != expected:
        difference = difflib.unified_diff(
            before, after, "expected", "sent", lineterm=""
        )
        pytest.fail("\n".join(difference), pytrace=False)


@pytest.fixture
def call(client: Client) -> Callable[..., Any]:
    """Send a JSON body as somebody; bytes are sent as they are, None is no body."""
    client.raise_request_exception = False

    def send(
        method: str, path: str, body: Any = None, *, by: User, **headers: str
    ) -> Any:
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return client.generic(
            method,
            path,
            b"" if body is None else sent,
            content_type=named.pop("Content-Type", "application/json"),
            headers={"Authorization": basic(by.username)} | named,
        )

    return send
