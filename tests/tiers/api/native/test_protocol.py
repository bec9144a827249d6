"""What every endpoint has in common: who asks, what is refused, and how."""

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from tests import factories, scenes
from tests.tiers.api.native.conftest import errors, make_key, refused, without_id
from tests.tiers.api.test_errors import refusals
from tiers import drafting
from tiers.api import errors as meanings
from tiers.api.native.problems import PROBLEMS
from tiers.models import TierVersion


@scenes.kept
def elsewhere(maya, chen):
    """A second program, with a group, tiers, a draft and what waits for approval."""
    program = factories.make_program(maya, "Elsewhere")
    group = factories.make_group(program, by=maya, reviewer=chen)
    return group


# Codes


@pytest.mark.parametrize("kind", [*refusals()], ids=lambda kind: kind.__name__)
def test_every_refusal_has_its_code_in_the_table(kind):
    ours = ("tiers.api.native.", "tiers.api.idempotency", "tiers.api.errors")
    if kind.__module__.startswith("tiers.api.") and not kind.__module__.startswith(
        ours
    ):
        return  # another voice's own
    assert kind.code in PROBLEMS, "Say in problems.py what this code stands for."
    if kind in meanings.STATUSES:
        assert PROBLEMS[kind.code].status == meanings.STATUSES[kind]


def test_the_table_is_sent_and_explains_each_code(call):
    table = call("GET", "problems", by=None).json()
    assert [p["code"] for p in table["problems"]] == list(PROBLEMS)
    one = call("GET", table["problems"][3]["type"], by=None)
    assert one.json() == table["problems"][3]
    refused(call("GET", "problems/nonesuch", by=None), 404, "not_found")


@pytest.mark.parametrize(
    "path",
    ["/api/v1", "/api/v1/", "nonesuch", "tiers/", "tiers/x", "tiers/01", "tiers/0"],
)
def test_any_other_address_is_refused_in_the_same_words(path, call, key):
    refused(call("GET", path, by=key), 404, "not_found")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_a_method_that_is_not_there_is_named(method, call, key):
    response = call(method, "tiers", by=key)
    refused(response, 405, "method_not_allowed")
    assert set(response.headers["Allow"].split(", ")) == {"GET", "HEAD", "POST"}


def test_only_json_is_sent(call, key):
    refused(call("GET", "tiers", by=key, Accept="text/html"), 406, "not_acceptable")
    indented = call("GET", "tiers", by=key, Accept="application/json; indent=4")
    plain = call("GET", "tiers", by=key)
    assert indented.content == plain.content


# Who asks


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "Api-Key nonesuch",
        "Api-Key abcdefgh.abcdefghabcdefghabcdefghabcdefgh",
        "Basic bm9ib2R5OmRlbW8=",
        "Bearer x",
    ],
)
def test_nobody_learns_what_was_wrong_with_a_key(authorization, client, db):
    headers = {"Authorization": authorization} if authorization else {}
    response = client.get("/api/v1/tiers", headers=headers)
    problem = refused(response, 401, "unauthenticated")
    assert "errors" not in problem
    assert response.headers["WWW-Authenticate"].startswith("Api-Key ")
    assert without_id(response) == without_id(client.get("/api/v1/tiers"))


def test_a_session_of_the_admin_reads_and_writes_with_its_token(maya, draft):
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    client.force_login(maya)
    assert client.get("/api/v1/tiers").status_code == 200
    path, body = f"/api/v1/tiers/{draft.tier_id}/draft", {"note": "Raised."}
    options: dict[str, Any] = {"content_type": "application/json"}
    seen = client.get(path)
    problem = client.patch(path, body, headers={"If-Match": "*"}, **options)
    refused(problem, 403, "csrf_failed")
    client.get("/admin/")
    client.cookies["csrftoken"] = token = "t" * 32
    done = client.patch(
        path,
        body,
        headers={"If-Match": seen.headers["ETag"], "X-CSRFToken": token},
        **options,
    )
    assert done.status_code == 200
    assert done.json()["note"] == "Raised."


