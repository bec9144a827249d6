"""The supervisor with real processes, and what ``up`` says when it cannot start."""

import io
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time

import pytest
from django.core.management import CommandError

from config.management.commands import up
from config.supervisor import ChildDied, Supervisor

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(pids, seconds):
    until = time.monotonic() + seconds
    while any(is_alive(pid) for pid in pids):
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture
def supervisor():
    """A supervisor that leaves the signal handlers of the test run alone."""
    supervisor = Supervisor(io.StringIO())
    yield supervisor
    supervisor.stop()


def test_a_child_that_ends_by_itself_ends_everything(supervisor):
    other = supervisor.start("other", SLEEP)
    supervisor.start("brief", [sys.executable, "-c", "print('bye'); exit(3)"])
    with pytest.raises(ChildDied, match=r"brief ended by itself \(exit code 3\)"):
        supervisor.run(20)
    supervisor.stop()
    assert supervisor.out.getvalue() == " brief | bye\n"
    assert gone([other.process.pid], 1)


def test_a_child_that_does_not_listen_is_gone_within_five_seconds(supervisor):
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print('x', flush=True); time.sleep(60)"
    child = supervisor.start("deaf", [sys.executable, "-c", deaf])
    assert supervisor.wait_for(lambda: "x" in supervisor.out.getvalue(), 10)
    started = time.monotonic()
    supervisor.stop()
    assert time.monotonic() - started < 5
    assert gone([child.process.pid], 1)


def test_a_server_is_stopped_after_those_who_use_it(supervisor):
    script = (
        "import signal, sys, time\n"
        "def bye(*_): print('stopped', flush=True); time.sleep(0.3); sys.exit()\n"
        "signal.signal(15, bye); print('up', flush=True)\n"
        "while True: time.sleep(1)"
    )
    command = [sys.executable, "-c", script]
    supervisor.start("server", command, serves_others=True)
    supervisor.start("client", command)
    assert supervisor.wait_for(lambda: supervisor.out.getvalue().count("up") == 2, 10)
    supervisor.stop()
    stops = [
        line.split("|")[0].strip()
        for line in supervisor.out.getvalue().splitlines()
        if "stopped" in line
    ]
    assert stops[0] == "client"


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 0), (signal.SIGKILL, -9)]
)
def test_no_process_is_left_however_the_supervisor_ends(number, code):
    script = textwrap.dedent(
        """
        import sys
        from config.supervisor import Stopped, Supervisor
        with Supervisor(sys.stdout) as supervisor:
            try:
                for name in ("one", "two"):
                    child = supervisor.start(name, [sys.executable, "-c", "import time; time.sleep(60)"])
                    print(child.process.pid, flush=True)
                supervisor.run()
            except Stopped:
                pass
        """
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    pids = [int(process.stdout.readline()) for _ in range(2)]
    assert all(is_alive(pid) for pid in pids)
    process.send_signal(number)
    assert process.wait(5) == code
    assert gone(pids, 2)
    process.stdout.close()


def test_a_second_copy_is_told_about_the_first(tmp_path):
    with up.alone_in(tmp_path):
        # A second description of the file, as another process has.
        with pytest.raises(CommandError) as refused, up.alone_in(tmp_path):
            pass
    assert refused.value.returncode == up.EXIT_ALREADY_RUNNING
    assert str(refused.value).startswith("Tierwright is already running here since ")
    assert f"(process {os.getpid()})." in str(refused.value)
    with up.alone_in(tmp_path):
        pass  # Free again.


def test_a_folder_that_cannot_be_written_to_is_a_sentence(tmp_path):
    (tmp_path / "var").touch()
    with pytest.raises(CommandError, match="which cannot be written to"):
        with up.alone_in(tmp_path / "var" / "below"):
            pass


def test_a_port_in_use_is_a_sentence_that_names_a_way_out():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CommandError, match=rf"Port {port} cannot be used.*PORT="):
            up.free_port("127.0.0.1", str(port))
    assert up.free_port("127.0.0.1", str(port)) == port


@pytest.mark.parametrize("port", ["", "http", "0", "65536", "-1"])
def test_a_port_that_is_none_is_a_sentence(port):
    with pytest.raises(CommandError, match="PORT is a number from 1 to 65535"):
        up.free_port("127.0.0.1", port)
