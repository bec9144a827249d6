"""One copy of a job at a time: a lock that goes when its process does.

PostgreSQL keeps it with the connection; beside an SQLite database it is a file.
"""

import fcntl
import os
import socket
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.core.management.base import CommandError
from django.db import connection
from django.utils import timezone

from . import arguments

#: Which advisory locks are ours, of all those in a database.
_OURS = zlib.crc32(b"tierwright") & 0x7FFFFFFF


@contextmanager
def alone(job: str) -> Iterator[None]:
    """Do a job under its lock; where somebody has that, say who, and since when."""
    take = _with_the_connection if connection.vendor == "postgresql" else _in_a_file
    with take(job, f"{timezone.now():%Y-%m-%d %H:%M:%S} UTC by {_process()}"):
        yield


@contextmanager
def _with_the_connection(job: str, who: str) -> Iterator[None]:
    key = [_OURS, zlib.crc32(job.encode()) & 0x7FFFFFFF]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", key)
        if cursor.fetchone() == (False,):
            cursor.execute(
                "SELECT max(application_name) FROM pg_stat_activity "
                "JOIN pg_locks USING (pid) WHERE locktype = 'advisory' AND granted "
                "AND classid = %s AND objid = %s AND datname = current_database()",
                key,
            )
            raise _already_running(job, (cursor.fetchone() or [""])[0])
        cursor.execute("SELECT set_config('application_name', %s, false)", [who])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s, %s)", key)


@contextmanager
def _in_a_file(job: str, who: str) -> Iterator[None]:
    database = Path(connection.settings_dict["NAME"])
    # It stays: a file that is removed can be locked by two, each their own.
    with database.with_name(f"{database.name}-{job}.lock").open("a+") as file:
        file.seek(0)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _already_running(job, file.read()) from None
        file.truncate()
        file.write(who)
        file.flush()
        yield


def _already_running(job: str, who: str | None) -> CommandError:
    since = f", running since {who}" if who else ""
    return CommandError(
        f"Another copy of {job} is at work{since}.",
        returncode=arguments.ALREADY_RUNNING,
    )


def _process() -> str:
    # PostgreSQL shows 63 characters of who is connected.
    return f"{socket.gethostname()[:28]}:{os.getpid()}"
