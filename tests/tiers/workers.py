"""Real Celery processes on the test's own database, for tests that treat them badly."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from celery import Celery
from django.db import connection
from kombu import Queue

from tests import servers

#: Members judged in one transaction: few, so that a tick has a middle.
CHUNK = 10

_SCRIPT = """
import django
django.setup()
from config.celery import app
from config.children import die_with
from tiers import assignment
die_with({parent})
assignment.CHUNK = {chunk}
app.conf.beat_schedule = {{"tick": {{"task": "tiers.recalculate", "schedule": 0.2}}}}
app.start({arguments})
"""
WORKER = ["worker", "-P", "solo", "-Q", "short,long", "--loglevel", "WARNING"]
WORKER += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
BEAT = ["beat", "--scheduler", "celery.beat:Scheduler", "--max-interval", "1"]
BEAT += ["--pidfile="]


@dataclass
class Plant:
    """A broker, and the processes that were started on it."""

    redis_url: str

    def __post_init__(self) -> None:
        broker = self.redis_url.replace("unix://", "redis+socket://", 1)
        self.app = Celery(broker=broker)
        self.app.conf.task_queues = [Queue("short")]
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, arguments: list[str]) -> "subprocess.Popen[bytes]":
        if arguments[0] == "worker":
            arguments = [*arguments, "-n", f"w{len(self.processes)}@localhost"]
        script = _SCRIPT.format(
            parent=os.getpid(), chunk=CHUNK, arguments=repr(arguments)
        )
        env = {
            **os.environ,
            "DATABASE_URL": database_url(),
            "REDIS_URL": self.redis_url,
            "DEBUG": "true",
            "DJANGO_SETTINGS_MODULE": "config.settings",
            # Due again as soon as it is done.
            "RECALCULATE_MINUTES": "1",
        }
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", script], env=env
        )
        self.processes.append(process)
        return process

    def ask_for_a_tick(self) -> None:
        self.app.send_task("tiers.recalculate", queue="short")

    def stop(self) -> None:
        for process in self.processes:
            process.send_signal(signal.SIGKILL)
            process.wait()


@contextmanager
def plant() -> Iterator[Plant]:
    with servers.valkey() as url:
        found = Plant(url)
        try:
            yield found
        finally:
            found.stop()


def database_url() -> str:
    settings = connection.settings_dict
    host = settings.get("HOST") or settings.get("OPTIONS", {}).get("host", "")
    return (
        f"postgres://{settings['USER']}:{settings['PASSWORD']}@/{settings['NAME']}"
        f"?host={host}&port={settings.get('PORT') or 5432}"
    )


def wait_until(true: Callable[[], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "This should have happened long ago."
        time.sleep(0.002)
