"""Points by hand, on the command line."""

import io
import os
import re
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.conf import settings
from django.core.management import (
    CommandError,
    call_command,
    get_commands,
    load_command_class,
)
from django.db import connection
from django.utils import timezone

from loyalty import points
from loyalty.management import arguments
from loyalty.management.alone import alone
from loyalty.models import PointsEntry, PointsRequest
from tests import factories

from .stories import SHOP, balance_of, set_rules


def run(*words):
    """Run a command as a shell does; return what it says."""
    out = io.StringIO()
    call_command(*words, stdout=out)
    return out.getvalue().strip()


def fails(*words):
    """Return exit code and message of a command that fails."""
    with pytest.raises(CommandError) as problem:
        run(*words)
    return problem.value.returncode, str(problem.value)


@pytest.fixture
def post(rich):
    """Return the words of a posting to the member with 100 points."""

    def words(kind, amount, *more):
        member = ("--member", rich.subscription_id)
        program = ("--program", str(rich.program_id))
        return ("post_points", kind, amount, *program, *member, *more)

    return words


def test_points_are_posted_by_hand(post, rich, stars, money):
    assert run(*post("earn", "50")).endswith("50 Points posted; the balance is 150.")
    run(*post("redeem", "30"))
    run(*post("adjust", "5", "--description", "Sorry."))
    run(*post("earn", "12.50", "--balance", "PURCHASES"))
    assert balance_of(rich, stars) == 125
    assert balance_of(rich, money) == 1250
    run(*post("adjust-to", "7"))
    assert balance_of(rich, stars) == 7
    assert "nothing to post" in run(*post("adjust-to", "7"))


def test_a_reference_makes_it_safe_to_repeat(post, rich, stars):
    once = post("earn", "50", "--reference", "r1")
    assert "posted;" in run(*once)
    assert "posted before;" in run(*once)
    assert balance_of(rich, stars) == 150


def test_a_dry_run_says_what_would_come_of_it(post, rich, stars):
    said = run(*post("redeem", "30", "--dry-run"))
    assert said.endswith("-30 Points would be posted; the balance is 70.")
    assert balance_of(rich, stars) == 100


def test_a_refusal_is_a_sentence(post):
    assert fails(*post("redeem", "101")) == (
        1,
        "There are 100 Points, and 101 were asked for.",
    )


@pytest.mark.parametrize(
    "words",
    [
        ("earn", "1_000"),
        ("earn", "5", "--balance", "Nonsense"),
        ("earn", "5", "--occurred-at", "2026-01-01"),
        ("earn", "5", "--occurred-at", "yesterday"),
        ("earn", "5", "--as-of", "2999-01-01T00:00:00Z"),
        ("earn", "5", "--as-of", "2026-02-30T00:00:00Z"),
        ("redeem", "5", "--occurred-at", "2026-01-01T00:00:00Z"),
        ("earn", "5", "--description", "\udcff"),
        ("steal", "5"),
    ],
    ids=str,
)
def test_arguments_that_make_no_sense_end_with_2(post, words):
    code, _ = fails_or_exits(*post(*words))
    assert code == 2
    assert PointsRequest.objects.count() == 1


def fails_or_exits(*words):
    """Argparse exits from a shell and raises when called; both mean the same."""
    try:
        return fails(*words)
    except SystemExit as end:
        return end.code, ""


@pytest.fixture(autouse=True)
def _as_from_a_shell(monkeypatch):
    """Have wrong arguments end as they do in a shell: with a code."""
    from django.core.management.base import CommandParser

    def error(self, message):
        raise CommandError(message, returncode=2)

    monkeypatch.setattr(CommandParser, "error", error)


@pytest.mark.parametrize("by", ["pk", "uuid", "name"])
def test_a_program_is_named_by_number_uuid_or_name(program, by):
    name = {"pk": program.pk, "uuid": program.uuid, "name": "gemstone rewards"}[by]
    assert "0 expiries were recorded" in run("expire_points", "--program", str(name))


def test_an_unknown_program_suggests_others(program):
    code, message = fails("expire_points", "--program", "Gemstome Rewards")
    assert code == 2
    assert f"{program.pk} (Gemstone Rewards)" in message
    assert fails("expire_points", "--program", "999")[0] == 2


def test_a_name_that_two_programs_have_is_not_enough(program, maya):
    factories.make_program(maya)
    code, message = fails("expire_points", "--program", "Gemstone Rewards")
    assert code == 2
    assert "Several" in message


def test_an_unknown_member_is_said(program):
    code, message = fails(
        "post_points", "earn", "5", "--program", str(program.pk), "--member", "Nobody"
    )
    assert code == 2
    assert "no member Nobody" in message


# Expiry


@pytest.fixture
def expired(member, stars, maya, chen):
    """The member, whose 100 points lasted for a day, three days ago."""
    long_ago = factories.LONG_AGO + timedelta(days=1)
    rules = {"availability_value": 1, "availability_unit": "DAY"}
    set_rules(stars, maya, chen, since=long_ago, **rules)
    then = timezone.now() - timedelta(days=3)
    points.earn(member, stars, 100, reference="r", at=then, **SHOP)
    points.begin(
        member,
        stars,
        5,
        reference="waits",
        at=then,
        expires_at=then + timedelta(hours=1),
        **SHOP,
    )
    return member


