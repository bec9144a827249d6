"""The description of this voice: every operation once, and its documents are as said."""

import pytest
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from tests.tiers.api.wix.conftest import PAYLOADS, payload

#: The schema of a document, by the beginning of its name.
SCHEMAS = {
    "refusal": "Refusal",
    "account_": "AccountAnswer",
    "accounts": "QueryAnswer",
    "earned": "PostedAnswer",
    "adjusted": "PostedAnswer",
    "transaction_": "TransactionAnswer",
    "transactions": "TransactionsAnswer",
    "totals": "TotalsAnswer",
    "bulk": "BulkAnswer",
    "program": "ProgramAnswer",
    "settings": "SettingsAnswer",
    "tiers": "TiersAnswer",
    "tier": "TierAnswer",
}
NAMES = sorted(path.stem for path in PAYLOADS.glob("*.json"))
ANY_ID = dict.fromkeys(
    ("id", "contact", "transaction", "earned", "redeemed", "refunded", "reversed"),
    "dddddddd-0000-4000-8000-000000000001",
)


@pytest.fixture(scope="module")
def document():
    return SchemaGenerator().get_schema(request=None, public=True)


def test_every_call_of_the_vendors_is_described_once(document):
    found = {
        operation["operationId"].removeprefix("wix_"): path
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if isinstance(operation, dict) and "Wix" in operation.get("tags", ())
    }
    assert len(found) == 22
    assert not any(path.startswith("/_api/") for path in found.values())
    assert found["earnPoints"].startswith("/loyalty-accounts/v1/accounts/")


@pytest.mark.parametrize("name", NAMES)
def test_documents_are_as_described(document, name):
    schema = next(word for start, word in SCHEMAS.items() if name.startswith(start))
    validator = Draft202012Validator(
        {
            "$ref": f"#/components/schemas/Wix{schema}",
            "components": document["components"],
        }
    )
    assert [
        error.message for error in validator.iter_errors(payload(name, **ANY_ID))
    ] == []
