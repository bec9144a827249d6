"""Every class of error, at every one of the ten tier calls; nothing is left behind."""

import pytest

from loyalty.models import ProgramVersion
from tests.tiers.api.brevo.conftest import (
    CLUB,
    GOLD,
    NOBODYS,
    POINTS,
    STATUS,
    expect,
    make_key,
    refused,
    violations,
)
from tests.tiers.api.brevo.test_tiers import (
    GROUPS,
    LEVEL,
    PUBLISH,
    REGIONS,
    TIER,
    TIERS,
    asking,
    golden,
)
from tiers.api import limits
from tiers.models import TierGroupVersion, TierVersion

CALLS = {
    "createTierGroup": ("POST", "/tier-groups", REGIONS),
    "getListOfTierGroups": ("GET", "/tier-groups", None),
    "getTierGroup": ("GET", f"/tier-groups/{STATUS}", None),
    "updateTierGroup": ("PUT", f"/tier-groups/{STATUS}", LEVEL),
    "deleteTierGroup": ("DELETE", f"/tier-groups/{STATUS}", None),
    "createTierForTierGroup": ("POST", f"/tier-groups/{STATUS}/tiers", golden()),
    "getLoyaltyProgramTier": ("GET", "/tiers", None),
    "updateTier": ("PUT", f"/tiers/{GOLD}", golden()),
    "deleteTier": ("DELETE", f"/tiers/{GOLD}", None),
    "addSubscriptionToTier": ("POST", f"/contacts/1/tiers/{GOLD}", None),
}
#: Calls that name a group or a tier, and what is said where there is none.
NAMING = {
    "getTierGroup": "refusal_404_group",
    "updateTierGroup": "refusal_404_group",
    "deleteTierGroup": "refusal_404_group",
    "createTierForTierGroup": "refusal_404_group",
    "updateTier": "refusal_404_tier",
    "deleteTier": "refusal_404_tier",
    "addSubscriptionToTier": "refusal_404_tier",
}
WITH_BODY = [name for name, (_, _, body) in CALLS.items() if body]

pytestmark = pytest.mark.usefixtures("club", "unchanged")


@pytest.fixture
def unchanged(club, call):
    """Read everything before and after: a refusal leaves nothing, and no poison."""

    def everything():
        for table, program in (
            (TierGroupVersion, "group__program"),
            (TierVersion, "tier__program"),
            (ProgramVersion, "program"),
        ):
            own = table.objects.filter(**{f"{program}__uuid": CLUB})
            yield from own.order_by("pk").values()

    before = list(everything())
    yield
    assert list(everything()) == before
    expect(call("GET", GROUPS), 200, "groups")
    expect(call("GET", TIERS), 200, "tiers")
    assert call("POST", PUBLISH).status_code == 200
    expect(call("GET", f"{TIERS}?version=active"), 200, "tiers")


@pytest.fixture(params=CALLS)
def asked(request):
    method, path, body = CALLS[request.param]
    return request.param, method, path, body


# Who asks


def test_without_a_key_that_can_be_used(call, asked, maya):
    _name, method, path, body = asked
    for token in (None, "nonsense", f"{'a' * 8}.{'b' * 32}"):
        # Before anything is looked at: what is asked for, or whether it can be read.
        nowhere = f"{TIER}{path}".replace(str(CLUB), "x")
        for address, sent in ((f"{TIER}{path}", body), (nowhere, "{")):
            answer = call(method, address, sent, token=token)
            expect(answer, 401, "refusal_401")
            assert answer.headers["WWW-Authenticate"]


def test_with_a_key_for_other_things(call, asked, maya):
    name, method, path, body = asked
    needed = "read" if method == "GET" else "drafts"
    needed = "points" if name == "addSubscriptionToTier" else needed
    # Publishing comes with drafting.
    others = {"read", "points", "drafts"} - {needed}
    token = make_key(maya, *others)
    expect(call(method, f"{TIER}{path}", body, token=token), 403, "refusal_403")
    # Also where there is nothing.
    nowhere = f"{TIER}{path}".replace(str(CLUB), str(NOBODYS))
    expect(call(method, nowhere, body, token=token), 403, "refusal_403")


def test_in_a_program_that_is_none(call, asked):
    _name, method, path, body = asked
    for pid, status, name in (
        (NOBODYS, 404, "refusal_404_program"),
        (f"{NOBODYS}0", 422, "refusal_path"),
        ("ABCDEF00-0000-4000-8000-000000000000", 422, "refusal_path"),
    ):
        answer = call(method, f"{TIER}{path}".replace(str(CLUB), str(pid)), body)
        expect(answer, status, name)


