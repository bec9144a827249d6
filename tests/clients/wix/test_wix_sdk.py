"""Wix's own SDK, in Node, against a live server."""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path
from uuid import UUID

import pytest

from loyalty import keys
from loyalty.models import PointsEntry, Program
from tiers.models import TierVersion

HERE = Path(__file__).parent
SITE = UUID("22222222-2222-4222-8222-222222222222")


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
    _key, secret = keys.make(
        by=maya,
        name="Web shop",
        owner=maya,
        scopes=("read", "points", "publish"),
    )
    environment = {
        "TIERWRIGHT_URL": live_server.url,
        "SITE_ID": str(SITE),
        "APPROVED_SITE_ID": str(group.program.uuid),
        "API_KEY": secret,
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
    site = Program.objects.get(uuid=SITE)
    live = TierVersion.objects.live().filter(tier__program=site)
    assert list(live.values_list("name", "threshold")) == [("Gold", 1000)]
    lines = PointsEntry.objects.filter(member__program=site).order_by("sequence")
    assert list(lines.values_list("amount", flat=True)) == [1200, -500]
