"""Who may do what: every address, asked as every role, answers as the matrix says.

The matrix is data (``matrix.txt``); what is asked stands in ``questions``. To an answer
that is a refusal belongs that nothing was stored, to a success that something was,
where the matrix says so; and a stranger to a program cannot tell it from none at all.
"""

from functools import cache
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.admin import site
from django.db import connection
from django.http import HttpResponse
from django.urls import get_resolver, path
from drf_spectacular.generators import SchemaGenerator

from approvals import ui
from approvals.admin.things import ThingAdmin
from approvals.transitions import TRANSITIONS
from loyalty.admin.member_acts import STEPS
from loyalty.programs import SWITCHES
from tests import counts, scenes
from tiers.api.access import HasPermission

from . import comparing, matrix, questions, routes, scene
from .asking import Asker, Question, leave_pages_blank
from .scene import World

ROWS = matrix.read()
SECTIONS = list(dict.fromkeys(row.section for row in ROWS))


@scenes.kept
def world() -> World:
    return scene.make()


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch, settings: LazySettings) -> None:
    """Ask more often than anybody may, and render only what is searched."""
    settings.API_CALLER_LIMIT = settings.API_ADDRESS_LIMIT = 0
    leave_pages_blank(monkeypatch)
    monkeypatch.setattr(SchemaGenerator, "get_schema", _schema_once)


_get_schema = SchemaGenerator.get_schema


@cache
def _the_schema() -> Any:
    return _get_schema(SchemaGenerator(), public=True)


def _schema_once(generator: Any, request: Any = None, public: bool = True) -> Any:
    """It takes seconds to describe the API, and it is the same for everybody."""
    assert public
    return _the_schema()


def rows(*parts: str) -> list[matrix.Row]:
    return [row for row in ROWS if any(part in str(row) for part in parts)]


@pytest.mark.proof
@pytest.mark.parametrize("section", SECTIONS)
def test_everybody_is_answered_as_the_matrix_says(world: World, section: str) -> None:
    own = [row for row in ROWS if row.section == section]
    if not counts.FULL:
        # In every-day runs an eighth of the rows, of each engine another one.
        own = own[4 if connection.vendor == "postgresql" else 0 :: 8]
    differences = comparing.differences(world, own)
    assert not differences, "\n" + "\n".join(differences)


# Nothing is left out


def missing(resolver: Any = None) -> list[str]:
    there = {row.key for row in ROWS}
    return sorted(" ".join(key) for key in routes.routes(resolver) - there)


def test_every_address_is_in_the_matrix() -> None:
    assert missing() == []


def test_the_matrix_has_no_address_that_is_not_there() -> None:
    gone = {row.key for row in ROWS} - routes.routes()
    assert sorted(gone) == []


def test_an_address_that_is_added_is_missed() -> None:
    new = path("api/v1/everything", lambda request: HttpResponse())
    patterns = [*get_resolver().url_patterns, new]
    added = SimpleNamespace(url_patterns=patterns)
    assert missing(added) == ["GET api/v1/everything", "POST api/v1/everything"]


def said(name: str) -> set[tuple[str, str]]:
    return {
        (row.pattern, value)
        for row in ROWS
        for word, value in row.words
        if word == name
    }


def test_every_action_on_a_list_is_in_the_matrix() -> None:
    assert said("action") == routes.actions()


def test_every_field_that_is_completed_is_in_the_matrix() -> None:
    assert {field for _, field in said("field")} == routes.autocompleted()


def test_every_verb_that_is_answered_is_in_the_matrix(world: World) -> None:
    listed = {key for key in said("verb") if key[0].endswith("lifecycle/<slug:verb>/")}
    patterns = {pattern for pattern, _ in listed}
    assert patterns == {
        pattern
        for _, pattern in routes.routes()
        if pattern.endswith("lifecycle/<slug:verb>/")
    }
    verbs = {verb for _, verb in listed} | {*TRANSITIONS, *SWITCHES, *STEPS}
    sue = Asker("SUP", world.people["SUP"])
    for pattern in patterns:
        row = matrix.Row("", "GET", pattern, (), "", ())
        ids = questions.Ids(dict(world.things))
        model = questions.model_of(row)
        for verb in verbs:
            values = {"pk": ids[model], "verb": verb}
            answer = sue.ask(Question("GET", questions.fill(pattern, values)))
            is_there = answer.status != "404"
            assert is_there == ((pattern, verb) in listed), f"{pattern} {verb}"


def test_what_nobody_may_do_has_a_reason() -> None:
    assert [str(row) for row in ROWS if not row.succeeds and not row.why] == []


# What is wider than the matrix is noticed


def test_a_right_that_is_not_asked_for_is_noticed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    begins = rows("GET admin/tiers/tier/add/")
    assert comparing.differences(world, begins) == []
    monkeypatch.setattr(ThingAdmin, "has_add_permission", lambda *asked: True)
    found = comparing.differences(world, begins)
    assert any("AUD is answered" in difference for difference in found)


def test_a_scope_that_is_not_asked_for_is_noticed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists = rows("GET v3/tiers")
    monkeypatch.setattr(HasPermission, "has_permission", lambda *asked: True)
    found = comparing.differences(world, lists)
    assert any("K0 is answered 200, not 403" in difference for difference in found)


def test_a_list_that_is_not_scoped_is_noticed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = rows("GET admin/loyalty/member/")
    assert comparing.differences(world, member) == []
    monkeypatch.setattr(ui, "scope", lambda queryset, user, path: queryset)
    found = comparing.differences(world, member)
    assert any("OUT reads of Xanadu" in difference for difference in found)
    assert any("OUT can tell what is not theirs" in d for d in found)


def test_every_model_in_the_admin_is_asked_about(world: World) -> None:
    there = {name for name in world.things if "." in name and " " not in name}
    assert there == {model._meta.label_lower for model in site._registry}


# Refusals are on record


@pytest.mark.parametrize(
    ("role", "request_"),
    [
        ("AUD", "POST admin/loyalty/member/<int:pk>/lifecycle/<slug:verb>/ verb=close"),
        ("AUD", "POST v3/tiers"),
        ("KR", "POST v3/tiers"),
        ("KR", "POST api/v1/tiers"),
    ],
)
def test_a_refusal_is_logged_with_who_was_refused(
    world: World, caplog: pytest.LogCaptureFixture, role: str, request_: str
) -> None:
    (row,) = (row for row in ROWS if str(row) == request_)
    person = world.people["owner" if role in matrix.KEYS else role]
    asker = Asker(role, world.people.get(role), world.secrets.get(role, ""))
    question = questions.question(row, questions.Ids(world.things))
    with caplog.at_level("INFO"):
        assert asker.ask(question).status == "403"
    logged = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    (finished,) = (line for line in logged if line["event"] == "request_finished")
    assert (finished["code"], finished["user_id"]) == (403, person.pk)
