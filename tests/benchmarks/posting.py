"""One event and many: posting beside bare inserts and ``COPY``.

A posting and the bare insert stand behind the same middleware, and ask the same who
the caller is and whether they may; they are called in turns, in one process.
"""

import json
import random
import statistics
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from io import BytesIO
from itertools import count
from typing import Any

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.test.client import ClientHandler
from django.test.utils import override_settings
from django.urls import path
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from rest_framework.request import Request

from loyalty import points
from loyalty.models import (
    BalanceDefinition,
    Member,
    PointsEntry,
    PointsRequest,
    Program,
)
from loyalty.models.keys import Scope
from tests import factories
from tests.benchmarks.generator import NOW, Size, vacuum
from tests.benchmarks.measuring import Result, counted, seconds, worker
from tiers import assignment
from tiers.api.access import HasPermission
from tiers.api.authentication import NativeKey
from tiers.api.wix.account_views import EarnPoints
from tiers.models import Standing

LINES = 500
CALLS = 150
CLIENTS = 8
SECONDS = 8
_numbers = count(1)


def _asked(http: HttpRequest) -> Any:
    """Ask who the caller is and whether they may, as every endpoint of ours does."""
    request = Request(http, authenticators=[NativeKey()])
    assert HasPermission().has_permission(request, EarnPoints)
    return json.loads(http.body)


@csrf_exempt
def bare(request: HttpRequest) -> HttpResponse:
    """Insert the entry through the ORM, and nothing else."""
    asked = _asked(request)
    now = timezone.now()
    entry = PointsEntry.objects.create(
        member_id=asked["member"],
        balance_definition_id=asked["definition"],
        kind="EARN" if asked["amount"] > 0 else "ADJUST",
        amount=asked["amount"],
        occurred_at=now,
        window_at=now,
        recorded_at=now,
        request_id=asked["request"],
        sequence=asked["sequence"],
        hash="",
    )
    return HttpResponse(json.dumps({"id": entry.pk}), content_type="application/json")


@csrf_exempt
def post(request: HttpRequest) -> HttpResponse:
    """Find the member, post, and answer with the balance."""
    asked = _asked(request)
    member = Member.objects.get(pk=asked["member"])
    verb = points.earn if asked["amount"] > 0 else points.adjust
    posting = verb(
        member,
        # Posting refuses a balance that is not the program's.
        BalanceDefinition(pk=asked["definition"]),
        asked["amount"],
        reference=asked["reference"],
        source="shop",
        by=None,
    )
    answer = {"balance": posting.lines[0].balance}
    return HttpResponse(json.dumps(answer), content_type="application/json")


urlpatterns = [path("bare", bare), path("post", post)]


def event(size: Size) -> Iterator[Result]:
    """One event of a member with 500 lines, while another process ticks."""
    member = _member_with(LINES)
    definition = Program.objects.get().balance_definitions.get(built_in="POINTS").pk
    own = PointsRequest.objects.filter(member=member)[0].pk
    # The two kinds of line share one series of numbers: the bare ones begin far off.
    sequence = count(10_000_000)

    def bare_call(amount: int) -> dict[str, Any]:
        return {"amount": amount, "request": own, "sequence": next(sequence)}

    def our_call(amount: int) -> dict[str, Any]:
        return {"amount": amount, "reference": f"event-{next(_numbers)}"}

    common = {"member": member, "definition": definition}
    _, key = factories.make_key(User.objects.get(username="admin"), Scope.POINTS)
    with override_settings(ROOT_URLCONF=__name__), _ticks_elsewhere(size):
        theirs, ours = _Caller("/bare", key), _Caller("/post", key)
        # Well above one threshold and below the next.
        ours(common | our_call(500))
        for name, hold, amounts in (
            ("one event, no move", 3, (1, 1)),
            ("one event that moves", 5, (5000, -5000)),
        ):
            yardstick, figure = [], []
            before = Standing.objects.get(member=member).tier_id
            for turn in range(CALLS):
                amount = amounts[turn % 2]
                bare_event = common | bare_call(amount)
                our_event = common | our_call(amount)
                yardstick.append(seconds(partial(theirs, bare_event)))
                figure.append(seconds(partial(ours, our_event)))
                after = Standing.objects.get(member=member).tier_id
                assert (after != before) == (amount != 1), (before, after)
                before = after
                _forget_bare_lines(member)
            with counted() as queries:
                for amount in amounts:
                    ours(common | our_call(amount))
            yield Result(
                name,
                statistics.median(figure) * 1000,
                statistics.median(yardstick) * 1000,
                hold,
                unit="ms",
                queries=queries.count // len(amounts),
            )


def clients(size: Size) -> Iterator[Result]:
    """How many postings a second one client makes, and eight at once."""
    one = _rate(size, 1)
    many = _rate(size, CLIENTS)
    yield Result(f"{CLIENTS} clients posting", many, one, 1.5, unit="/s", at_least=True)


def client(size: Size, number: str) -> Iterator[Result]:
    """Post for some seconds, each time for another member; one of several processes."""
    chosen = random.Random(int(number))
    definition = Program.objects.get().balance_definitions.get(built_in="POINTS")
    made = 0
    # Wait for the others to have started as well.
    time.sleep(2)
    until = time.perf_counter() + SECONDS
    while time.perf_counter() < until:
        member = Member.objects.get(pk=chosen.randint(1, size.members))
        points.earn(
            member,
            definition,
            10,
            reference=f"client-{uuid.uuid4()}",
            source="shop",
            by=None,
        )
        made += 1
    yield Result("client", made / SECONDS, None, None, unit="/s")