def test_every_answer_says_who_it_is_and_what_is_left(call, key, settings):
    response = call("GET", "programs", by=key)
    assert re.fullmatch(r'"caller";q=\d+;w=60', response.headers["RateLimit-Policy"])
    assert re.fullmatch(r'"caller";r=\d+;t=\d+', response.headers["RateLimit"])
    assert response.headers["X-Request-Id"]
    assert response.headers["Cache-Control"] == "private, no-cache"
    settings.API_CALLER_LIMIT = 1
    over = call("GET", "programs", by=key)
    refused(over, 429, "rate_limited")
    assert int(over.headers["Retry-After"]) > 0
    assert ";r=0;" in over.headers["RateLimit"]


@pytest.mark.parametrize(
    ("scopes", "method", "path"),
    [
        (["points"], "GET", "tiers"),
        (["read"], "POST", "tiers"),
        (["read"], "POST", "change-sets"),
        (["read", "drafts"], "POST", "programs"),
        (["read", "drafts"], "POST", "change-sets/publish-now"),
        (["read", "drafts"], "POST", "programs/1/switch"),
        (["read"], "GET", "change-sets"),
        (["read"], "GET", "change-sets/1"),
        (["read"], "GET", "tiers/1/draft"),
    ],
)
def test_a_key_does_what_its_scopes_cover(scopes, method, path, call, maya):
    body: Any = {} if method == "POST" else None
    response = call(method, path, body, by=make_key(maya, *scopes))
    refused(response, 403, "insufficient_scope")


@pytest.mark.parametrize("verb", ["approve", "reject", "retry"])
def test_a_key_never_decides(verb, call, chen, aude):
    for owner in (chen, aude):
        response = call("POST", f"change-sets/1/{verb}", {}, by=make_key(owner))
        refused(response, 403, "human_required")


def test_an_auditor_reads_and_changes_nothing(call, aude, draft):
    assert call("GET", "tiers", by=aude).status_code == 200
    path = f"tiers/{draft.tier_id}/draft"
    assert call("GET", path, by=aude).status_code == 200
    for method, address in (
        ("POST", "tiers"),
        ("PATCH", path),
        ("DELETE", path),
        ("POST", "change-sets"),
        ("POST", "change-sets/1/approve"),
        ("POST", "change-sets/1/withdraw"),
        ("POST", f"programs/{draft.tier.program_id}/switch"),
    ):
        response = call(method, address, {}, by=aude, If_Match="*")
        refused(response, 403, "permission_denied")


# Whatever is not there reads alike


def test_what_is_another_programs_is_as_if_it_did_not_exist(
    call, maya, program, group, draft, elsewhere
):
    key = make_key(maya, program=program)
    change_set = elsewhere.versions.get().change_set_id
    tier = factories.live_tier(elsewhere, "Gold").tier_id
    nobodys = 999_999
    addresses = [
        ("programs/{}", elsewhere.program_id),
        ("tier-groups/{}", elsewhere.pk),
        ("tiers/{}", tier),
        ("tiers/{}/draft", tier),
        ("tiers/{}/versions", tier),
        ("tiers/{}/versions/1", tier),
        ("tiers/{}/versions/1/difference", tier),
        ("change-sets/{}", change_set),
        (
            "balance-definitions/{}",
            elsewhere.program.balance_definitions.get(scale=2).pk,
        ),
    ]
    for address, theirs in addresses:
        answers = [call("GET", address.format(pk), by=key) for pk in (theirs, nobodys)]
        refused(answers[0], 404, "not_found")
        assert without_id(answers[0]) == without_id(answers[1]), address
    for method, address, theirs, body in (
        ("PATCH", "tiers/{}/draft", tier, {"note": "x"}),
        ("POST", "tiers/{}/draft", tier, {}),
        ("POST", "tiers/{}/retire", tier, None),
        ("POST", "tiers/{}/roll-back", tier, {"version": 1}),
        ("POST", "change-sets/{}/withdraw", change_set, None),
        (
            "POST",
            "programs/{}/switch",
            elsewhere.program_id,
            {"verb": "pause", "reason": "Because."},
        ),
    ):
        answers = [
            call(method, address.format(pk), body, by=key, If_Match="*")
            for pk in (theirs, nobodys)
        ]
        refused(answers[0], 404, "not_found")
        assert without_id(answers[0]) == without_id(answers[1]), address