@pytest.mark.parametrize("name", NAMING)
def test_what_an_address_names_is_not_there(call, name):
    method, path, body = CALLS[name]
    named = str(GOLD) if str(GOLD) in path else str(STATUS)
    nowhere = f"{TIER}{path}".replace(named, str(NOBODYS))
    expect(call(method, nowhere, body), 404, NAMING[name])
    malformed = f"{TIER}{path}".replace(named, "{g}")
    assert set(violations(call(method, malformed, body)).values()) == {"invalid"}


@pytest.mark.parametrize("name", WITH_BODY)
@pytest.mark.parametrize("sent", ["{", "[]", "3", "", '{"name": "a", "name": "b"}'])
def test_a_body_that_cannot_be_read(call, name, sent):
    method, path, _body = CALLS[name]
    # Where the vendor's clients know a 400, and as what they know elsewhere.
    status = 400 if name == "createTierGroup" else 422
    refused(call(method, f"{TIER}{path}", sent), status, "bad_request")
    # Before the address is looked at.
    nowhere = f"{TIER}{path}".replace(str(CLUB), "x")
    refused(call(method, nowhere, sent), status, "bad_request")


def test_the_words_of_a_body_that_cannot_be_read(call):
    expect(call("POST", GROUPS, "{"), 400, "refusal_400_json")


@pytest.mark.parametrize(
    ("address", "method"), [(GROUPS, "PATCH"), (TIERS, "POST"), (GROUPS, "OPTIONS")]
)
def test_a_method_that_is_none(call, address, method):
    refused(call(method, address), 405, "method_not_allowed")


def test_an_address_that_is_none(call):
    for path in ("/loyalty/tiers", f"{TIER}/nonsense/", f"{TIERS}/{GOLD}/x"):
        expect(call("POST", path), 404, "refusal_404_address")


def test_another_media_type(call, client, key):
    answer = client.post(
        f"/v3{GROUPS}", "name=x", content_type="text/plain", headers={"api-key": key}
    )
    refused(answer, 415, "bad_request")


def test_too_many(call, settings, monkeypatch):
    monkeypatch.setattr(limits, "counter", limits.Counter())
    settings.API_CALLER_LIMIT = 2
    first = call("GET", TIERS)
    assert first.headers["x-sib-ratelimit-limit"] == "2"
    assert first.headers["x-sib-ratelimit-remaining"] == "1"
    assert 0 < int(first.headers["x-sib-ratelimit-reset"]) <= 60
    # The vendor's clients would wait for it before they repeat whatever failed.
    assert "X-RateLimit-Reset" not in first.headers
    call("GET", TIERS)
    answer = call("GET", TIERS)
    refused(answer, 429, "too_many_requests")
    settings.API_CALLER_LIMIT = 0
    assert answer.headers["Retry-After"]
    assert answer.headers["X-RateLimit-Reset"]


# What is sent


@pytest.mark.parametrize("address", [GROUPS, TIERS, f"{GROUPS}/{STATUS}"])
def test_a_version_is_draft_or_active(call, address):
    for version in ("live", "", "Draft"):
        answer = call("GET", f"{address}?version={version}")
        assert set(violations(answer)) == {"version"}
    # Before the program is looked for.
    nowhere = address.replace(str(CLUB), str(NOBODYS))
    assert violations(call("GET", f"{nowhere}?version=x"))


@pytest.mark.parametrize("missing", ["name", "upgradeStrategy", "tierOrder"])
def test_a_group_is_replaced_whole(call, missing):
    for sent in (None, "left out"):
        body = {k: v for k, v in LEVEL.items() if k != missing}
        body |= {missing: None} if sent is None else {}
        answer = call("PUT", f"{GROUPS}/{STATUS}", body)
        refused(answer, 422, "missing_parameter")
        assert violations(answer) == {missing: "required"}


def test_a_group_has_a_name(call):
    expect(call("POST", GROUPS, {}), 422, "refusal_missing")
    for name in ("", "   ", 5, "a" * 129, "a\u202eb", ["a"]):
        assert set(violations(call("POST", GROUPS, {"name": name}))) == {"name"}


