"""What is said of people and balances in the schema, and that documents keep to it."""

import pytest
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from tests.tiers.api.brevo.conftest import payload

#: The schema of each document.
SCHEMAS = {
    "account": "Account",
    "active_balances": "ActiveBalances",
    "balance_created": "SubscriptionBalance",
    "contact_balances": "ContactBalances",
    "definition_created": "Definition",
    "definition_least": "Definition",
    "definition_updated": "Definition",
    "history": "TransactionHistory",
    "household": "Household",
    "progress": "TierProgress",
    "progress_top": "TierProgress",
    "subscribed": "Subscription",
    "subscription_balances": "SubscriptionBalances",
    "transaction_at_once": "Transaction",
    "transaction_cancelled": "Transaction",
    "transaction_completed": "Transaction",
    "transaction_pending": "Transaction",
}
OPERATIONS = {
    "createContact",
    "subscribeToLoyaltyProgram",
    "deleteContactSubscription",
    "getParameterSubscriptionInfo",
    "subscribeMemberToASubscription",
    "deleteContactMembers",
    "getBalanceDefinitionList",
    "createBalanceDefinition",
    "getBalanceDefinition",
    "updateBalanceDefinition",
    "deleteBalanceDefinition",
    "beginTransaction",
    "completeTransaction",
    "cancelTransaction",
    "getSubscriptionBalances",
    "createSubscriptionBalances",
    "getActiveBalancesApi",
    "getContactBalances",
    "getTransactionHistoryApi",
    "getTierProgress",
}
ID = "dddddddd-0000-4000-8000-000000000001"
STATES = ("pending", "cancelled", "expired", "rejected", "debit", "credit")
VALUES = dict.fromkeys(("contact", "child", "ada", "bob"), 7) | dict.fromkeys(
    ("id", "first", "second", *STATES), ID
)


@pytest.fixture(scope="module")
def document():
    return SchemaGenerator().get_schema(request=None, public=True)


def test_every_call_is_described_once_and_without_a_slash_at_the_end(document):
    found = [
        operation["operationId"].removeprefix("brevo_")
        for path, methods in document["paths"].items()
        for operation in methods.values()
        if path.startswith("/v3/") and isinstance(operation, dict)
        if not path.endswith("/")
        if operation["operationId"].startswith("brevo_")
    ]
    assert {name for name in found if name in OPERATIONS} == OPERATIONS
    assert len(found) == len(set(found))


@pytest.mark.parametrize("name", SCHEMAS)
def test_documents_are_as_described(document, name):
    validator = Draft202012Validator(
        {
            "$ref": f"#/components/schemas/Brevo{SCHEMAS[name]}",
            "components": document["components"],
        }
    )
    found = validator.iter_errors(payload(name, **VALUES))
    assert [error.message for error in found] == []