def test_ids_of_another_program_in_bodies_and_filters_are_unknown(
    call, maya, program, group, elsewhere
):
    key = make_key(maya, program=program)
    theirs = factories.live_tier(elsewhere, "Gold")
    content = {"name": "Jade", "threshold": "5"}
    for body in (
        {"group": elsewhere.pk, "content": content},
        {"group": 999_999, "content": content},
    ):
        answer = call("POST", "tiers", body, by=key)
        assert errors(answer) == {"/group": "not_found"}
    for pk in (theirs.pk, 999_999):
        named = {"kind": "tier", "id": pk, "revision": 1}
        answer = call("POST", "change-sets", {"versions": [named]}, by=key)
        assert errors(answer) == {"/versions/0/id": "not_found"}
    balance = elsewhere.program.balance_definitions.get(scale=2).pk
    for pk in (balance, 999_999):
        measured = {**content, "measured_balance": pk}
        body = {"group": group.pk, "content": measured}
        answer = call("POST", "tiers", body, by=key)
        assert errors(answer) == {"/content/measured_balance": "not_found"}
    for name, pk in (("program", elsewhere.program_id), ("group", elsewhere.pk)):
        for value in (pk, 999_999):
            assert call("GET", f"tiers?{name}={value}", by=key).json() == {
                "next": None,
                "previous": None,
                "results": [],
            }


# Parameters


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("limit=0", "invalid_limit"),
        ("limit=-1", "invalid_limit"),
        ("limit=201", "invalid_limit"),
        ("limit=1_0", "invalid_limit"),
        ("limit=%EF%BC%91", "invalid_limit"),
        ("limit=1&limit=2", "repeated_parameter"),
        ("cursor=nonesuch", "invalid_cursor"),
        ("ordering=password", "unknown_ordering"),
        ("ordering=--id", "unknown_ordering"),
        ("programm=1", "unknown_filter"),
        ("name__regex=(a%2B)%2B", "unknown_filter"),
        ("_connector=OR", "unknown_filter"),
        ("program=1.0", "invalid_integer"),
        ("program=+1", "invalid_integer"),
        ("program=", "invalid_integer"),
        ("program=99999999999999999999", "invalid_integer"),
        ("status=live", "invalid_choice"),
        ("threshold_min=1e3", "invalid_decimal"),
        ("threshold_min=-1", "out_of_range"),
        ("changed_since=2026-01-01", "invalid_instant"),
        ("changed_since=2026-01-01T00:00:00", "offset_required"),
        ("search=%00", "invalid_text"),
        ("search=%FF", "invalid_text"),
        ("search=" + "a" * 101, "search_too_long"),
    ],
)
def test_a_parameter_that_cannot_be_is_refused(query, code, call, key):
    name = query.partition("=")[0]
    assert errors(call("GET", f"tiers?{query}", by=key)) == {name: code}


def test_parameters_of_lists_are_refused_elsewhere(call, key, draft):
    for path in (f"tiers/{draft.tier_id}", f"tiers/{draft.tier_id}/versions/1"):
        response = call("GET", f"{path}?limit=5", by=key)
        assert errors(response) == {"limit": "unknown_filter"}


# Pages


@pytest.fixture
def many_tiers(group, maya):
    """Forty drafts of tiers beside three live ones, some of equal names."""
    for number in range(40):
        drafting.add_tier(
            group, by=maya, name=f"Level {number // 2}", threshold=2000 + number
        )
    return group


