from datetime import datetime
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from loyalty import points
from loyalty.management import arguments
from loyalty.management.alone import alone
from loyalty.models import Program


class Command(arguments.Command):
    help = "Record what has expired, and end the pending requests whose time ran out."

    def add_arguments(self, parser: CommandParser) -> None:
        arguments.add_program(parser, help="Only this program; all by default.")
        arguments.add_as_of(parser)
        arguments.add_dry_run(parser, "Say what would expire; write nothing.")

    def handle(self, *args: Any, **options: Any) -> None:
        as_of = options["as_of"] or timezone.now()
        dry_run = options["dry_run"]
        programs = list(Program.objects.with_live().order_by("pk"))
        if options["program"]:
            programs = [arguments.program_named(options["program"])]
        with alone("expire_points"):
            for program in programs:
                self._expire(program, as_of, dry_run)

    def _expire(self, program: Program, as_of: datetime, dry_run: bool) -> None:
        lines = points.expire(program.pk, as_of=as_of, dry_run=dry_run)
        ended = points.expire_pending(as_of, program_id=program.pk, dry_run=dry_run)
        would = "would be" if dry_run else "were"
        self.stdout.write(
            f"{program}: {lines} expiries {would} recorded, "
            f"{ended} pending requests {would} ended."
        )
