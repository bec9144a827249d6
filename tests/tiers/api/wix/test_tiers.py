"""Tiers and settings over HTTP, in whole documents."""

from typing import Any

import pytest

from approvals import lifecycle
from loyalty.models import Program, ProgramLimit
from tests import factories
from tests.tiers.api.wix.conftest import (
    GOLD,
    ICON,
    NOBODYS,
    SILVER,
    SITE,
    expect,
    make_key,
    payload,
    refused,
    violations,
)
from tiers import drafting
from tiers.api import limits
from tiers.models import Standing, Tier, TierVersion

Asked = tuple[str, str, Any]
TIERS = "/loyalty-tiers/v1/tiers"
BULK = "/loyalty-tiers/v1/bulk/tiers/create"
PROGRAM = f"{TIERS}/program"
SETTINGS = f"{TIERS}/program-settings"
PLATINUM = {"tierDefinition": {"name": "Platinum"}, "requiredPoints": 9000}
WHOLE = {
    "status": "PAUSED",
    "revision": "1",
    "rollingWindow": {"durationInMonths": 6},
}

pytestmark = pytest.mark.usefixtures("store")


def tier_of(member):
    return Standing.objects.values_list("tier__uuid", flat=True).get(member=member)


# Reading


def test_tiers_are_listed_lowest_first(call):
    expect(call("GET", TIERS), 200, "tiers")


def test_the_same_below_api_and_with_bearer(call, key):
    expect(call("GET", f"/_api{TIERS}", token=f"Bearer {key}"), 200, "tiers")


def test_the_list_costs_the_same_for_three_tiers_as_for_twenty(
    call, store, django_assert_num_queries
):
    # the key with its owner, the permission, the program, the tiers; that it was used
    # is noted once a minute
    call("GET", TIERS)
    with django_assert_num_queries(4):
        call("GET", TIERS)
    bulk = [
        {"tierDefinition": {"name": f"More {n}"}, "requiredPoints": n}
        for n in range(1, 18)
    ]
    assert call("POST", BULK, {"tiers": bulk}).status_code == 200
    with django_assert_num_queries(4):
        assert len(call("GET", TIERS).json()["tiers"]) == 20


def test_one_tier(call):
    expect(call("GET", f"{TIERS}/{GOLD}?tierId={GOLD}"), 200, "tier")
    expect(call("GET", f"{TIERS}/{str(GOLD).upper()}"), 200, "tier")


def test_the_program(call):
    expect(call("GET", PROGRAM), 200, "program")


def test_the_settings(call):
    expect(call("GET", SETTINGS), 200, "settings")


def test_neither_base_tier_nor_tiers_by_hand_are_listed(call, store, maya):
    group = store.tier_groups.get()
    drafts = [
        drafting.add_tier(group, by=maya, name=entry, entry=entry)
        for entry in ("BASE", "MANUAL")
    ]
    lifecycle.publish_now(drafts, by=maya)
    expect(call("GET", TIERS), 200, "tiers")
    for draft in drafts:
        refused(call("GET", f"{TIERS}/{draft.tier.uuid}"), 404, "NOT_FOUND")
        refused(
            call("DELETE", f"{TIERS}/{draft.tier.uuid}?revision=1"), 404, "NOT_FOUND"
        )


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_an_id_that_is_none_and_one_that_nobody_has(call, method):
    body = {"tier": {"revision": "1"}} if method == "PATCH" else None
    field = "tier.id" if method == "PATCH" else "tierId"
    answer = call(method, f"{TIERS}/gold", body)
    assert violations(answer) == {field: "VALIDATION"}
    expect(call(method, f"{TIERS}/{NOBODYS}", body), 404, "refusal_404_tier")


# Creating


def test_a_tier_is_made(call, frozen):
    body = {
        "tier": {
            "tierDefinition": {"name": " Platinum ", "description": "For the few."},
            "requiredPoints": 9000,
            "revision": "77",
            "createdDate": "1999-01-01T00:00:00.000Z",
            "vipPlan": True,
        }
    }
    answer = call("POST", TIERS, body)
    expect(answer, 200, "tier_created", id=answer.json()["tier"]["id"])
    assert len(call("GET", TIERS).json()["tiers"]) == 4


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"tierDefinition": {"name": "Gold "}}, "refusal_taken_name"),
        ({"requiredPoints": 1500}, "refusal_taken_points"),
    ],
)
def test_a_name_and_a_number_of_points_are_of_one_tier(call, changes, name):
    expect(call("POST", TIERS, {"tier": PLATINUM | changes}), 409, name)


