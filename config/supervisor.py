"""A small process supervisor: starts children, shows their output, stops them all.

Each child leads a process group of its own, so that Ctrl-C in the terminal reaches
the supervisor alone and it decides the order; the kernel kills the children should
the supervisor itself be killed.
"""

import contextlib
import functools
import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Protocol

from .children import die_with

# Together well below the five seconds that people are promised: a busy machine needs
# some of them to see everybody out.
POLITE_SECONDS = 2.0
LAST_SECONDS = 0.5


class Stopped(KeyboardInterrupt):
    """Somebody asked for the end: Ctrl-C, SIGTERM, a closed terminal."""


class ChildDied(Exception):
    """A child ended by itself; without it, the rest is not worth keeping."""


class Writable(Protocol):
    def write(self, text: str, /) -> object: ...

    def flush(self) -> object: ...


@dataclass
class Child:
    name: str
    process: subprocess.Popen[bytes]
    # A server that other children use: it is stopped after them.
    serves_others: bool

    def signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)


class Supervisor:
    def __init__(self, out: Writable) -> None:
        self.out = out
        self.children: list[Child] = []
        self._selector = selectors.DefaultSelector()
        self._leftovers: dict[str, bytes] = {}
        self._asked_to_stop = False
        self._folders: list[tempfile.TemporaryDirectory[str]] = []

    def __enter__(self) -> "Supervisor":
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        # Raises once: a second Ctrl-C must not interrupt the stopping.
        if not self._asked_to_stop:
            self._asked_to_stop = True
            raise Stopped

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        serves_others: bool = False,
    ) -> Child:
        process = subprocess.Popen(
            command,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=functools.partial(die_with, os.getpid()),
        )
        child = Child(name, process, serves_others)
        self.children.append(child)
        assert process.stdout is not None
        self._selector.register(process.stdout, selectors.EVENT_READ, name)
        return child

    def folder(self, *, prefix: str, parent: Path | None) -> Path:
        """A private folder that lasts as long as the children."""
        folder = tempfile.TemporaryDirectory(prefix=prefix, dir=parent)
        self._folders.append(folder)
        return Path(folder.name)

    def run(self, seconds: float | None = None) -> None:
        """Show what children say, for so long or until one of them ends."""
        until = None if seconds is None else time.monotonic() + seconds
        while until is None or time.monotonic() < until:
            left = 0.5 if until is None else min(0.5, until - time.monotonic())
            self._show_output(max(left, 0))
            for child in self.children:
                if child.process.poll() is not None:
                    self._show_output(0)
                    raise ChildDied(
                        f"{child.name} ended by itself "
                        f"(exit code {child.process.returncode})."
                    )

    def wait_for(self, ready: Callable[[], bool], seconds: float) -> bool:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if ready():
                return True
            self.run(0.1)
        return False

    def stop(self) -> None:
        """Ask the children, servers after those who use them; then insist."""
        self._asked_to_stop = True
        clients = [child for child in self.children if not child.serves_others]
        servers = [child for child in self.children if child.serves_others]
        for group, seconds in ((clients, POLITE_SECONDS), (servers, LAST_SECONDS)):
            for child in group:
                child.signal(signal.SIGTERM)
            self._wait_for_end(group, seconds)
            for child in group:
                # Also where the child itself has ended: its group may have not.
                child.signal(signal.SIGKILL)
            for child in group:
                child.process.wait()
        self.children.clear()
        for folder in self._folders:
            folder.cleanup()

    def _wait_for_end(self, children: list[Child], seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if all(child.process.poll() is not None for child in children):
                return
            self._show_output(0.05)

    def _show_output(self, seconds: float) -> None:
        if not self._selector.get_map():
            time.sleep(seconds)
            return
        for key, _ in self._selector.select(seconds):
            data = os.read(key.fd, 65536)
            if not data:
                self._selector.unregister(key.fileobj)
            *lines, rest = (self._leftovers.pop(key.data, b"") + data).split(b"\n")
            self._leftovers[key.data] = rest
            for line in lines:
                text = line.decode(errors="replace").rstrip()
                if text:
                    self.out.write(f"{key.data:>6} | {text}\n")
        self.out.flush()