@pytest.mark.parametrize(
    ("strategy", "rule"), [("schedule", "invalid_choice"), (3, "invalid_choice")]
)
def test_strategies(call, strategy, rule):
    sent = REGIONS | {"upgradeStrategy": strategy}
    assert violations(call("POST", GROUPS, sent)) == {"upgradeStrategy": rule}


@pytest.mark.parametrize(
    ("schedule", "field"),
    [
        ({"durationValue": 1}, "durationValue"),
        ({"durationUnit": "year"}, "durationValue"),
        ({"durationValue": 0, "durationUnit": "day"}, "durationValue"),
        ({"durationValue": 1.5, "durationUnit": "day"}, "durationValue"),
        ({"durationValue": "1", "durationUnit": "day"}, "durationValue"),
        ({"durationValue": 1, "durationUnit": "years"}, "durationUnit"),
        ({"durationModifier": "start_of_period"}, "durationModifier"),
        ({"durationModifier": "startOfPeriod"}, "durationModifier"),
        ({"scheduledDate": "31/04"}, "scheduledDate"),
        ({"scheduledDate": "1/4"}, "scheduledDate"),
        ({"scheduledDate": "04/31"}, "scheduledDate"),
        (
            {"scheduledDate": "01/04", "durationValue": 1, "durationUnit": "day"},
            "scheduledDate",
        ),
    ],
)
def test_schedules(call, schedule, field):
    for way in ("upgrade", "downgrade"):
        sent = LEVEL | {f"{way}Schedule": schedule}
        expected = {f"{way}Schedule.{field}"}
        assert (
            set(violations(call("POST", GROUPS, sent | {"tierOrder": []}))) == expected
        )
        assert set(violations(call("PUT", f"{GROUPS}/{STATUS}", sent))) == expected


@pytest.mark.parametrize(
    "order", [[str(NOBODYS)], [str(GOLD), str(GOLD)], ["x"], "x", [1]]
)
def test_an_order_names_the_groups_own_tiers_once(call, order):
    sent = LEVEL | {"tierOrder": order}
    answer = call("PUT", f"{GROUPS}/{STATUS}", sent)
    assert {path.split(".")[0] for path in violations(answer)} == {"tierOrder"}
    assert violations(call("POST", GROUPS, sent))


@pytest.mark.parametrize(
    ("condition", "path"),
    [
        ({"minimumValue": 5}, "accessConditions.0.balanceDefinitionId"),
        ({"balanceDefinitionId": str(POINTS)}, "accessConditions.0.minimumValue"),
        (asking((POINTS, "5"))[0], "accessConditions.0.minimumValue"),
        (asking((POINTS, 5.5))[0], "accessConditions.0.minimumValue"),
        (asking((POINTS, True))[0], "accessConditions.0.minimumValue"),
        (asking((POINTS, -1))[0], "accessConditions.0.minimumValue"),
        (asking((POINTS, 2**53))[0], "accessConditions.0.minimumValue"),
        (asking(("x", 5))[0], "accessConditions.0.balanceDefinitionId"),
        (asking((NOBODYS, 5))[0], "accessConditions"),
    ],
)
def test_conditions(call, condition, path):
    sent = golden(accessConditions=[condition])
    for method, where in (
        ("POST", f"{GROUPS}/{STATUS}/tiers"),
        ("PUT", f"{TIERS}/{GOLD}"),
    ):
        assert set(violations(call(method, where, sent))) == {path}


def test_the_words_of_what_is_wrong_inside(call):
    sent = golden(accessConditions=asking((POINTS, "5")))
    expect(call("PUT", f"{TIERS}/{GOLD}", sent), 422, "refusal_nested")


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"name": None}, "name"),
        ({"accessConditions": None}, "accessConditions"),
        ({"accessConditions": {}}, "accessConditions"),
        ({"accessConditions": asking((POINTS, 1), (POINTS, 2))}, "accessConditions"),
        ({"imageRef": 5}, "imageRef"),
        ({"imageRef": "a" * 201}, "imageRef"),
        ({"tierRewards": [{"rewardId": str(NOBODYS)}]}, "tierRewards"),
        ({"tierRewards": [{}]}, "tierRewards.0.rewardId"),
    ],
)
def test_tiers(call, changes, path):
    sent = golden(**changes)
    for method, where in (
        ("POST", f"{GROUPS}/{STATUS}/tiers"),
        ("PUT", f"{TIERS}/{GOLD}"),
    ):
        assert set(violations(call(method, where, sent))) == {path}
