"""``manage.py up`` as a whole: what it starts, and that nothing of it stays."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.conf import settings

from tests.servers import scratch_folder


class Up:
    """A running copy in a data folder of its own."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as trial:
            trial.bind(("127.0.0.1", 0))
            self.port = trial.getsockname()[1]
        self.folder = folder
        # A secret of its own: every process of this copy carries it.
        self.mark = f"mark-of-{self.port}-{os.getpid()}"
        self.env = {
            "PATH": os.environ["PATH"],
            "DEBUG": "false",  # No demo: it takes its time.
            "SECRET_KEY": f"for-tests-only-{self.mark}",
            "DATA_DIR": str(folder),
            "PORT": str(self.port),
        }
        self.process = self.start()

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "manage.py", "up"],
            cwd=settings.BASE_DIR,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def wait_until_greeted(self) -> str:
        assert self.process.stdout is not None
        said = ""
        for line in self.process.stdout:
            said += line
            if "Started in" in line:
                return said
        raise AssertionError(f"It ended before it was ready: {said}")

    def processes(self) -> list[int]:
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal():
                try:
                    environ = (entry / "environ").read_bytes()
                    command = (entry / "cmdline").read_bytes()
                except OSError:
                    continue
                # Valkey writes its title over its environment, socket included.
                if self.mark.encode() in environ or bytes(self.folder) in command:
                    found.append(int(entry.name))
        return found

    def is_gone_within(self, seconds: float) -> bool:
        until = time.monotonic() + seconds
        while self.processes():
            if time.monotonic() > until:
                return False
            time.sleep(0.1)
        return True

    def ready(self) -> dict[str, object]:
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        client.request("GET", "/readyz")
        answer: dict[str, object] = json.loads(client.getresponse().read())
        client.close()
        return answer


@contextmanager
def copy_in(folder: Path) -> Iterator[Up]:
    up = Up(folder)
    try:
        yield up
    finally:
        up.process.kill()
        up.process.communicate()
        for pid in up.processes():
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def folder() -> Iterator[Path]:
    # Not pytest's folder: the path of the broker's socket would be too long for it.
    with scratch_folder() as folder:
        yield folder


@pytest.fixture
def starting(folder: Path) -> Iterator[Up]:
    """A copy that starts for the first time, and makes its database."""
    with copy_in(folder) as up:
        yield up


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder as a first start leaves it; to migrate takes most of a start."""
    folder = tmp_path_factory.mktemp("migrated")
    env = {
        "PATH": os.environ["PATH"],
        "SECRET_KEY": "for-tests-only",
        "DATA_DIR": str(folder),
    }
    command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(command, cwd=settings.BASE_DIR, env=env, check=True)
    return folder


@pytest.fixture
def running(folder: Path, migrated: Path) -> Iterator[Up]:
    """A copy that has been started before."""
    shutil.copytree(migrated, folder, dirs_exist_ok=True)
    with copy_in(folder) as up:
        yield up


def test_it_starts_all_parts_and_a_second_copy_is_refused(starting: Up):
    said = starting.wait_until_greeted()
    assert f"Tierwright is running at http://localhost:{starting.port}/" in said
    assert starting.ready() == {
        "status": "ok",
        "checks": {"database": "ok", "migrations": "ok", "broker": "ok"},
    }
    # The supervisor, the broker, gunicorn and its worker, Celery, and beat in time.
    assert len(starting.processes()) >= 5

    second = starting.start()
    output, _ = second.communicate(timeout=30)
    assert second.returncode == 75
    assert output.startswith("CommandError: Tierwright is already running here since ")
    assert "Traceback" not in output

    started = time.monotonic()
    starting.process.send_signal(signal.SIGINT)
    output, _ = starting.process.communicate(timeout=30)
    assert time.monotonic() - started < 5
    assert starting.process.returncode == 0
    assert output.endswith("Stopped.\n")
    assert starting.is_gone_within(0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_however_it_is_ended(running: Up, number: signal.Signals):
    running.wait_until_greeted()
    running.process.send_signal(number)
    assert running.is_gone_within(5)


def test_it_ends_when_one_of_its_parts_does(running: Up):
    running.wait_until_greeted()
    valkey = [
        pid
        for pid in running.processes()
        if b"valkey-server" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    os.kill(valkey[0], signal.SIGKILL)
    output, _ = running.process.communicate(timeout=30)
    assert running.process.returncode == 1
    assert "broker ended by itself (exit code -9)." in output
    assert running.is_gone_within(0)
