"""Asks as each of the matrix's roles, and undoes whatever that has done."""

import base64
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.contrib.admin import site
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.template.response import SimpleTemplateResponse
from django.test import Client

from .matrix import KEYS, STRANGERS

VOICES = ("/v3/", "/loyalty-", "/_api/", "/api/v1/")
LOGIN = "/admin/login/?next="
#: Tables that say who was here, whatever the answer was.
PASSING = re.compile(r"django_session|axes_|loyalty_apikey\W+SET\W+last_used_at")
WRITES = re.compile(
    r"(INSERT|REPLACE|UPDATE|DELETE)\b|WITH\b.*\b(INSERT INTO|SET)\b", re.S
)
TOKENS = re.compile(rb'(csrfmiddlewaretoken" value="|nonce=")[^"]+')
#: Headers that tell one request from the next.
OF_THIS_REQUEST = re.compile(
    r"(?i)x-cap-requestid|.*request-id|x-\w*-?ratelimit.*|set-cookie|expires|date"
)


class Silent(Client):
    """Django's test client, without keeping what templates were given."""

    def request(self, **request: Any) -> Any:
        own: Any = self
        return own.handler(own._base_environ(**request))


def leave_pages_blank(patch: Any) -> None:
    """Render the pages of the admin for strangers only, in whose we look for leaks.

    Whether somebody may see a page is known before it is rendered.
    """
    own: Any = SimpleTemplateResponse
    rendered, each_context = own.rendered_content.fget, site.each_context

    def content(response: Any) -> Any:
        request = getattr(response, "_request", None)
        return rendered(response) if is_watched(request) else ""

    def context(request: Any) -> Any:
        return each_context(request) if is_watched(request) else {}

    patch.setattr(SimpleTemplateResponse, "rendered_content", property(content))
    patch.setattr(site, "each_context", context)


def is_watched(request: Any) -> bool:
    return request is None or "X-Watched" in request.headers


@dataclass
class Question:
    """A request as it is sent."""

    method: str
    path: str
    query: dict[str, Any] = field(default_factory=dict)
    #: A dict is a form in the admin, JSON elsewhere.
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Answer:
    status: str
    body: bytes
    headers: dict[str, str]

    def besides(self, ids: dict[str, str]) -> tuple[Any, ...]:
        """Return all of the answer but the ids that were asked for, renamed by ``ids``,
        and what differs from one request to the next."""
        body = TOKENS.sub(rb"\1", self.body).decode(errors="replace")
        if request_id := self.headers.get("X-Request-Id"):
            body = body.replace(request_id, "")
        headers = "\n".join(
            f"{name}: {value}"
            for name, value in sorted(self.headers.items())
            if not OF_THIS_REQUEST.fullmatch(name) and name != "Content-Length"
        )
        for own, nobodys in ids.items():
            pattern = rf"\b{re.escape(own)}\b"
            body, headers = (re.sub(pattern, nobodys, t) for t in (body, headers))
        return self.status, headers, body


class Asker:
    """Asks as somebody, without signing in anew for each request."""

    def __init__(self, role: str, user: User | None = None, secret: str = "") -> None:
        self.role, self.secret = role, secret
        self.name = user.username if user else ""
        self.client = Silent(raise_request_exception=False)
        if user:
            self.client.force_login(user)

    def ask(self, question: Question) -> Answer:
        """Ask, note whether anything was stored, and undo it."""
        with transaction.atomic(), noting_writes() as writes:
            response = self.send(question)
            transaction.set_rollback(True)
        body = b"".join(response) if response.streaming else response.content
        location = response.headers.get("Location", "")
        if response.status_code == 302 and location.startswith(LOGIN):
            status = "L"
        else:
            status = f"{response.status_code}{'+' * bool(writes)}"
        return Answer(status, body, dict(response.headers))

    def send(self, question: Question) -> Any:
        is_voice = question.path.startswith(VOICES)
        options: dict[str, Any] = {}
        if question.body is not None:
            options["data"] = json.dumps(question.body) if is_voice else question.body
            if is_voice:
                options["content_type"] = "application/json"
        headers = question.headers | self.headers(question.path)
        if self.role in STRANGERS:
            headers["X-Watched"] = "yes"
        method = getattr(self.client, question.method.lower())
        return method(
            question.path, headers=headers, query_params=question.query, **options
        )

    def headers(self, path: str) -> dict[str, str]:
        """Return what the clients of each voice say who they are with."""
        if self.role in KEYS:
            if path.startswith(("/loyalty-", "/_api/")):
                return {"Authorization": self.secret}
            if path.startswith(("/v3/loyalty/", "/v3/contacts")):
                return {"api-key": self.secret}
            return {"Authorization": f"Api-Key {self.secret}"}
        if self.name and path.startswith(VOICES):
            pair = base64.b64encode(f"{self.name}:demo".encode()).decode()
            return {"Authorization": f"Basic {pair}"}
        return {}


@contextmanager
def noting_writes() -> Iterator[list[str]]:
    """Note every statement that stores something, but traces of having been here."""
    found: list[str] = []
    before: dict[str, int] = {}

    def note(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        result = execute(sql, params, many, context)
        text = str(sql)
        # What was undone within the request was not stored.
        if text.startswith("SAVEPOINT"):
            before[text.split()[-1]] = len(found)
        elif text.startswith("ROLLBACK TO"):
            del found[before[text.split()[-1]] :]
        # A lost compare-and-swap stores nothing; of rows that an INSERT returns, SQLite
        # has no count.
        stored = text.startswith("INSERT") or context["cursor"].rowcount
        if stored and WRITES.match(text) and not PASSING.search(text):
            found.append(text)
        return result

    with connection.execute_wrapper(note):
        yield found
