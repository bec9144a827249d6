"""Several people at once, on real threads with a connection each."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from django.db import connection

from loyalty.models import Member
from loyalty.points import accounts
from loyalty.statements import Statement

Act = Callable[[], Any]


#: Members read as posting reads them, but for the lock: what controls put in its place.
UNLOCKED = Statement(
    accounts.MEMBER_FIELDS,
    lambda program, members: Member.objects.filter(
        pk__among=members, program=program
    ).order_by("pk"),
)


class Racers:
    """People who wait for one another at the starting line, again and again."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.pool = ThreadPoolExecutor(number)
        self.line = threading.Barrier(number, timeout=60)
        self.races = 0
        self.seconds = 0.0

    def race(self, *acts: Act) -> list[Any]:
        """Do all acts at once; return what each returned or raised."""
        begin = time.perf_counter()
        futures: list[Future[Any]] = [self.pool.submit(self._run, act) for act in acts]
        outcomes = [future.result() for future in futures]
        self.seconds += time.perf_counter() - begin
        self.races += 1
        return outcomes

    def _run(self, act: Act) -> Any:
        # Each thread holds one act until all have one, so none runs two.
        self.line.wait()
        try:
            return act()
        except Exception as refusal:
            return refusal

    def close(self) -> None:
        # Looked up in the thread: each has a connection of its own.
        self.race(*[lambda: connection.close()] * self.number)
        self.pool.shutdown()


@contextmanager
def racers(number: int = 2) -> Iterator[Racers]:
    people = Racers(number)
    try:
        yield people
    finally:
        people.close()


def somebody_waits() -> bool:
    """Tell whether a session waits for a lock, in this database: another one's tests
    may run on the same server."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT 1 FROM pg_stat_activity "
            "WHERE wait_event_type = 'Lock' AND datname = current_database())"
        )
        return bool(cursor.fetchone()[0])
