"""The description of the API: complete, true, and served from here."""

import json
import re

import pytest
from django.core.management import call_command
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from tests.tiers.api.conftest import PAYLOADS

#: What a document is of, by the first word of its file's name.
SCHEMAS = {
    "list": "TierList",
    "one": "TierVersions",
    "record": "TierRecord",
    "queue": "TierRecords",
    "refusal": "Refusal",
}


@pytest.fixture(scope="module")
def document():
    return SchemaGenerator().get_schema(request=None, public=True)


def test_the_description_is_made_without_a_warning(tmp_path):
    call_command(
        "spectacular",
        validate=True,
        fail_on_warn=True,
        file=str(tmp_path / "schema.yaml"),
    )


def test_the_list_is_described_completely(document):
    assert set(document["paths"]["/v3/tiers"]) == {"get", "post"}
    get = document["paths"]["/v3/tiers"]["get"]
    required = {p["name"]: p.get("required", False) for p in get["parameters"]}
    assert required == {
        "programId": True,
        "tier": False,
        "status": False,
        "X-CAP-API-ATTRIBUTION-ENTITY-CODE": False,
        "X-CAP-API-ATTRIBUTION-ENTITY-TYPE": False,
    }
    assert set(get["responses"]) == {"200", "400", "401", "403", "404", "500"}
    assert get["security"] == [
        {"basicAuth": []},
        {"capillaryToken": []},
        {"apiKey": []},
    ]
    assert document["components"]["securitySchemes"]["basicAuth"] == {
        "type": "http",
        "scheme": "basic",
    }


@pytest.mark.parametrize(
    "name",
    sorted({path.stem for path in PAYLOADS.glob("*.json")} - {"part_renewal"}),
)
def test_documents_are_as_described(name, document):
    schema = SCHEMAS[name.partition("_")[0]]
    text = (PAYLOADS / f"{name}.json").read_text()
    text = text.replace('"$slab"', "1").replace('"$program"', "7")
    validator = Draft202012Validator(
        {
            "$ref": f"#/components/schemas/{schema}",
            "components": document["components"],
        }
    )
    sent = json.loads(text)
    validator.validate(sent)
    # Also the other way round: nothing is sent that is not described.
    described = set(
        re.findall(r'"(\w+)": ', json.dumps(document["components"], default=str))
    )
    assert set(re.findall(r'"(\w+)": ', text)) <= described


@pytest.mark.parametrize("address", ["/api/schema/", "/api/docs/"])
def test_the_description_is_served_without_others_help(address, client, db):
    answer = client.get(address)
    assert answer.status_code == 200
    text = answer.content.decode()
    assert "cdn." not in text
    assert "unpkg" not in text
    outside = re.findall(r"(?:src|href)=\"(https?://[^\"]+)", text)
    assert outside == []