def test_names_are_compared_exactly_and_not_with_the_base_tiers(call):
    for number, name in enumerate(("gold", "Welcome"), start=1):
        tier = {"tierDefinition": {"name": name}, "requiredPoints": number}
        assert call("POST", TIERS, {"tier": tier}).status_code == 200


def test_what_breaks_limits_is_named_by_field(call):
    definition = {"name": " ", "description": "d" * 71}
    tier = {"tierDefinition": definition, "requiredPoints": 0}
    expect(call("POST", TIERS, {"tier": tier}), 400, "refusal_400")


@pytest.mark.parametrize(
    ("tier", "expected"),
    [
        ({}, {"tierDefinition": "REQUIRED_FIELD", "requiredPoints": "REQUIRED_FIELD"}),
        (PLATINUM | {"tierDefinition": None}, {"tierDefinition": "REQUIRED_FIELD"}),
        (PLATINUM | {"tierDefinition": []}, {"tierDefinition": "VALIDATION"}),
        (
            PLATINUM | {"tierDefinition": {"name": "n" * 51}},
            {"tierDefinition.name": "MAX_LENGTH"},
        ),
        (
            PLATINUM | {"tierDefinition": {"name": 5}},
            {"tierDefinition.name": "VALIDATION"},
        ),
        (
            PLATINUM | {"tierDefinition": {"name": "G​ld"}},
            {"tierDefinition.name": "VALIDATION"},
        ),
        (
            PLATINUM | {"tierDefinition": {"name": "G", "icon": "x"}},
            {"tierDefinition.icon": "VALIDATION"},
        ),
        (
            PLATINUM | {"tierDefinition": {"name": "G", "icon": {"url": "shapes/x"}}},
            {"tierDefinition.icon": "VALIDATION"},
        ),
        (PLATINUM | {"requiredPoints": 10_000_000}, {"requiredPoints": "MAX"}),
        (PLATINUM | {"requiredPoints": -1}, {"requiredPoints": "MIN"}),
        (PLATINUM | {"requiredPoints": "9000"}, {"requiredPoints": "VALIDATION"}),
        (PLATINUM | {"requiredPoints": 9000.0}, {"requiredPoints": "VALIDATION"}),
        (PLATINUM | {"requiredPoints": True}, {"requiredPoints": "VALIDATION"}),
    ],
)
def test_bad_tiers_are_refused_alone_and_in_bulk(call, tier, expected):
    one = violations(call("POST", TIERS, {"tier": tier}))
    assert one == {f"tier.{field}": rule for field, rule in expected.items()}
    many = violations(call("POST", BULK, {"tiers": [PLATINUM, tier]}))
    assert many == {f"tiers[1].{field}": rule for field, rule in expected.items()}
    # Nothing was written, and what is there still reads.
    expect(call("GET", TIERS), 200, "tiers")


@pytest.mark.parametrize("body", ["{", "[1]", "null", '{"tier": 5}', "", "\x00"])
def test_bodies_that_are_no_message_are_refused(call, body):
    for method, path in (("POST", TIERS), ("PATCH", SETTINGS), ("POST", BULK)):
        assert call(method, path, body).status_code == 400


def test_icons_are_sent_as_objects(call):
    image = {"id": "abc.svg", "width": 24, "height": 12}
    tier = PLATINUM | {"tierDefinition": {"name": "P", "icon": image | {"x": 1}}}
    shown = call("POST", TIERS, {"tier": tier}).json()["tier"]["tierDefinition"]
    assert shown["icon"] == {
        "id": "abc.svg",
        "url": "wix:image://v1/abc.svg#originWidth=24&originHeight=12",
        "height": 12,
        "width": 24,
        "altText": None,
        "filename": None,
    }


def test_tiers_are_made_in_bulk_and_duplicates_fail_alone(call, frozen):
    definition = {"name": "Palladium"}
    body = {
        "tiers": [
            PLATINUM,
            {"tierDefinition": {"name": "Gold"}, "requiredPoints": 2},
            PLATINUM | {"tierDefinition": definition},
        ]
    }
    answer = call("POST", BULK, body)
    made = Tier.objects.latest("pk")
    expect(answer, 200, "bulk_created", id=str(made.uuid))


