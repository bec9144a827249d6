"""The catalogue of what nobody should ask for: paths, methods, parameters."""

import re
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from tests.tiers.api.native.catalogue import Write, ids, views, writes
from tests.tiers.api.native.conftest import API, errors, refused, without_id
from tests.tiers.api.native.poison import lists, send, sue, unchanged
from tiers.api.native import filters, paging, standing

__all__ = ["ids", "send", "sue", "unchanged"]

ROUTES: dict[str, dict[str, Any]] = {}
for each_method, each_route, each_name, each_view in views():
    ROUTES.setdefault(each_route, {})[each_method] = (each_name, each_view)
WITH_ID = [route for route in ROUTES if "<" in route and "problems" not in route]


def at(route: str, pk: str) -> str:
    """Name the same id at every place of a route."""
    return re.sub(r"<(\w+):\w+>", pk, route)


# Paths

NO_IDS = [
    "0",
    "-1",
    "+1",
    "%2B1",
    "01",
    "1%20",
    "%201",
    "1.0",
    "1e0",
    "0x1",
    "1_0",
    "%EF%BC%91",
    "%D9%A1",
    "%00",
    "1%00",
    "%FF",
    "%0A",
    "1%0d%0aSet-Cookie:%20a=b",
    "abc",
    "null",
    "1;x",
    "..",
    "%2e%2e",
    "1'%20OR%20'1'='1",
    "9223372036854775808",
    "99999999999999999999",
    "1" * 2000,
    "11111111-1111-4111-8111-11111111111G",
    "{11111111-1111-4111-8111-111111111111}",
    "urn:uuid:11111111-1111-4111-8111-111111111111",
    "11111111111141118111111111111111",
    "AAAAAAAA-1111-4111-8111-111111111111",
]
NOBODYS = {
    "number": "999999999999999999",
    "uuid": "99999999-9999-4999-8999-999999999999",
}


@pytest.mark.parametrize("route", WITH_ID)
@pytest.mark.usefixtures("unchanged")
def test_50_and_51_an_id_that_is_none_reads_as_one_that_there_is_not(route, call, sue):
    nobodys = at(route, NOBODYS["uuid" if "uuid" in route else "number"])
    for method in ROUTES[route]:
        body: Any = None if method in ("GET", "DELETE", "HEAD") else {}
        other = call(method, nobodys, body, by=sue, If_Match="*")
        for pk in NO_IDS:
            found = call(method, at(route, pk), body, by=sue, If_Match="*")
            assert found.status_code == 404, pk
            if method == "GET":
                assert without_id(found) == without_id(other), pk


@pytest.mark.usefixtures("unchanged")
def test_50_an_id_of_nothing_is_not_found_by_any_write(send, sue, ids):
    for name, write in writes(ids).items():
        nobodys = re.sub(r"/\d+(?=/|$)", f"/{NOBODYS['number']}", write.path)
        nobodys = re.sub(r"/[0-9a-f-]{36}", f"/{NOBODYS['uuid']}", nobodys)
        if nobodys != write.path:
            elsewhere = Write(write.method, nobodys, write.body, write.by_person)
            refused(send(elsewhere), 404, "not_found"), name


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1//tiers",
        "/api/v1/tiers/",
        "/api/v1/tiers//",
        "//api/v1/tiers",
        "/api/v1/tiers%00",
        "/api/v1/%74iers%20",
        "/api/v1/Tiers",
        "/api/v1/tiers;a=b",
        "/api/v1/../v1/tiers",
        "/api/v1/tiers/%2e",
        "/api/v2/tiers",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "OPTIONS", "TRACE", "COPY"])
def test_an_address_has_one_spelling(path, method, call, key):
    answer = call(method, path, by=key)
    assert answer.status_code == 404
    assert not answer.headers.get("Location")
    if path.startswith("/api/v1/"):
        refused(answer, 404, "not_found")


def test_every_address_below_ours_is_answered_in_our_words(call, key):
    for path in ("nonsense", "%FF", "%00", "a" * 4000, "tiers/1/2/3/4", "\u202e"):
        refused(call("GET", f"{API}/{path}", by=key), 404, "not_found")


# Methods


