"""The description of this voice: every operation once, and its documents are as said."""

import pytest
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from tests.tiers.api.brevo.conftest import PAYLOADS, payload

#: The schema of a document, by the beginning of its name.
SCHEMAS = {
    "refusal": "Refusal",
    "groups": "TierGroupList",
    "group": "TierGroup",
    "tiers": "TierList",
    "tier": "Tier",
    "assigned": "Assignment",
    "programs": "ProgramList",
    "program": "LoyaltyProgram",
    "reward": "Reward",
}
#: Empty lists, of whatever.
ANY = {"none"}
NAMES = sorted(
    path.stem
    for path in PAYLOADS.glob("*.json")
    if path.stem.startswith(tuple(SCHEMAS)) and path.stem not in ANY
)
VALUES = {
    "id": "dddddddd-0000-4000-8000-000000000001",
    "reward": "dddddddd-0000-4000-8000-000000000002",
    "contact": 7,
    "sentence": "Not now.",
    "link": "https://example.org/admin/",
}
TIER_CALLS = {
    "createTierGroup": {400, 404, 409},
    "getListOfTierGroups": {404},
    "getTierGroup": {404},
    "updateTierGroup": {404},
    "deleteTierGroup": {404, 409},
    "createTierForTierGroup": {404},
    "getLoyaltyProgramTier": {404},
    "updateTier": {404},
    "deleteTier": {404},
    "addSubscriptionToTier": {404, 409, 424},
}


@pytest.fixture(scope="module")
def document():
    return SchemaGenerator().get_schema(request=None, public=True)


@pytest.fixture(scope="module")
def operations(document):
    return {
        operation["operationId"].removeprefix("brevo_"): (path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if isinstance(operation, dict) and "Brevo" in operation.get("tags", ())
    }


def test_every_call_is_described_once_and_without_a_slash(operations):
    assert set(TIER_CALLS) <= set(operations)
    assert not any(path.endswith("/") for path, _ in operations.values())
    path, _ = operations["addSubscriptionToTier"]
    assert path == "/v3/loyalty/tier/programs/{pid}/contacts/{cid}/tiers/{tid}"


@pytest.mark.parametrize("name", TIER_CALLS)
def test_calls_fail_as_the_vendors_clients_know(operations, name):
    _path, operation = operations[name]
    statuses = {int(status) for status in operation["responses"]} - {429}
    success = 204 if name.startswith("delete") else 200
    assert statuses == {success, 401, 403, 422} | TIER_CALLS[name]


@pytest.mark.parametrize("name", NAMES)
def test_documents_are_as_described(document, name):
    schema = next(word for start, word in SCHEMAS.items() if name.startswith(start))
    validator = Draft202012Validator(
        {
            "$ref": f"#/components/schemas/Brevo{schema}",
            "components": document["components"],
        }
    )
    sent = payload(name, **VALUES)
    assert [error.message for error in validator.iter_errors(sent)] == []