@pytest.mark.parametrize("word", ["id", "name", "threshold", "changed_at"])
@pytest.mark.parametrize("sign", ["", "-"])
def test_pages_show_everything_once_and_back_again(sign, word, call, key, many_tiers):
    def page(address: str) -> Any:
        parts = urlsplit(address)
        response = call("GET", f"{parts.path}?{parts.query}", by=key)
        assert response.status_code == 200, response.content
        return response.json()

    whole = page(f"/api/v1/tiers?limit=200&ordering={sign}{word}")
    assert (whole["next"], whole["previous"]) == (None, None)
    ids = [tier["id"] for tier in whole["results"]]
    assert len(set(ids)) == 43
    if word == "threshold":
        live = [t["live"] or t["draft"] for t in whole["results"]]
        asked = [float(v["content"]["threshold"] or -1) for v in live]
        assert asked == sorted(asked, reverse=bool(sign))
    address, forward, pages = f"/api/v1/tiers?limit=9&ordering={sign}{word}", [], []
    while address:
        shown = page(address)
        pages.append(shown)
        forward += [tier["id"] for tier in shown["results"]]
        address = shown["next"]
    assert forward == ids
    assert len(pages) == 5
    back = [tier["id"] for tier in shown["results"]]
    while shown["previous"]:
        shown = page(shown["previous"])
        back = [tier["id"] for tier in shown["results"]] + back
    assert back == ids
    assert shown["next"] == pages[0]["next"]


def test_a_page_holds_still_while_tiers_come(call, key, many_tiers, maya):
    first = call("GET", "tiers?limit=10&ordering=-id", by=key).json()
    drafting.add_tier(many_tiers, by=maya, name="Newest", threshold=9999)
    parts = urlsplit(first["next"])
    second = call("GET", f"{parts.path}?{parts.query}", by=key).json()
    shown = {tier["id"] for tier in first["results"]}
    assert shown.isdisjoint(tier["id"] for tier in second["results"])


def test_a_cursor_is_good_for_its_own_list_only(call, key, many_tiers):
    first = call("GET", "tiers?limit=5&status=DRAFT", by=key).json()
    cursor = parse_qs(urlsplit(first["next"]).query)["cursor"][0]
    good = f"tiers?limit=7&status=DRAFT&cursor={cursor}"
    assert call("GET", good, by=key).status_code == 200
    for query in (
        f"tiers?limit=5&cursor={cursor}",
        f"tiers?limit=5&status=LIVE&cursor={cursor}",
        f"tiers?limit=5&status=DRAFT&ordering=name&cursor={cursor}",
        f"tiers?limit=5&status=DRAFT&cursor={cursor[:-1]}",
        f"tier-groups?limit=5&cursor={cursor}",
    ):
        assert errors(call("GET", query, by=key)) == {"cursor": "invalid_cursor"}


# Bodies


BODIES = [
    (b"", "malformed_json"),
    (b"[1]", "malformed_json"),
    (b"null", "malformed_json"),
    (b"{", "malformed_json"),
    (b"{} x", "malformed_json"),
    (b"\xef\xbb\xbf{}", "malformed_json"),
    (b'{"note": "\xff"}', "malformed_json"),
    (b'{"a": NaN}', "malformed_json"),
    (b'{"a": ' + b"1" * 5000 + b"}", "malformed_json"),
    (b'{"note": "a", "note": "b"}', "duplicate_key"),
    (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "too_deep"),
    (b'{"a": ' + b"[" * 9 + b"]" * 9 + b"}", "too_deep"),
    (b'{"note": "\\ud800"}', "invalid_text"),
    (b'{"note": "\\u0000"}', "invalid_text"),
]


@pytest.mark.parametrize(("body", "code"), BODIES, ids=lambda value: repr(value)[:24])
def test_a_body_that_is_no_object_in_json_is_refused(body, code, call, key, draft):
    refused(call("POST", "tiers", body, by=key), 400, code)


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/xml",
        "application/json; charset=utf-7",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
    ],
)
def test_only_json_is_read(kind, call, key):
    response = call("POST", "tiers", b'{"a": 1}', by=key, Content_Type=kind)
    refused(response, 415, "unsupported_media_type")


def test_a_large_body_is_refused(call, key):
    body = b'{"note": "' + b"a" * 1_000_001 + b'"}'
    refused(call("POST", "tiers", body, by=key), 413, "too_large")


