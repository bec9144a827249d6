"""What shows that nothing was written, and that all that is there can be read."""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from tests import checkers
from tests.tiers.api.native.catalogue import Ids, Write, views
from tests.tiers.api.native.conftest import API

#: Pages of the admin that show what this voice writes.
PAGES = (
    "approvals/changeset",
    "loyalty/balancedefinition",
    "loyalty/contact",
    "loyalty/member",
    "loyalty/pointsentry",
    "loyalty/program",
    "tiers/override",
    "tiers/tier",
    "tiers/tiergroup",
)


def lists() -> dict[str, Any]:
    """Return the view of each list that needs no id, by its address."""
    return {
        route: view
        for _method, route, name, view in views()
        if name.endswith(" list") and "<" not in route and "problems" not in route
    }


@cache
def validators() -> dict[str, Any]:
    """Return what each list is described as, by its address."""
    document = SchemaGenerator().get_schema(request=None, public=True)
    found = {}
    for route in lists():
        answer = document["paths"][f"{API}/{route}"]["get"]["responses"]["200"]
        schema = answer["content"]["application/json"]["schema"]
        found[route] = Draft202012Validator(
            {**schema, "components": document["components"]}
        )
    return found


@pytest.fixture
def unchanged(ids: Ids) -> Iterator[None]:
    """Expect that a test writes nothing at all."""
    with checkers.nothing_is_written():
        yield


@pytest.fixture
def sue(ids: Ids) -> User:
    """Somebody who may do everything, and had no hand in anything."""
    return User.objects.get(username="sue")


@pytest.fixture
def read_lists(call: Any, sue: User) -> Callable[[], dict[str, Any]]:
    """Read all lists, and hold them to their description."""

    def read() -> dict[str, Any]:
        found = {}
        for route in lists():
            answer = call("GET", route, by=sue)
            assert answer.status_code == 200, (route, answer.content)
            found[route] = answer.json()
            validators()[route].validate(found[route])
        return found

    return read


@pytest.fixture
def read_everything(call: Any, sue: User, read_lists: Any) -> Callable[[], None]:
    """Read all lists, the latest of each one by one, and pages of the admin."""
    person = Client(raise_request_exception=False)
    person.force_login(sue)

    def read() -> None:
        for route, document in read_lists().items():
            rows = document["results"]
            for row in rows[-1:] if hasattr(lists()[route], "retrieve") else ():
                one = call("GET", f"{route}/{row['id']}", by=sue)
                assert one.status_code == 200, (route, one.content)
        for page in PAGES:
            assert person.get(f"/admin/{page}/").status_code == 200, page

    return read


@pytest.fixture
def send(call: Any, key: str, sue: User) -> Callable[..., Any]:
    """Send a write, or something else in its place, as who may."""

    def sent(write: Write, body: Any = None, **headers: str) -> Any:
        if "fingerprint" not in (write.body or {}):
            headers.setdefault("If_Match", "*")
        by: Any = sue if write.by_person else key
        body = write.body if body is None else body
        return call(write.method, write.path, body, by=by, **headers)

    return sent
