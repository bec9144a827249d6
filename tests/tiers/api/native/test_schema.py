"""The description of our own voice: complete, and true of what is sent."""

import json
from typing import Any

import pytest
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from tests.tiers.api.native.conftest import PAYLOADS
from tiers.api.native.problems import FIELD_PROBLEMS, PROBLEMS
from tiers.api.native.urls import router

#: What each document is, by the name of its file.
SCHEMAS = {
    "balance_definition": "BalanceDefinition",
    "change_set_approved": "OneChangeSet",
    "change_set_submitted": "OneChangeSet",
    "difference": "Difference",
    "programs": "PaginatedProgramList",
    "refusal_400": "Problem",
    "refusal_403": "Problem",
    "refusal_409_already_decided": "Problem",
    "refusal_409_content_changed": "Problem",
    "tier": "Tier",
    "tier_draft": "TierVersion",
    "tier_group": "TierGroup",
}
PLACEHOLDERS = {
    "uuid": "11111111-1111-4111-8111-111111111111",
    "changed": "2026-03-01T09:30:00Z",
    "made": "2026-03-01T09:30:00Z",
    "counted": "2026-03-01T09:30:00Z",
    "submitted": "2026-03-01T09:30:00Z",
    "decided": "2026-03-01T09:30:00Z",
    "sentence": "chen approved this change.",
    "unique_id": "ut-1-003",
    "fingerprint": "0" * 64,
    "hash": "0" * 64,
}


@pytest.fixture(scope="module")
def document() -> Any:
    return SchemaGenerator().get_schema(request=None, public=True)


def operations(document: Any) -> dict[Any, Any]:
    return {
        (method, path): operation
        for path, methods in document["paths"].items()
        if path.startswith("/api/v1/")
        for method, operation in methods.items()
    }


def test_every_route_is_described_under_a_name_of_its_own(document):
    described = operations(document)
    views: list[Any] = [pattern.callback for pattern in router.urls]
    routes = [method for view in views for method in view.actions if method != "head"]
    assert len(described) == len(routes)
    names = [operation["operationId"] for operation in described.values()]
    assert len(set(names)) == len(names)
    assert all(name.replace("_", "").isalnum() for name in names)
    for (_method, path), operation in described.items():
        assert operation["description"], path
        assert len(operation["tags"]) == 1


def test_every_refusal_is_described_as_a_problem(document):
    for (method, path), operation in operations(document).items():
        answers = operation["responses"]
        expected = {"400", "406", "429"}
        if operation["tags"] != ["Problems"]:
            expected |= {"401", "403"}
            assert operation["security"] == [
                {"apiKey": []},
                {"basicAuth": []},
                {"session": []},
            ]
        if "{" in path:
            expected.add("404")
        if method == "get":
            expected.add("304")
        assert expected <= set(answers), (method, path)
        for status, answer in answers.items():
            if int(status) >= 400:
                assert set(answer["content"]) == {"application/problem+json"}
            if status != "304":
                assert "X-Request-Id" in answer["headers"], (method, path, status)


def test_what_edits_have_to_name_is_described(document):
    described = operations(document)
    patch = described["patch", "/api/v1/tiers/{id}/draft"]
    headers = {p["name"]: p for p in patch["parameters"] if p["in"] == "header"}
    assert headers["If-Match"]["required"]
    assert {"412", "428"} <= set(patch["responses"])
    approve = described["post", "/api/v1/change-sets/{id}/approve"]
    headers = {p["name"]: p for p in approve["parameters"] if p["in"] == "header"}
    assert not headers["If-Match"].get("required")
    create = described["post", "/api/v1/tiers"]
    assert "Idempotency-Key" in {p["name"] for p in create["parameters"]}
    assert set(create["responses"]["201"]["headers"]) >= {"ETag", "Location"}


def test_every_parameter_of_a_list_is_described(document):
    tiers = operations(document)["get", "/api/v1/tiers"]
    named = {p["name"]: p for p in tiers["parameters"] if p["in"] == "query"}
    assert set(named) == {
        "changed_since",
        "cursor",
        "entry",
        "group",
        "limit",
        "measure",
        "ordering",
        "program",
        "search",
        "status",
        "threshold_max",
        "threshold_min",
    }
    assert all(p["description"] for p in named.values())
    assert named["program"]["schema"] == {"type": "integer"}
    assert "RETIRED" in named["status"]["schema"]["enum"]


@pytest.mark.parametrize(("name", "schema"), SCHEMAS.items())
def test_documents_are_as_described(name, schema, document):
    text = (PAYLOADS / f"{name}.json").read_text()
    for placeholder, value in PLACEHOLDERS.items():
        text = text.replace(f'"${placeholder}"', json.dumps(value))
    sent = json.loads(text, object_hook=_numbers)
    Draft202012Validator(
        {
            "$ref": f"#/components/schemas/{schema}",
            "components": document["components"],
        }
    ).validate(sent)


def _numbers(found: dict[str, Any]) -> dict[str, Any]:
    """Put a number for each placeholder that is left; object ids are text."""
    return {
        key: (
            ("0" * 24 if key == "object_id" else 1)
            if isinstance(value, str) and value.startswith("$")
            else value
        )
        for key, value in found.items()
    }


def test_the_document_says_all_codes_and_what_each_voice_supports(document):
    text = document["info"]["description"]
    for code in (*PROBLEMS, *FIELD_PROBLEMS):
        assert f"`{code}`" in text
    assert "Idempotency-Key" in text
    said = {tag["name"]: tag.get("description", "") for tag in document["tags"]}
    for voice in ("Capillary: /v3/tiers", "Brevo", "Wix"):
        assert "Supported" in said[voice] or "supported" in said[voice].lower()
    enum = document["components"]["schemas"]["ProblemCode"]["enum"]
    assert enum == list(PROBLEMS)