CONTENTS = [
    ({"name": "Jade", "foo": 1}, {"foo": "unknown_field"}),
    ({"name": 5}, {"name": "invalid_text"}),
    ({"name": "\u200b"}, {"name": "invalid_text"}),
    ({"name": "a\nb"}, {"name": "invalid_text"}),
    ({"name": "\u202egold"}, {"name": "invalid_text"}),
    ({"name": " "}, {"name": "blank"}),
    ({"name": "x" * 129}, {"name": "max_length"}),
    ({"name": None}, {"name": "null"}),
    ({}, {"name": "required"}),
    ({"threshold": 0.1}, {"threshold": "invalid_decimal"}),
    ({"threshold": "1_000"}, {"threshold": "invalid_decimal"}),
    ({"threshold": "\uff11\uff12"}, {"threshold": "invalid_decimal"}),
    ({"threshold": "1,50"}, {"threshold": "invalid_decimal"}),
    ({"threshold": "1.00001"}, {"threshold": "too_many_decimals"}),
    ({"threshold": "1E1000000"}, {"threshold": "invalid_decimal"}),
    ({"threshold": "-1"}, {"threshold": "out_of_range"}),
    ({"threshold": "9007199254740992"}, {"threshold": "out_of_range"}),
    ({"window_months": "12"}, {"window_months": "invalid_integer"}),
    ({"window_months": True}, {"window_months": "invalid_integer"}),
    ({"window_months": 12.0}, {"window_months": "invalid_integer"}),
    ({"window_months": 0}, {"window_months": "out_of_range"}),
    ({"window_months": 37}, {"window_months": "out_of_range"}),
    ({"measured_balance": "1"}, {"measured_balance": "invalid_integer"}),
    ({"measured_balance": True}, {"measured_balance": "invalid_integer"}),
    ({"entry": "measured"}, {"entry": "invalid_choice"}),
    ({"always": "true"}, {"always": "invalid_flag"}),
    ({"start_date": "2026-01-01"}, {"start_date": "invalid_instant"}),
    ({"start_date": "2026-01-01T00:00:00"}, {"start_date": "offset_required"}),
    ({"start_date": "0001-01-01T00:00:00+14:00"}, {"start_date": "out_of_range"}),
    ({"start_date": "2026-02-30T00:00:00Z"}, {"start_date": "invalid_instant"}),
    ({"color": "red"}, {"color": "invalid"}),
    ({"icon": {"url": "javascript:alert(1)"}}, {"icon": "invalid_image"}),
    ({"icon": {"url": "https://x", "alt": "\u202e"}}, {"icon": "invalid_text"}),
    ({"upgrade_channels": "SMS"}, {"upgrade_channels": "not_channels"}),
    ({"renewal_conditions": []}, {"renewal_conditions": "not_an_object"}),
    ({"access_conditions": [{"minimum": 5}]}, {"access_conditions": "invalid"}),
    ({"conditions": [{"type": "TRACKER"}]}, {"conditions": "invalid"}),
    ({"reward_refs": ["x" * 9000]}, {"reward_refs": "too_large"}),
    ({"period_type": "FIXED"}, {"period_value": "invalid", "start_date": "invalid"}),
    ({"entry": "BASE"}, {"threshold": "invalid"}),
]


@pytest.mark.parametrize(
    ("content", "codes"), CONTENTS, ids=lambda value: str(value)[:40]
)
def test_a_wording_that_cannot_be_is_refused_field_by_field(
    content, codes, call, key, group
):
    before = TierVersion.objects.count()
    whole = content if not content else {"name": "Jade", "threshold": "5", **content}
    body = {"group": group.pk, "content": whole}
    found = errors(call("POST", "tiers", body, by=key))
    assert found == {f"/content/{name}": code for name, code in codes.items()}
    # Nothing was written, and whatever reads it all still can.
    assert TierVersion.objects.count() == before
    assert call("GET", "tiers", by=key).status_code == 200


@pytest.mark.parametrize(
    "name",
    ["id", "status", "approved_by", "customer_count", "slab_id", "is_admin", "uuid"],
)
def test_nobody_sets_what_is_ours(name, call, key, group, draft):
    content = {"name": "Jade", "threshold": "5"}
    for body in (
        {"group": group.pk, "content": content, name: 1},
        {"group": group.pk, "content": {**content, name: 1}},
    ):
        (code,) = errors(call("POST", "tiers", body, by=key)).values()
        assert code == "unknown_field"
    path = f"tiers/{draft.tier_id}/draft"
    for body in ({name: 1}, {"content": {name: 1}}):
        response = call("PATCH", path, body, by=key, If_Match="*")
        (code,) = errors(response).values()
        assert code == "unknown_field"
    draft.refresh_from_db()
    assert draft.revision == 1


