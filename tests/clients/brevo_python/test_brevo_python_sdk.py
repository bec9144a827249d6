"""Brevo's own client for Python, from an environment of its own, on a live server."""

import fcntl
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings

from approvals.models import ChangeSet
from loyalty.models import PointsEntry, Program
from tests import factories
from tiers.models import Standing, TierVersion

HERE = Path(__file__).parent
PACKAGES = HERE / "requirements.txt"
HOME = Path(settings.BASE_DIR) / "var" / "brevo-python"
PYTHON = HOME / "bin" / "python"


def install() -> None:
    """Install what ``requirements.txt`` names, every package by its hash."""
    uv = Path(settings.BASE_DIR) / ".tools" / "bin" / "uv"
    commands = (
        (uv, "venv", "--quiet", "--allow-existing", "--python", "python3.11", HOME),
        (
            uv,
            "pip",
            "sync",
            "--quiet",
            "--require-hashes",
            "--python",
            PYTHON,
            PACKAGES,
        ),
    )
    # The machine's own certificates, as pip uses them; and no Python but the machine's.
    more = {"UV_SYSTEM_CERTS": "true", "UV_PYTHON_DOWNLOADS": "never"}
    for command in commands:
        subprocess.run(
            [str(word) for word in command],
            env=os.environ | more,
            check=True,
            capture_output=True,
            text=True,
            timeout=300,
        )
    (HOME / "installed").touch()


@pytest.fixture(scope="session")
def python() -> Path:
    """Return a Python that has the client; CI never goes without it."""
    HOME.parent.mkdir(exist_ok=True)
    with (HOME.parent / "brevo-python.lock").open("w") as lock:
        # Of several workers one installs, and the rest wait.
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = HOME / "installed"
        if done.exists() and done.stat().st_mtime >= PACKAGES.stat().st_mtime:
            return PYTHON
        try:
            install()
        except (OSError, subprocess.SubprocessError) as problem:
            told = f"{problem}\n{getattr(problem, 'stderr', '')}"
            if os.environ.get("CI") == "true":
                pytest.fail(f"Brevo's client cannot be installed: {told}")
            pytest.skip(f"Brevo's client cannot be installed: {told}")
    return PYTHON


@pytest.fixture
def tell(python, maya, live_server) -> Callable[..., None]:
    """Run a chapter of the story against the live server."""
    _full, full = factories.make_key(maya)
    _read, read = factories.make_key(maya, "read")

    def run(chapter: str, program: Program | None = None) -> None:
        environment = {
            "TIERWRIGHT_URL": live_server.url,
            "CHAPTER": chapter,
            "FULL_KEY": full,
            "READ_KEY": read,
            "PROGRAM_ID": str(program.uuid) if program else "",
        }
        told = subprocess.run(
            [str(python), str(HERE / "story.py")],
            env=os.environ | environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert told.returncode == 0, told.stdout + told.stderr

    return run


@pytest.mark.django_db(transaction=True)
def test_the_vendors_client_works_with_another_host(tell):
    tell("story")
    # And what the client was told is what is there.
    program = Program.objects.get(versions__name="Corner Club", versions__status="LIVE")
    live = TierVersion.objects.live().filter(tier__program=program).order_by("tier")
    assert [tier.name for tier in live] == ["Member", "Silver", "Golden"]
    lines = PointsEntry.objects.filter(member__program=program).order_by("sequence")
    assert list(lines.values_list("amount", flat=True)) == [600, 1234, -50]
    standing = Standing.objects.get(member=lines[0].member)
    assert standing.tier_id == live[2].tier_id


@pytest.mark.django_db(transaction=True)
def test_where_a_reviewer_approves_a_draft_is_handed_in_once(tell, group, chen):
    tell("hand_in", group.program)
    waiting = ChangeSet.objects.get(decision__isnull=True, voided_at__isnull=True)
    factories.approve(waiting, chen)
    tell("approved", group.program)