@pytest.mark.parametrize(
    "method", ["PUT", "OPTIONS", "TRACE", "CONNECT", "COPY", "PROPFIND", "BREW", "get"]
)
@pytest.mark.usefixtures("unchanged")
def test_70_a_method_that_an_address_has_not_got(method, call, sue, ids):
    for route, methods in ROUTES.items():
        kind = "uuid" if "uuid" in route else "number"
        pk = "not_found" if "problems" in route else NOBODYS[kind]
        answer = call(method, at(route, pk), by=sue)
        if method == "get":
            # Case matters to the standard, not to Django.
            assert answer.status_code in (200, 400, 404, 405)
            continue
        refused(answer, 405, "method_not_allowed")
        allowed = set(answer.headers["Allow"].split(", "))
        assert allowed - {"HEAD"} == set(methods) - {"HEAD"}, route


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "PATCH", "PUT"])
@pytest.mark.usefixtures("unchanged")
def test_70_what_only_writes_is_not_read_and_history_not_rewritten(
    method, call, sue, ids
):
    for route, methods in ROUTES.items():
        kind = "uuid" if "uuid" in route else "number"
        if method not in methods and not (method == "HEAD" and "GET" in methods):
            pk = "not_found" if "problems" in route else NOBODYS[kind]
            answer = call(method, at(route, pk), by=sue)
            assert answer.status_code == 405, (method, route)


# Parameters of lists

LISTS = lists()
PAGED = [r for r, view in LISTS.items() if view.pagination_class is paging.CursorPaging]
FEED = next(r for r, view in LISTS.items() if view is standing.TierChanges)
#: {what is asked: the code of the parameter in front}
QUERIES = {
    "limit=-1": "invalid_limit",
    "limit=0": "invalid_limit",
    "limit=abc": "invalid_limit",
    "limit=": "invalid_limit",
    "limit=1000000": "invalid_limit",
    "limit=1.0": "invalid_limit",
    "limit=010": "invalid_limit",
    "limit=%2B5": "invalid_limit",
    "limit=1e1": "invalid_limit",
    "limit=%EF%BC%91": "invalid_limit",
    "limit=%D9%A3": "invalid_limit",
    "limit=10&limit=1000000": "repeated_parameter",
    "limit=10&limit=10": "repeated_parameter",
    "limit%5B%5D=10": "unknown_filter",
    "offset=99999999999999999999999": "unknown_filter",
    "page=2": "unknown_filter",
    "format=xml": "unknown_filter",
    "programm=1": "unknown_filter",
    "api_key=abc": "unknown_filter",
    "name__regex=(a%2B)%2B%24": "unknown_filter",
    "program__name=x": "unknown_filter",
    "pk__gt=0": "unknown_filter",
    "_connector=OR": "unknown_filter",
    "_negated=1": "unknown_filter",
    "a.b=1": "unknown_filter",
    "a%00=1": "unknown_filter",
    "%FF=1": "unknown_filter",
    "%E2%80%AEtimil=1": "unknown_filter",
}
OF_PAGES = {
    "cursor=": "invalid_cursor",
    "cursor=x": "invalid_cursor",
    "cursor=e30:x": "invalid_cursor",
    "cursor=.eJwDAAAAAAE:x": "invalid_cursor",
    "cursor=%00": "invalid_text",
    "cursor=%F0%9F%A5%87": "invalid_cursor",
    "cursor=" + "a" * 5000: "invalid_cursor",
    "ordering=password": "unknown_ordering",
    "ordering=-nope": "unknown_ordering",
    "ordering=": "unknown_ordering",
    "ordering=-": "unknown_ordering",
    "ordering=--id": "unknown_ordering",
    "ordering=id,-id": "unknown_ordering",
    "ordering=ID": "unknown_ordering",
    "ordering=%3F": "unknown_ordering",
    "ordering=pk": "unknown_ordering",
    "ordering=program__name": "unknown_ordering",
    "ordering=id&ordering=id": "repeated_parameter",
    "cursor=x&cursor=x": "repeated_parameter",
}


@pytest.mark.parametrize("query", QUERIES | OF_PAGES)
@pytest.mark.usefixtures("unchanged")
def test_52_to_59_a_parameter_that_cannot_be(query, call, sue):
    name = next(iter(parse_qs(query, keep_blank_values=True)))
    for route in LISTS if query in QUERIES else PAGED:
        found = errors(call("GET", f"{route}?{query}", by=sue))
        assert found == {name: (QUERIES | OF_PAGES)[query]}, route


@pytest.mark.usefixtures("unchanged")
def test_53_a_cursor_is_good_for_one_list_and_as_it_was_given(call, sue):
    cursors = {}
    for route in PAGED:
        address = call("GET", f"{route}?limit=1", by=sue).json()["next"]
        if address:
            cursors[route] = parse_qs(urlsplit(address).query)["cursor"][0]
    assert len(cursors) > 5
    for route in PAGED:
        own = cursors.get(route, "")
        content, _, signature = own.rpartition(":")
        forged = (content, f"{content[:-1]}A:{signature}", own + "A")
        for cursor in {*cursors.values(), *(forged if own else ())}:
            answer = call("GET", f"{route}?limit=1&cursor={quote(cursor)}", by=sue)
            if cursor == own:
                assert answer.status_code == 200
            else:
                assert errors(answer) == {"cursor": "invalid_cursor"}


