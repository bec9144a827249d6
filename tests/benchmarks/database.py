"""A PostgreSQL of the benchmarks' own, and databases that are copies of templates.

The generated ledger is built once a size and kept in ``TIERWRIGHT_BENCH_DIR`` (by
default ``var/bench``). Each benchmark works on a copy, so that none finds what another
left behind. The server writes through to disk.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests import servers
from tests.run import ROOT, environment

FOLDER = Path(os.environ.get("TIERWRIGHT_BENCH_DIR", ROOT / "var" / "bench"))
#: What an administrator of a machine of this size sets; the rest is as it comes.
SETTINGS = (
    "shared_buffers=2GB",
    "work_mem=64MB",
    "effective_cache_size=8GB",
    "random_page_cost=1.1",
    "max_wal_size=8GB",
    "checkpoint_timeout=30min",
    "jit=off",
)


@contextmanager
def server() -> Iterator[str]:
    """Yield the DATABASE_URL of the kept server's database of administration."""
    with servers.postgresql(
        durable=True, data=FOLDER / "postgresql", settings=SETTINGS
    ) as url:
        yield url


def url_of(server_url: str, database: str) -> str:
    return server_url.replace("/postgres?", f"/{database}?")


def prepare(server_url: str, size: str) -> str:
    """Build the ledger of a size if it is not there; return its template's name."""
    template = f"ledger_{size}"
    building = f"{template}_in_the_making"
    url = url_of(server_url, template)
    with _administration(server_url) as connection:
        if _exists(connection, template):
            manage({"DATABASE_URL": url}, "migrate", "-v0")
            return template
        drop(server_url, building)
        connection.execute(f"CREATE DATABASE {building}")
    url = url_of(server_url, building)
    manage({"DATABASE_URL": url}, "migrate", "-v0")
    python({"DATABASE_URL": url}, "-m", "tests.benchmarks.worker", "build", size)
    with _administration(server_url) as connection:
        connection.execute(f"ALTER DATABASE {building} RENAME TO {template}")
    return template


def judged(server_url: str, size: str) -> str:
    """Let the engine judge everybody of a ledger, once; return the template's name."""
    template, building = f"judged_{size}", f"judged_{size}_in_the_making"
    with _administration(server_url) as connection:
        if _exists(connection, template):
            manage({"DATABASE_URL": url_of(server_url, template)}, "migrate", "-v0")
            return template
        drop(server_url, building)
        connection.execute(
            f"CREATE DATABASE {building} TEMPLATE ledger_{size} STRATEGY FILE_COPY"
        )
    url = url_of(server_url, building)
    python({"DATABASE_URL": url}, "-m", "tests.benchmarks.worker", "judge", size)
    with _administration(server_url) as connection:
        connection.execute(f"ALTER DATABASE {building} RENAME TO {template}")
    return template


@contextmanager
def copy(server_url: str, template: str) -> Iterator[str]:
    """Yield the DATABASE_URL of a copy, which is dropped in the end."""
    name = f"{template}_copy"
    drop(server_url, name)
    with _administration(server_url) as connection:
        connection.execute(
            f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY"
        )
        connection.execute("CHECKPOINT")
    try:
        yield url_of(server_url, name)
    finally:
        drop(server_url, name)


def drop(server_url: str, name: str) -> None:
    with _administration(server_url) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def manage(env: Mapping[str, str], *arguments: str) -> None:
    python(env, "manage.py", *arguments)


def python(env: Mapping[str, str], *arguments: str) -> None:
    subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment(dict(env)),
        check=True,
    )


@contextmanager
def _administration(server_url: str) -> Iterator[psycopg.Connection]:
    host = server_url.partition("host=")[2]
    with psycopg.connect(
        host=host, user="postgres", dbname="postgres", autocommit=True
    ) as connection:
        yield connection


def _exists(connection: psycopg.Connection, name: str) -> bool:
    row = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
    return row.fetchone() is not None
