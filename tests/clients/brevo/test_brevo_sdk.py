"""Brevo's own SDK, in Node, against a live server."""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from approvals.models import ChangeSet
from loyalty.models import PointsEntry, Program
from tests import factories

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def sdk() -> Path:
    """Install what the lock file names, once; CI never goes without Node."""
    if not shutil.which("npm"):
        message = "There is no npm: install Debian's packages nodejs and npm."
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    with (HERE / "package-lock.json").open() as lock:
        # Of several workers one installs, and the rest wait.
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = HERE / "node_modules" / ".package-lock.json"
        if not done.exists() or done.stat().st_mtime < os.fstat(lock.fileno()).st_mtime:
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            made = subprocess.run(
                command, cwd=HERE, capture_output=True, text=True, timeout=300
            )
            assert made.returncode == 0, made.stdout + made.stderr
    return HERE


@pytest.mark.django_db(transaction=True)
def test_the_vendors_client_works_with_another_host(sdk, maya, group, live_server):
    _key, secret = factories.make_key(maya)
    _key, reading = factories.make_key(maya, "read")
    environment = {
        "TIERWRIGHT_URL": live_server.url,
        "APPROVED_PROGRAM": str(group.program.uuid),
        "APPROVED_GROUP": str(group.uuid),
        "API_KEY": secret,
        "READING_KEY": reading,
    }
    told = subprocess.run(
        ["node", "--test", "story.test.mjs"],
        cwd=sdk,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert told.returncode == 0, told.stdout + told.stderr
    # And what the client was told is what is there.
    club = Program.objects.get(source=Program.Source.BREVO)
    assert club.discarded_at
    lines = PointsEntry.objects.filter(member__program=club)
    assert list(lines.values_list("amount", flat=True)) == [600]
    waiting = ChangeSet.objects.undecided().get()
    assert [item.label for item in waiting.items.all()] == ["Friends"]