def intake(size: Size) -> Iterator[Result]:
    """Post many at once, beside copying the same rows into the same tables."""
    number = size.entries // 200
    program = Program.objects.get()
    definition = program.balance_definitions.get(built_in="POINTS").pk
    now = timezone.now()
    chosen = random.Random(1)
    rounds: dict[str, list[float]] = {"ours": [], "copy": []}

    def somebody() -> list[int]:
        # Neither reads what the other has left in memory, nor logs pages for both.
        vacuum("loyalty_member", "loyalty_pointsentry")
        return [chosen.randint(1, size.members) for _ in range(number)]

    for turn in range(3):
        activities = [
            points.Activity(
                member_id=member,
                reference=f"intake-{turn}-{n}",
                lines=(points.Line("EARN", definition, 10),),
                occurred_at=now - timedelta(minutes=n % 600),
            )
            for n, member in enumerate(somebody())
        ]
        ours = partial(points.post_many, program, activities, source="intake", by=None)
        rounds["ours"].append(seconds(ours))
        copy = partial(_copy, program.pk, definition, somebody(), turn)
        rounds["copy"].append(seconds(copy))
    figure, yardstick = (number / statistics.median(t) for t in rounds.values())
    yield Result(
        f"bulk intake, {number:,} activities", figure, yardstick, 1 / 3, "/s", True
    )


def _copy(program: int, definition: int, members: list[int], turn: int) -> None:
    """Copy requests and entries; only what the columns need is made up."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT nextval('loyalty_pointsrequest_id_seq')")
        [first] = cursor.fetchone()
        cursor.execute(
            "SELECT setval('loyalty_pointsrequest_id_seq', %s)", [first + len(members)]
        )
        at = timezone.now().isoformat()
        outcome = json.dumps({"lines": [{"uuid": str(uuid.uuid4()), "amount": 10}]})
        with cursor.copy(
            "COPY loyalty_pointsrequest (id, uuid, program_id, source, reference, "
            "fingerprint, status, outcome, content, member_id, created_at, settled_at) "
            "FROM STDIN"
        ) as copy:
            for n, member in enumerate(members):
                copy.write_row(
                    (first + n, uuid.uuid4(), program, "copy", f"{turn}-{n}", "0" * 64)
                    + ("COMPLETED", outcome, "{}", member, at, at)
                )
        with cursor.copy(
            "COPY loyalty_pointsentry (uuid, member_id, balance_definition_id, kind, "
            "amount, occurred_at, window_at, recorded_at, request_id, description, "
            "meta, sequence, hash) FROM STDIN"
        ) as copy:
            for n, member in enumerate(members):
                copy.write_row(
                    (uuid.uuid4(), member, definition, "EARN", 10, at, at, at)
                    + (first + n, "", "{}", 20_000_000 + turn * 1_000_000 + n, "0" * 64)
                )


def _rate(size: Size, processes: int) -> float:
    started = [worker("client", size, str(n)) for n in range(processes)]
    made = 0.0
    for process in started:
        output, _ = process.communicate()
        made += json.loads(output)["figure"]
    return made


@contextmanager
def _ticks_elsewhere(size: Size) -> Iterator[None]:
    process = worker("ticking", size)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def ticking(size: Size) -> Iterator[Result]:
    """Tick for ever, once a second, when the history ends: nobody is due long since."""
    while True:
        assignment.recalculate(Program.objects.get(), as_of=NOW)
        time.sleep(1)
        yield from ()


def _member_with(lines: int) -> int:
    """Give somebody who has few lines this many, small ones, over two years."""
    member = Member.objects.order_by("chain_length", "pk")[0]
    definition = member.program.balance_definitions.get(built_in="POINTS").pk
    now = timezone.now()
    points.post_many(
        member.program,
        [
            points.Activity(
                member_id=member.pk,
                reference=f"event-past-{n}",
                lines=(points.Line("EARN", definition, 1),),
                occurred_at=max(now - timedelta(days=1.4 * n + 1), member.created_at),
            )
            for n in range(lines - member.chain_length)
        ],
        source="shop",
        by=None,
    )
    return member.pk


def _forget_bare_lines(member: int) -> None:
    """Take the yardstick's line away, that it counts for nobody."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(
            "DELETE FROM loyalty_pointsentry WHERE member_id = %s "
            "AND sequence >= 10000000",
            [member],
        )
        cursor.execute("RESET session_replication_role")


class _Caller:
    """Calls an address through the whole stack, as WSGI would."""

    def __init__(self, address: str, key: str) -> None:
        self.address = address
        self.key = key
        self.handler = ClientHandler(enforce_csrf_checks=False)

    def __call__(self, body: dict[str, Any]) -> None:
        sent = json.dumps(body).encode()
        response: Any = self.handler(
            {
                "REQUEST_METHOD": "POST",
                "PATH_INFO": self.address,
                "SERVER_NAME": "localhost",
                "SERVER_PORT": "80",
                "REMOTE_ADDR": "127.0.0.1",
                "HTTP_HOST": "localhost",
                "HTTP_AUTHORIZATION": f"Api-Key {self.key}",
                "CONTENT_TYPE": "application/json",
                "CONTENT_LENGTH": str(len(sent)),
                "wsgi.url_scheme": "http",
                "wsgi.input": BytesIO(sent),
            }
        )
        assert response.status_code == 200, response.content
