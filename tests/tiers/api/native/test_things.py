"""Programs, groups, tiers and balances: read, drafted, retired, rolled back."""

from typing import Any

import pytest

from tests import factories
from tests.tiers.api.native.conftest import errors, make_key, refused
from tiers.models import TierVersion


def test_smoke(call, key, maya, chen, group, program, draft):
    for path in ("programs", "tier-groups", "tiers", "balance-definitions", "change-sets"):
        r = call("GET", path, by=key)
        assert r.status_code == 200
        first = (r.json()["results"] or [None])[0]
        if first and path != "change-sets":
            r = call("GET", f"{path}/{first['id']}", by=maya)
            assert r.status_code == 200, r.content
            assert r.json() | first == r.json()
            r = call("GET", f"{path}/{first['id']}/versions", by=maya)
            assert r.status_code == 200, r.content
            r = call("GET", f"{path}/{first['id']}/versions/1", by=maya)
            assert r.status_code == 200, r.content
            r = call("GET", f"{path}/{first['id']}/versions/1/difference", by=maya)
            assert r.status_code == 200, r.content
    gold = draft.tier_id
    r = call("GET", f"tiers/{gold}/draft", by=key)
    print(r.content)
    etag = r.headers["ETag"]
    r = call("PATCH", f"tiers/{gold}/draft", {"content": {"threshold": "1300"}}, by=key)
    refused(r, 428, "precondition_required")
    r = call("PATCH", f"tiers/{gold}/draft", {"content": {"threshold": "1300"}}, by=key, If_Match=etag)
    assert r.status_code == 200, r.content
    v = r.json()
    r = call("PATCH", f"tiers/{gold}/draft", {"content": {"threshold": "1300"}}, by=key, If_Match=etag)
    refused(r, 412, "precondition_failed")
    r = call("POST", "change-sets", {"versions": [{"kind": "tier", "id": v["id"], "revision": v["revision"]}]}, by=key, Idempotency_Key="a")
    assert r.status_code == 201, r.content
    print(r.content)
    cs = r.json()
    r = call("GET", f"change-sets/{cs['id']}", by=chen)
    r2 = call("POST", f"change-sets/{cs['id']}/approve", by=key)
    refused(r2, 403, "human_required")
    r2 = call("POST", f"change-sets/{cs['id']}/approve", by=chen)
    refused(r2, 428, "precondition_required")
    r2 = call("POST", f"change-sets/{cs['id']}/approve", by=chen, If_Match=r.headers["ETag"])
    assert r2.status_code == 200, r2.content
    print(r2.content)