@pytest.mark.parametrize("number", [0, 21])
def test_a_bulk_is_of_one_to_twenty(call, number):
    answer = call("POST", BULK, {"tiers": [PLATINUM] * number})
    assert set(violations(answer)) == {"tiers"}


def test_the_twenty_first_tier_is_refused(call):
    bulk = [
        {"tierDefinition": {"name": f"More {n}"}, "requiredPoints": n}
        for n in range(1, 20)
    ]
    results = call("POST", BULK, {"tiers": bulk}).json()["results"]
    assert [r["itemMetadata"]["success"] for r in results] == [True] * 17 + [False] * 2
    error = results[-1]["itemMetadata"]["error"]
    assert error["code"] == "BASIC_TIERS_LIMIT_REACHED"
    expect(call("POST", TIERS, {"tier": PLATINUM}), 428, "refusal_limit")


# Changing


def test_what_is_not_sent_stays(call, frozen):
    tier = {
        "id": str(SILVER),
        "revision": "1",
        "requiredPoints": 1600,
        "tierDefinition": {"description": "Free delivery."},
    }
    # The address decides which tier is meant.
    expect(call("PATCH", f"{TIERS}/{GOLD}", {"tier": tier}), 200, "tier_updated")
    tier = {"revision": 2, "tierDefinition": {"description": None, "icon": None}}
    shown = call("PATCH", f"{TIERS}/{GOLD}", {"tier": tier}).json()["tier"]
    looks = {"name": "Gold", "description": "", "icon": None}
    assert (shown["tierDefinition"], shown["revision"]) == (looks, "3")


def test_an_outdated_revision_changes_nothing(call):
    tier = {"revision": "2", "requiredPoints": 1600}
    answer = call("PATCH", f"{TIERS}/{GOLD}", {"tier": tier})
    expect(answer, 409, "refusal_revision")
    expect(call("DELETE", f"{TIERS}/{GOLD}?revision=2"), 409, "refusal_revision")
    refused(call("DELETE", f"{TIERS}/{GOLD}?tierId={GOLD}"), 409, "INVALID_REVISION")
    expect(call("GET", TIERS), 200, "tiers")


@pytest.mark.parametrize("revision", [None, "", "01", "-1", "x", "1.0", 1.0, True, []])
def test_a_revision_is_a_whole_number_as_text(call, revision):
    answer = call("PATCH", f"{TIERS}/{GOLD}", {"tier": {"revision": revision}})
    assert set(violations(answer)) == {"tier.revision"}


def test_an_update_needs_the_revision(call):
    answer = call("PATCH", f"{TIERS}/{GOLD}", {"tier": {"requiredPoints": 1600}})
    assert violations(answer) == {"tier.revision": "REQUIRED_FIELD"}


def test_a_tier_cannot_take_anothers_name_or_points(call):
    for changes in ({"requiredPoints": 500}, {"tierDefinition": {"name": "Silver"}}):
        answer = call("PATCH", f"{TIERS}/{GOLD}", {"tier": {"revision": "1"} | changes})
        refused(answer, 409, "ALREADY_EXISTS")
    # Its own are its own.
    own = {"revision": "1", "requiredPoints": 1500, "tierDefinition": {"name": "Gold"}}
    assert call("PATCH", f"{TIERS}/{GOLD}", {"tier": own}).status_code == 200


def test_a_deleted_tier_is_gone_and_its_members_are_placed_at_once(call, store):
    member = factories.make_member(store)
    factories.earn(member, 1700)
    answer = call("DELETE", f"{TIERS}/{GOLD}?tierId={GOLD}&revision=1")
    assert (answer.status_code, answer.json()) == (200, {})
    assert tier_of(member) == SILVER
    for method, path, body in (
        ("GET", f"{TIERS}/{GOLD}", None),
        ("DELETE", f"{TIERS}/{GOLD}?revision=2", None),
        ("PATCH", f"{TIERS}/{GOLD}", {"tier": {"revision": "2"}}),
    ):
        refused(call(method, path, body), 404, "NOT_FOUND")
    again = {"tierDefinition": {"name": "Gold"}, "requiredPoints": 1500}
    assert call("POST", TIERS, {"tier": again}).json()["tier"]["revision"] == "1"


