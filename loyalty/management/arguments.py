"""What commands ask for alike: a program, a member, an instant, and how to stop.

What is wrong with an argument is said in a sentence, with exit code 2. A command
that is stopped ends at the border of a chunk: what was done stays done, and it can
be started again.
"""

import argparse
import difflib
import os
import re
import signal
import sys
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from ..models import Member, Program

WRONG, DISK, ALREADY_RUNNING, INTERRUPTED, TERMINATED = 2, 74, 75, 130, 143

_INSTANT = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?([Zz]|[+-]\d{2}:\d{2})",
    re.ASCII,
)


class Command(BaseCommand):
    """A command that ends well when somebody stops it or stops reading."""

    #: What is said when it is stopped.
    stopped = "Stopped. What was done stays done; start it again for the rest."

    def execute(self, *args: Any, **options: Any) -> str | None:
        if getattr(self, "_called_from_command_line", False):
            # Whoever calls a command from code knows the tables.
            refuse_old_tables()
        before = signal.getsignal(signal.SIGTERM)
        # Only the main thread of a process may say what its signals do.
        try:
            signal.signal(signal.SIGTERM, _terminate)
        except ValueError:
            before = None
        try:
            return super().execute(*args, **options)
        except KeyboardInterrupt:
            raise CommandError(self.stopped, returncode=INTERRUPTED) from None
        except Terminated:
            raise CommandError(self.stopped, returncode=TERMINATED) from None
        except BrokenPipeError:
            # Whoever read the output has gone; the interpreter flushes once more.
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115
            raise SystemExit(DISK) from None
        finally:
            if before is not None:
                signal.signal(signal.SIGTERM, before)


def refuse_old_tables() -> None:
    """Refuse to work on a database that waits for migrations."""
    executor = MigrationExecutor(connection)
    waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if waiting:
        names = ", ".join(f"{step.app_label}.{step.name}" for step, _ in waiting[:3])
        raise CommandError(
            f"The database is older than the program: {len(waiting)} migrations wait "
            f"({names}). Run “python manage.py migrate” first.",
            returncode=WRONG,
        )


class Terminated(BaseException):
    """The process was asked to end."""


def _terminate(*signalled: Any) -> None:
    raise Terminated


def add_program(parser: CommandParser, *, required: bool = False, help: str) -> None:
    parser.add_argument(
        "--program",
        required=required,
        type=text,
        metavar="PROGRAM",
        help=f"{help} Its number, uuid or name.",
    )


def add_as_of(parser: CommandParser) -> None:
    parser.add_argument(
        "--as-of",
        type=past_instant,
        metavar="INSTANT",
        help="Up to this instant, such as 2026-03-01T00:00:00+01:00; now by default.",
    )


def add_dry_run(parser: CommandParser, help: str) -> None:
    parser.add_argument("--dry-run", action="store_true", help=help)


def text(value: str) -> str:
    """Accept what can be printed; a shell can pass bytes that are no UTF-8."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError(f"{ascii(value)} is not UTF-8.") from None
    return value


def instant(value: str) -> datetime:
    """Read an RFC 3339 instant, which has an offset."""
    form = "an instant with its offset, such as 2026-03-01T00:00:00+01:00"
    try:
        if _INSTANT.fullmatch(value):
            return datetime.fromisoformat(value.upper())
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"“{printable(value)}” is not {form}.")


def past_instant(value: str) -> datetime:
    found = instant(value)
    if found > timezone.now():
        raise argparse.ArgumentTypeError(f"“{value}” is in the future.")
    return found


def program_named(value: Any) -> Program:
    """Return the program of that number, uuid or name; suggest others if none is."""
    name = str(value)
    programs = list(Program.objects.with_live().order_by("pk"))
    for found in (
        [p for p in programs if str(p.pk) == name],
        [p for p in programs if p.uuid == _uuid(name)],
        [p for p in programs if str(p).casefold() == name.strip().casefold()],
    ):
        if len(found) == 1:
            return found[0]
        if found:
            raise _no_program(f"Several programs are called {name}", found)
    words = {str(p).casefold(): p for p in programs}
    close = difflib.get_close_matches(name.casefold(), words, n=3)
    near = [words[word] for word in close] or programs[:10]
    raise _no_program(f"There is no program {printable(name)}", near)


def member_named(program: Program, value: str) -> Member:
    """Return a program's member by number, card, e-mail or external id."""
    members = Member.objects.filter(program=program)
    for field in ("subscription_id", "card", "contact__email", "contact__external_id"):
        found = list(members.filter(**{field: value})[:2])
        if len(found) == 1:
            return found[0]
    raise CommandError(
        f"{program} has no member {printable(value)}. Give the membership number, card "
        "number, e-mail or external id.",
        returncode=WRONG,
    )


def printable(value: str) -> str:
    return value[:80].encode("utf-8", "backslashreplace").decode()


def _no_program(problem: str, near: list[Program]) -> CommandError:
    known = ", ".join(f"{program.pk} ({program})" for program in near) or "none yet"
    return CommandError(f"{problem}. Programs: {known}.", returncode=WRONG)


def _uuid(value: str) -> UUID | None:
    try:
        return UUID(value)
    except ValueError:
        return None