def test_expiry_by_hand(expired, stars):
    before = timezone.now() - timedelta(days=2, hours=23)
    early = ("expire_points", "--as-of", (before - timedelta(hours=1)).isoformat())
    assert "0 expiries were recorded, 0 pending" in run(*early)
    dry = run("expire_points", "--dry-run")
    assert "1 expiries would be recorded, 1 pending requests would be ended" in dry
    assert balance_of(expired, stars) == 100
    said = run("expire_points")
    assert "1 expiries were recorded, 1 pending requests were ended" in said
    assert balance_of(expired, stars) == 0
    assert "0 expiries were recorded, 0 pending" in run("expire_points")


@pytest.mark.parametrize(
    ("act", "code"),
    [(lambda: os.kill(os.getpid(), signal.SIGTERM), 143), (signal.raise_signal, 130)],
)
def test_a_command_that_is_stopped_says_how_to_go_on(expired, monkeypatch, act, code):
    def stop(*asked, **options):
        act(signal.SIGINT) if code == 130 else act()

    monkeypatch.setattr(points, "expire", stop)
    before = signal.getsignal(signal.SIGTERM)
    # Whoever runs this in the background of a shell has Ctrl-C ignored.
    ctrl_c = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        found, message = fails("expire_points")
    finally:
        signal.signal(signal.SIGINT, ctrl_c)
    assert (found, message[:8]) == (code, "Stopped.")
    assert signal.getsignal(signal.SIGTERM) is before


@contextmanager
def at_work_elsewhere(job):
    """Let another copy of a job be at work, with a connection of its own."""
    begun, finished = threading.Event(), threading.Event()

    def work():
        try:
            with alone(job):
                begun.set()
                finished.wait(20)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        copy = pool.submit(work)
        assert begun.wait(20)
        try:
            yield
        finally:
            finished.set()
        copy.result()


def test_119_a_second_copy_says_who_is_at_work_and_since_when(expired):
    with at_work_elsewhere("expire_points"):
        code, message = fails("expire_points")
    assert code == 75
    assert re.fullmatch(
        r"Another copy of expire_points is at work, running since "
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC by \S+:\d+\.",
        message,
    )
    assert run("expire_points")


def test_119_a_file_waits_for_another_of_its_program_only(file, rich):
    words = file(f"member,reference,amount\n{rich.subscription_id},r1,5\n")
    with at_work_elsewhere(f"import_points-{rich.program_id}"):
        assert fails(*words)[0] == 75
    with at_work_elsewhere("import_points-0"):
        assert run(*words) == "1 rows: 1 posted, 0 already imported."


def test_a_reader_who_goes_away_ends_it_quietly(expired):
    class Closed(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    import sys

    stdout = sys.stdout
    try:
        with pytest.raises(SystemExit) as end:
            call_command("expire_points", stdout=Closed())
    finally:
        sys.stdout = stdout
    assert end.value.code == 74


# Import


@pytest.fixture
def file(tmp_path, rich):
    def write(text):
        path = tmp_path / "../points.csv"
        path.write_text(text)
        return ("import_points", str(path), "--program", str(rich.program_id))

    return write


def test_a_file_is_imported(file, rich, stars):
    words = file(f"member,reference,amount\n{rich.subscription_id},r1,5\n")
    assert run(*words, "--dry-run") == "1 rows: 1 would be posted, 0 already imported."
    assert balance_of(rich, stars) == 100
    assert run(*words) == "1 rows: 1 posted, 0 already imported."
    assert run(*words) == "1 rows: 0 posted, 1 already imported."
    assert balance_of(rich, stars) == 105


def test_each_bad_line_is_named_and_nothing_is_imported(file, rich):
    words = file(f"member,reference,amount\n{rich.subscription_id},r1,5\nX,r2,6\n")
    out = io.StringIO()
    with pytest.raises(CommandError, match="1 of 2 rows are wrong") as problem:
        call_command(*words, stdout=out)
    assert problem.value.returncode == 1
    assert out.getvalue() == "Line 3: There is no member “X”.\n"
    assert PointsEntry.objects.count() == 1


def test_a_file_that_is_not_there_ends_with_2(program):
    words = ("import_points", "/nowhere.csv", "--program", str(program.pk))
    assert fails(*words) == (
        2,
        "The file cannot be read: No such file or directory.",
    )


def test_a_file_that_is_no_csv_ends_with_1(file):
    code, message = fails(*file("member;reference;amount\n"))
    assert code == 1
    assert message == "Separate the columns by commas. Nothing was imported."


def test_a_database_that_waits_for_migrations_is_left_alone(tmp_path):
    """As at a terminal, after an update that nobody has finished."""
    environment = os.environ | {
        "DATABASE_URL": f"sqlite:///{tmp_path / 'empty.sqlite3'}",
        "DEBUG": "true",
    }
    ended = subprocess.run(
        [sys.executable, "manage.py", "expire_points"],
        cwd=settings.BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 2, ended.stderr
    assert "Run “python manage.py migrate” first." in ended.stderr
    assert "Traceback" not in ended.stderr


def test_commands_on_points_and_tiers_look_at_the_tables_first():
    ours = {
        name: load_command_class(app, name)
        for name, app in get_commands().items()
        if app in ("loyalty", "tiers")
    }
    # It makes the data, where there is none.
    del ours["seed_demo"]
    assert {n for n, c in ours.items() if not isinstance(c, arguments.Command)} == set()