def test_a_moved_threshold_moves_its_members_at_once(call, store):
    member = factories.make_member(store)
    factories.earn(member, 1700)
    tier = {"revision": "1", "requiredPoints": 1701}
    call("PATCH", f"{TIERS}/{GOLD}", {"tier": tier})
    assert tier_of(member) == SILVER


# Settings


def test_an_update_replaces_the_settings(call, frozen):
    answer = call("PATCH", SETTINGS, {"programSettings": WHOLE})
    expect(answer, 200, "settings_updated")
    expect(call("GET", SETTINGS), 200, "settings_updated")


@pytest.mark.parametrize("status", Program.TiersStatus.values)
def test_any_status_may_be_written(call, status):
    said = WHOLE | {"status": status}
    shown = call("PATCH", SETTINGS, {"programSettings": said}).json()
    assert shown["programSettings"]["status"] == status
    assert shown["programSettings"]["revision"] == "2"


def test_settings_at_another_revision_stay(call):
    answer = call("PATCH", SETTINGS, {"programSettings": WHOLE | {"revision": "2"}})
    error = refused(answer, 409, "INVALID_REVISION")
    assert error["data"] == {"revisionViolation": {"entityId": str(SITE)}}
    expect(call("GET", SETTINGS), 200, "settings")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"status": "UNKNOWN"}, "status"),
        ({"status": "NOT_CONFIGURED"}, "status"),
        ({"status": None}, "status"),
        ({"rollingWindow": None}, "rollingWindow"),
        ({"rollingWindow": {}}, "rollingWindow.durationInMonths"),
        (
            {"rollingWindow": {"durationInMonths": 0}},
            "rollingWindow.durationInMonths",
        ),
        (
            {"rollingWindow": {"durationInMonths": 37}},
            "rollingWindow.durationInMonths",
        ),
        ({"baseTierDefinition": {"name": "n" * 51}}, "baseTierDefinition.name"),
        ({"baseTierDefinition": {"icon": {}}}, "baseTierDefinition.icon"),
        ({"baseTierDefinition": 5}, "baseTierDefinition"),
        ({"revision": None}, "revision"),
    ],
)
def test_bad_settings_are_refused(call, changes, field):
    answer = call("PATCH", SETTINGS, {"programSettings": WHOLE | changes})
    assert set(violations(answer)) == {f"programSettings.{field}"}
    expect(call("GET", SETTINGS), 200, "settings")


def test_status_window_and_revision_have_to_be_sent(call):
    answer = call("PATCH", SETTINGS, {"programSettings": {}})
    assert set(violations(answer)) == {
        f"programSettings.{name}" for name in ("status", "rollingWindow", "revision")
    }


def test_settings_are_made_once(call):
    expect(call("POST", SETTINGS, {"programSettings": {}}), 409, "refusal_exists")


@pytest.mark.parametrize(
    ("path", "name"), [(PROGRAM, "program_default"), (SETTINGS, "settings_default")]
)
def test_a_site_that_nobody_asked_about_has_the_defaults(call, frozen, path, name):
    for _ in range(2):
        expect(call("GET", path, site=NOBODYS), 200, name)
    assert Program.objects.get(uuid=NOBODYS).source == "WIX"
    assert call("GET", TIERS, site=NOBODYS).json() == payload("tiers_none")
    made = call("POST", TIERS, {"tier": PLATINUM}, site=NOBODYS)
    assert made.json()["tier"]["revision"] == "1"


def test_settings_of_a_new_site_are_made_as_sent(call, frozen):
    said = {
        "status": "ACTIVE",
        "rollingWindow": {"durationInMonths": 3},
        "baseTierDefinition": {"name": "Guest", "icon": ICON},
    }
    answer = call("POST", SETTINGS, {"programSettings": said}, site=NOBODYS)
    expect(answer, 200, "settings_created")
    expect(call("GET", SETTINGS, site=NOBODYS), 200, "settings_created")


# Who may


WRITES: list[Asked] = [
    ("POST", TIERS, {"tier": PLATINUM}),
    ("POST", BULK, {"tiers": [PLATINUM]}),
    ("PATCH", f"{TIERS}/{GOLD}", {"tier": {"revision": "1", "requiredPoints": 1}}),
    ("DELETE", f"{TIERS}/{GOLD}?revision=1", None),
    ("PATCH", SETTINGS, {"programSettings": WHOLE}),
    ("POST", SETTINGS, {"programSettings": {}}),
]
READS: list[Asked] = [
    ("GET", TIERS, None),
    ("GET", f"{TIERS}/{GOLD}", None),
    ("GET", PROGRAM, None),
    ("GET", SETTINGS, None),
]


