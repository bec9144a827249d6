"""The list API beside a bare Django view that sends the same document.

Both stand behind the same middleware and ask the same who the caller is and whether
they may; they are called in turns in one process, since code is compared, not sockets.
The bare view runs one hand-written join and ``json.dumps``; it knows program 973 by
heart and checks nothing.
"""

import base64
import json
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test.client import ClientHandler
from django.urls import include, path
from rest_framework.request import Request

from tests.tiers.api import gemstone
from tiers.api.access import HasPermission
from tiers.api.authentication import BasicAuthentication
from tiers.api.capillary.views import TierList

ROUNDS = 15
CALLS = 60
HOLD = 0.5

JOIN = """
SELECT v.status, v.object_id, v.name, v.description, v.color, v.threshold,
       v.upgrade_type, v.upgrade_channels, v.period_type, v.period_value, v.start_date,
       v.downgrade_to, v.created_at, v.created_by_id, v.updated_at, v.updated_by_id,
       t.slab_id, t.number, t.serial_number, t.first_live_at, t.customer_count,
       t.counted_at, p.renewal_channels, p.downgrade_channels, p.reminder_channels,
       count(*) FILTER (WHERE v.status = 'LIVE') OVER () + 1
FROM tiers_tierversion v
JOIN tiers_tier t ON t.id = v.tier_id
JOIN tiers_tiergroup g ON g.id = t.group_id AND g.is_default
JOIN loyalty_programversion p ON p.program_id = t.program_id AND p.status = 'LIVE'
WHERE t.program_id = %s AND (v.status = 'LIVE' OR v.status = 'DRAFT')
ORDER BY t.serial_number NULLS LAST, v.status DESC
"""


def bare(http: HttpRequest) -> HttpResponse:
    request = Request(http, authenticators=[BasicAuthentication()])
    assert HasPermission().has_permission(request, TierList)
    with connection.cursor() as cursor:
        cursor.execute(JOIN, [http.GET["programId"]])
        tiers = [bare_entry(*row) for row in cursor.fetchall()]
    document = {"data": {"tiers": tiers}, "errors": None, "warnings": None}
    return HttpResponse(json.dumps(document), content_type="application/json")


def instant(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def bare_entry(
    status: str,
    object_id: str,
    name: str,
    description: str,
    color: str,
    threshold: Any,
    upgrade_type: str,
    upgrade_channels: str,
    period_type: str,
    period_value: int | None,
    start_date: datetime | None,
    downgrade_to: str,
    created_at: datetime,
    created_by: int,
    updated_at: datetime,
    updated_by: int,
    slab_id: int,
    number: int,
    serial: int,
    first_live_at: datetime,
    customers: int,
    counted_at: datetime,
    renewal_channels: str,
    downgrade_channels: str,
    reminder_channels: str,
    top: int,
) -> dict[str, Any]:
    eligibility: dict[str, Any] = {"kpiType": "CURRENT_POINTS"}
    if threshold is not None:
        eligibility["threshold"] = int(threshold)
    eligibility["upgradeType"] = upgrade_type
    entry: dict[str, Any] = {
        "name": name,
        "description": description,
        "color": color,
        "serialNumber": serial or top,
        "eligibility": eligibility,
        "meta": {"createdAt": instant(created_at), "updatedAt": instant(updated_at)},
        "status": status,
    }
    renewal: dict[str, Any] = {}
    if period_type:
        renewal = {
            "periodType": period_type,
            "periodValue": str(period_value),
            "unit": "NUM_MONTHS",
            "criteriaType": "Same as eligibility",
        }
        entry["renewal"] = renewal
    if status != "LIVE":
        entry["origin"] = "MONGO_ONLY"
        entry["tierUniqueId"] = f"ut-973-{number:03d}"
        entry["objectId"] = object_id
        entry["meta"] |= {"createdBy": str(created_by), "updatedBy": str(updated_by)}
        return entry
    entry |= {
        "origin": "LEGACY_SQL_ONLY",
        "slabId": slab_id,
        "tierStartDate": instant(first_live_at),
        "customerCount": customers,
        "countRefreshedAt": instant(counted_at),
        "communicationModeConfig": {
            "upgrade": json.loads(upgrade_channels),
            "renewal": json.loads(renewal_channels),
            "downgrade": json.loads(downgrade_channels),
            "reminders": json.loads(reminder_channels),
        },
    }
    if period_type:
        renewal |= {"isFixedTypeWithoutYear": False, "minimumDuration": 0}
        entry["downgrade"] = {"reevaluateOnReturn": False, "dailyEnabled": False}
    if downgrade_to and start_date:
        terms = {
            "conditions": {
                "purchase": "-1",
                "numVisits": "-1",
                "points": "-1",
                "tracker": [],
            },
            "shouldDowngrade": True,
            "always": False,
            "renewalOrderString": [],
        }
        day = start_date.astimezone(UTC).isoformat(timespec="seconds")
        renewal |= terms | {"startDate": day, "downgradeTo": downgrade_to}
        entry["downgrade"] |= terms | {"target": downgrade_to}
    return entry


urlpatterns = [
    path("bare", bare),
    path("", include("config.urls")),
]


def caller(address: str) -> Callable[[], bytes]:
    """Return a function that calls an address through the whole stack."""
    # As WSGI's own, but for leaving the test's connection open.
    handler = ClientHandler(enforce_csrf_checks=False)
    credentials = base64.b64encode(b"aude:demo").decode()

    def call() -> bytes:
        environ = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": address,
            "QUERY_STRING": "programId=973",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_HOST": "localhost",
            "HTTP_ACCEPT": "application/json",
            "HTTP_AUTHORIZATION": f"Basic {credentials}",
            "wsgi.url_scheme": "http",
            "wsgi.input": BytesIO(),
        }
        response: Any = handler(environ)
        assert response.status_code == 200, response.content
        return response.content

    return call


@pytest.mark.urls(__name__)
def test_the_list_makes_half_the_requests_of_a_bare_view(
    maya: User, chen: User, aude: User, settings: Any
) -> None:
    # Development's conveniences cost both sides alike, and hide the difference.
    settings.DEBUG = False
    gemstone.make(maya, chen)
    ours, theirs = caller("/v3/tiers"), caller("/bare")
    assert json.loads(ours()) == json.loads(theirs())
    rates: dict[str, list[float]] = {"ours": [], "bare": []}
    for _ in range(ROUNDS):
        for name, call in (("ours", ours), ("bare", theirs)):
            started = time.perf_counter()
            for _ in range(CALLS):
                call()
            rates[name].append(CALLS / (time.perf_counter() - started))
    mine, yardstick = (statistics.median(rates[name]) for name in ("ours", "bare"))
    print(
        f"\nlist of 9 live tiers and a draft: {mine:.0f} requests/s, bare view "
        f"{yardstick:.0f}/s, ratio {mine / yardstick:.2f} (hold {HOLD})"
    )
    assert mine / yardstick >= HOLD