@pytest.mark.parametrize(
    ("search", "code"),
    [
        ("%00", "invalid_text"),
        ("%FF", "invalid_text"),
        ("a%0Ab", "invalid_text"),
        ("%E2%80%AEa", "invalid_text"),
        ("%ED%A0%80", "invalid_text"),
        ("a" * 101, "search_too_long"),
        ("a%20" * 2000, "search_too_long"),
    ],
)
@pytest.mark.usefixtures("unchanged")
def test_56_and_57_a_search_that_cannot_be(search, code, call, sue):
    searched = [route for route, view in LISTS.items() if view.search_fields]
    assert len(searched) > 4
    for route in searched:
        found = errors(call("GET", f"{route}?search={search}", by=sue))
        assert found == {"search": code}, route


@pytest.mark.parametrize(
    "search", ["%25", "_", "'", '"', "%5C", "(", "zq%20" * 25, "*"]
)
@pytest.mark.usefixtures("unchanged")
def test_57_a_search_is_for_what_was_written(search, call, sue):
    for route, view in LISTS.items():
        if view.search_fields:
            answer = call("GET", f"{route}?search={search}", by=sue)
            assert answer.json()["results"] == [], route


VALUES: dict[Any, tuple[str, ...]] = {
    filters.NumberFilter: ("", "x", "1.0", "01", "+1", "1e3", "１", "٣", "9" * 19),
    filters.AmountFilter: ("", "x", "1e3", "1_0", "-1", "1,5", "NaN", "１", "9" * 17),
    filters.InstantFilter: (
        *("", "x", "2026-01-01", "2026-01-01T00:00:00", "2026-02-30T00:00:00Z"),
        *("0000-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00", "1767744000"),
        "２０２６-01-01T00:00:00Z",
    ),
    filters.DayFilter: ("", "x", "2026-02-30", "2026-1-1", "20260101", "0000-01-01"),
    filters.UuidFilter: (
        "",
        "x",
        f"{{{NOBODYS['uuid']}}}",
        NOBODYS["uuid"].upper()[1:],
    ),
    filters.FlagFilter: ("", "x", "1", "True", "TRUE", "yes", "null"),
    filters.ChoiceFilter: ("", "x", "live", "LIVE ", "ＬＩＶＥ", "LIVE,DRAFT"),
    filters.TextFilter: ("a\u202eb", "a\nb", "\u200b", "x" * 256, "\x07"),
}
EMPTY_TOO = ("invalid_", "out_of_range", "offset_required", "blank", "max_length")


@pytest.mark.parametrize("place", range(9))
@pytest.mark.usefixtures("unchanged")
def test_58_a_filter_with_a_value_that_cannot_be(place, call, sue):
    for route, view in LISTS.items():
        asked = {}
        for name, each in view.filterset_class.base_filters.items():
            values = VALUES[type(each)]
            if place < len(values):
                asked[name] = values[place]
        query = "&".join(f"{name}={quote(value)}" for name, value in asked.items())
        if query:
            found = errors(call("GET", f"{route}?{query}", by=sue))
            assert set(found) == set(asked), route
            assert all(code.startswith(EMPTY_TOO) for code in found.values()), found


@pytest.mark.parametrize("query", ["after=-1", "after=x", "after=", "after=01"])
def test_the_feed_goes_on_at_a_position(query, call, sue):
    [code] = errors(call("GET", f"{FEED}?{query}", by=sue)).values()
    assert code in ("invalid_integer", "out_of_range")


def test_parameters_belong_to_addresses_that_describe_them(call, sue, ids):
    others = [r for r in ROUTES if r not in LISTS and "GET" in ROUTES[r]]
    for route in others:
        pk = str(ids["begun"] if "uuid" in route else ids["ada"])
        answer = call("GET", f"{at(route, pk)}?status=x", by=sue)
        assert answer.status_code in (400, 404), route


@pytest.mark.usefixtures("unchanged")
def test_63_parameters_of_a_write_are_refused(call, key, sue, ids):
    for write in writes(ids).values():
        by: Any = sue if write.by_person else key
        for query in ("api_key=x", "dry_run=true", "force=1"):
            answer = call(write.method, f"{write.path}?{query}", write.body, by=by)
            assert errors(answer) == {query.partition("=")[0]: "unknown_filter"}