# Twice


def test_a_request_with_a_key_is_carried_out_once(call, key, group):
    body = {"group": group.pk, "content": {"name": "Jade", "threshold": "5000"}}
    again = {"content": {"threshold": "5000", "name": "Jade"}, "group": group.pk}
    first = call("POST", "tiers", body, by=key, Idempotency_Key="jade-1")
    second = call("POST", "tiers", again, by=key, Idempotency_Key="jade-1")
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content
    assert first.headers["ETag"] == second.headers["ETag"]
    assert first.headers["Location"] == second.headers["Location"]
    assert TierVersion.objects.filter(name="Jade").count() == 1
    other = {"group": group.pk, "content": {"name": "Ruby", "threshold": "5000"}}
    late = call("POST", "tiers", other, by=key, Idempotency_Key="jade-1")
    refused(late, 422, "idempotency_key_reused")
    # Another address is another request.
    group_body = {"program": group.program_id, "content": {"name": "Jade"}}
    elsewhere = call(
        "POST", "tier-groups", group_body, by=key, Idempotency_Key="jade-1"
    )
    assert elsewhere.status_code == 201


def test_the_key_of_a_request_names_its_address_too(call, key, group):
    silver, gold = (
        factories.live_tier(group, name).tier_id for name in ("Silver", "Gold")
    )
    done = call("POST", f"tiers/{silver}/draft", {}, by=key, Idempotency_Key="k")
    assert done.status_code == 201
    other = call("POST", f"tiers/{gold}/draft", {}, by=key, Idempotency_Key="k")
    refused(other, 422, "idempotency_key_reused")


@pytest.mark.parametrize("value", ["", "a b", "x" * 256, "a,b", "\u00fc"])
def test_a_key_of_a_request_that_cannot_be_kept_is_refused(value, call, key, group):
    body = {"group": group.pk, "content": {"name": "Jade", "threshold": "5"}}
    response = call("POST", "tiers", body, by=key, Idempotency_Key=value)
    refused(response, 400, "idempotency_key_invalid")
    assert not TierVersion.objects.filter(name="Jade").exists()


def test_a_refusal_is_not_kept(call, key, group, draft):
    path = f"tiers/{draft.tier_id}/draft"
    refused(call("POST", path, {}, by=key, Idempotency_Key="k"), 409, "draft_exists")
    assert call("DELETE", path, by=key, If_Match="*").status_code == 204
    again = call("POST", path, {}, by=key, Idempotency_Key="k")
    assert again.status_code == 201


# What was read


def test_a_read_is_not_sent_twice(call, key, draft):
    for path in ("tiers", f"tiers/{draft.tier_id}", f"tiers/{draft.tier_id}/draft"):
        first = call("GET", path, by=key)
        again = call("GET", path, by=key, If_None_Match=first.headers["ETag"])
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["ETag"] == first.headers["ETag"]
        weak = f'W/{first.headers["ETag"]}, "other"'
        assert call("GET", path, by=key, If_None_Match=weak).status_code == 304
        assert call("GET", path, by=key, If_None_Match='"x"').status_code == 200
        assert call("HEAD", path, by=key).headers["ETag"] == first.headers["ETag"]


def test_an_edit_names_what_was_read(call, key, draft):
    path = f"tiers/{draft.tier_id}/draft"
    seen = call("GET", path, by=key).headers["ETag"]
    body = {"content": {"threshold": "1300"}}
    refused(call("PATCH", path, body, by=key), 428, "precondition_required")
    refused(call("DELETE", path, by=key), 428, "precondition_required")
    done = call("PATCH", path, body, by=key, If_Match=seen)
    assert done.json()["content"]["threshold"] == "1300"
    assert done.headers["ETag"] == call("GET", path, by=key).headers["ETag"] != seen
    for method in ("PATCH", "DELETE"):
        late = call(method, path, body, by=key, If_Match=seen)
        refused(late, 412, "precondition_failed")
    listed = f'"x", {done.headers["ETag"]}'
    assert call("DELETE", path, by=key, If_Match=listed).status_code == 204
    refused(call("GET", path, by=key), 404, "not_found")
