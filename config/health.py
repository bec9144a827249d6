"""Liveness and readiness, for whoever decides to restart us or send us requests.

``/livez`` touches nothing: a liveness probe that asks the database turns one outage
into two. ``/readyz`` asks for the database and its migrations; a broker that is down
only degrades us, since people and points still come through and ticks find the work
again. Neither names versions or hosts.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

import structlog
from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse

from .celery import app

logger = structlog.get_logger(__name__)

SECONDS = 1.0
NO_ANSWER = "no answer"


class Probe:
    """A question asked in a thread of its own, so that we stop waiting in time.

    While the last asking still hangs, nobody asks again: a probe every few seconds
    must not pile up threads in front of a database that is down.
    """

    def __init__(self, ask: Callable[[], str]) -> None:
        self._ask = ask
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=ask.__name__)
        self._asking: Future[str] | None = None

    def answer(self) -> str:
        if self._asking is None or self._asking.done():
            self._asking = self._thread.submit(self._ask)
        asking = self._asking
        wait([asking], SECONDS)
        if not asking.done():
            return NO_ANSWER
        if error := asking.exception():
            logger.warning("probe_failed", probe=self._ask.__name__, error=repr(error))
            return NO_ANSWER
        return asking.result()


def database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        connection.close()
    return "ok"


def migrations() -> str:
    global _migrated
    if not _migrated:
        try:
            executor = MigrationExecutor(connection)
            _migrated = not executor.migration_plan(executor.loader.graph.leaf_nodes())
        finally:
            connection.close()
    return "ok" if _migrated else "not applied"


# Reading every migration file takes longer than a probe should: once is enough, for
# newer migrations come with newer code.
_migrated = False


def broker() -> str:
    if settings.CELERY_BROKER_URL == "memory://":
        return "none"
    with app.connection_for_write() as broker_connection:
        broker_connection.ensure_connection(max_retries=1, timeout=1)
    return "ok"


NEEDED = {"database": Probe(database), "migrations": Probe(migrations)}
MISSED = {"broker": Probe(broker)}


def readyz() -> JsonResponse:
    needed = {name: probe.answer() for name, probe in NEEDED.items()}
    missed = {name: probe.answer() for name, probe in MISSED.items()}
    if any(answer != "ok" for answer in needed.values()):
        status = "unavailable"
    elif NO_ANSWER in missed.values():
        status = "degraded"
    else:
        status = "ok"
    return JsonResponse(
        {"status": status, "checks": needed | missed},
        status=503 if status == "unavailable" else 200,
    )


class ProbeMiddleware:
    """Answers probes before the host check, the redirect to HTTPS and the log."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path == "/livez":
            response: HttpResponse = JsonResponse({"status": "ok"})
        elif request.path == "/readyz":
            response = readyz()
        else:
            return self.get_response(request)
        response.headers["Cache-Control"] = "no-store"
        return response
