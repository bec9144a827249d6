"""Vendors' own clients for JavaScript, each in the folder of its test."""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def sdk(request: pytest.FixtureRequest) -> Path:
    """Install what the lock file names, once; CI never goes without Node."""
    if not shutil.which("npm"):
        message = "There is no npm: install Debian's packages nodejs and npm."
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    here = request.path.parent
    with (here / "package-lock.json").open() as lock:
        # Of several workers one installs, and the rest wait.
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = here / "node_modules" / ".package-lock.json"
        if not done.exists() or done.stat().st_mtime < os.fstat(lock.fileno()).st_mtime:
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            made = subprocess.run(
                command, cwd=here, capture_output=True, text=True, timeout=300
            )
            assert made.returncode == 0, made.stdout + made.stderr
    return here