@pytest.mark.parametrize(("method", "path", "body"), WRITES + READS)
def test_who_has_no_key_that_works_is_told_so(call, key, method, path, body):
    for token in (None, "", "x", key[:-1] + "0", "Bearer", "Basic bWF5YTpkZW1v"):
        expect(call(method, path, body, token=token), 401, "refusal_401")


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
def test_reading_keys_and_readers_write_nothing(call, maya, aude, method, path, body):
    for token in (make_key(maya, "read"), make_key(maya, "points"), make_key(aude)):
        expect(call(method, path, body, token=token), 403, "refusal_403")
    drafter = make_key(maya, "read", "drafts")
    refused(call(method, path, body, token=drafter), 403, "PERMISSION_DENIED")
    expect(call("GET", PROGRAM), 200, "program")


@pytest.mark.parametrize(("method", "path", "body"), READS)
def test_a_reading_key_reads_and_a_writing_one_does_not(call, maya, method, path, body):
    assert call(method, path, token=make_key(maya, "read")).status_code == 200
    refused(
        call(method, path, token=make_key(maya, "publish")), 403, "PERMISSION_DENIED"
    )


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
def test_where_changes_are_approved_writes_are_refused(
    call, store, maya, method, path, body
):
    version = store.versions.live().get()
    draft = lifecycle.draft_change(
        version, by=maya, changes={"approval_required": True}
    )
    lifecycle.publish_now([draft], by=maya)
    before = TierVersion.objects.count()
    expect(call(method, path, body), 403, "refusal_approval")
    assert TierVersion.objects.count() == before


@pytest.mark.parametrize(("method", "path", "body"), WRITES + READS)
def test_other_programs_sites_read_as_ones_that_are_not_there(
    call, maya, store, method, path, body
):
    other = factories.make_program(maya, "Other", approval_required=False)
    token = make_key(maya, program=other)
    elsewhere = call(method, path, body, token=token)
    nowhere = call(method, path, body, token=token, site=NOBODYS)
    expect(elsewhere, 404, "refusal_404_site")
    assert elsewhere.content == nowhere.content
    ProgramLimit.objects.create(user=maya, program=other)
    limited = call(method, path, body, token=make_key(maya))
    assert limited.content == elsewhere.content
    assert not Program.objects.filter(uuid=NOBODYS).exists()


@pytest.mark.parametrize("site", [None, "", "4", "x" * 36, str(SITE).replace("-", "")])
def test_the_site_has_to_be_named(call, site):
    assert violations(call("GET", TIERS, site=site)) == {"wix-site-id": "VALIDATION"}


@pytest.mark.parametrize(
    "path",
    ["/loyalty-tiers/v1/tier", f"{TIERS}/", f"{TIERS}/a/b", "/_api/loyalty-tiers/x"],
)
def test_other_addresses_are_refused_in_the_vendors_words(call, path):
    for method in ("GET", "POST", "PATCH", "DELETE"):
        expect(call(method, path), 404, "refusal_404_address")


def test_what_we_do_not_do_is_refused_in_a_sentence(call):
    coupon = {"rewardId": str(GOLD), "loyaltyAccountId": str(SILVER)}
    answer = call("POST", "/loyalty-coupons/v1/coupons", coupon)
    expect(answer, 400, "refusal_coupons")
    refused(call("GET", "/loyalty-programs/v1/program"), 400, "UNIMPLEMENTED")
    assert call("GET", "/loyalty-coupons/v1/coupons", token=None).status_code == 401


def test_methods_that_are_not_described_are_refused(call):
    refused(call("PUT", TIERS, {}), 405, "UNIMPLEMENTED")
    refused(call("OPTIONS", TIERS), 405, "UNIMPLEMENTED")


def test_who_asks_too_often_is_told_how_long_to_wait(call, settings, monkeypatch):
    monkeypatch.setattr(limits, "counter", limits.Counter())
    settings.API_CALLER_LIMIT = 1
    assert call("GET", TIERS).headers["X-RateLimit-Remaining"] == "0"
    answer = call("GET", TIERS)
    refused(answer, 429, "RESOURCE_EXHAUSTED")
    assert 0 < int(answer.headers["Retry-After"]) <= 60
