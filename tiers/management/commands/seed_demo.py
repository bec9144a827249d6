from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, transaction
from django.utils import timezone

from approvals.errors import Refused
from approvals.models import Notice
from loyalty.models import Program
from tiers import assignment
from tiers.demo.access import make_keys
from tiers.demo.catalogue import PROGRAMS
from tiers.demo.people import PASSWORD, STAFF, Cast, make_staff


@contextmanager
def _no_log_of_statements() -> Iterator[None]:
    """Keep Django from keeping each statement as text, as it does with DEBUG on.

    With thousands of rows in one, that takes as long as all the rest.
    """
    database: Any = connection
    debugging = database.make_debug_cursor
    database.make_debug_cursor = database.make_cursor
    try:
        yield
    finally:
        database.make_debug_cursor = debugging


class Command(BaseCommand):
    help = (
        "Load the demo: people to log in as, and four programs to try things on. "
        "What is there already stays as it is."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--only",
            action="append",
            type=int,
            choices=list(PROGRAMS),
            metavar="PROGRAM",
            help="Only this program, and the people. May be given several times.",
        )

    def handle(self, *args: Any, only: list[int] | None, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError(
                "The demo brings people whose password everybody knows, so it is "
                "loaded only where DEBUG is on.",
                returncode=2,
            )
        with _no_log_of_statements():
            self.make_all(only or list(PROGRAMS))
        self.stdout.write(f"Log in as {', '.join(STAFF)}; the password is {PASSWORD}.")

    def make_all(self, program_ids: list[int]) -> None:
        with transaction.atomic():
            cast = make_staff()
            try:
                told = list(make_keys(cast.manager))
            except Refused as problem:
                raise CommandError(problem.message, returncode=2) from None
        for sentence in told:
            self.stdout.write(sentence)
        for program_id in program_ids:
            if Program.objects.filter(pk=program_id).exists():
                found = "there already"
            else:
                found = self.make(program_id, cast)
            name = Program.objects.with_live().get(pk=program_id)
            self.stdout.write(f"Program {program_id}, {name}: {found}.")

    @transaction.atomic
    def make(self, program_id: int, cast: Cast) -> str:
        """Make a program whole or not at all, and give everybody their tier."""
        now = timezone.now()
        notices = list(Notice.objects.values_list("pk", flat=True))
        made = PROGRAMS[program_id](cast, now=now)
        # The story so far has been read by everybody whom it concerned.
        Notice.objects.exclude(pk__in=notices).update(read_at=now, due_at=None)
        assignment.recalculate(Program.objects.get(pk=program_id), as_of=now)
        return made
