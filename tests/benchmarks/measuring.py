"""One line of the table: what was measured, beside what, and whether it holds."""

import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from django.db import connection

from tests.benchmarks.generator import Size
from tests.run import ROOT


@dataclass
class Result:
    """A figure and its yardstick, both in ``unit``."""

    name: str
    figure: float
    yardstick: float | None
    #: How many times the yardstick is allowed, or with ``at_least`` has to be reached.
    hold: float | None
    unit: str = "s"
    at_least: bool = False
    #: Not more than this, in ``unit``, whatever the yardstick.
    below: float | None = None
    queries: int | None = None
    memory: float = 0
    note: str = ""

    def __post_init__(self) -> None:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        self.memory = self.memory or peak / 1024

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass
class Queries:
    """Counts statements as they are sent."""

    count: int = 0
    sent: list[str] = field(default_factory=list)

    def __call__(self, execute: Any, sql: str, *rest: Any) -> Any:
        self.count += 1
        self.sent.append(sql)
        return execute(sql, *rest)


@contextmanager
def counted() -> Iterator[Queries]:
    queries = Queries()
    with connection.execute_wrapper(queries):
        yield queries


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def medians(rounds: int, *works: Callable[[], object]) -> list[float]:
    """Return the median seconds of each, run in turns."""
    taken: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for times, work in zip(taken, works, strict=True):
            times.append(seconds(work))
    return [statistics.median(times) for times in taken]


def worker(what: str, size: Size, *more: str) -> subprocess.Popen[bytes]:
    """Start a process of its own for one piece of a benchmark."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.worker", what, size.name, *more],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
