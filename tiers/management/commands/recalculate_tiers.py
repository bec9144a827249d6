from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from loyalty.management import arguments
from tiers import assignment

from ._program import add_as_of, add_program, chosen_programs
from ._running import refuse_second_copy, stopping


class Command(arguments.Command):
    help = "Bring standings and tier assignments up to date, as the tick does."

    def add_arguments(self, parser: CommandParser) -> None:
        add_program(parser)
        add_as_of(parser)
        arguments.add_dry_run(parser, "Say what would move; write nothing.")

    def handle(self, *args: Any, **options: Any) -> None:
        as_of = options["as_of"] or timezone.now()
        dry_run = options["dry_run"]
        would = "would change" if dry_run else "changed"
        for program in chosen_programs(options["program"]):
            if not dry_run:
                refuse_second_copy(program)
            with stopping() as stop:
                report = assignment.recalculate(
                    program, as_of=as_of, dry_run=dry_run, stop=stop
                )
            self.stdout.write(
                f"{program}: looked at {report.members} members, "
                f"{report.moved} {would} tier."
            )
            stop.end_as_asked(self.stopped)
            if report.broke_off:
                raise CommandError(
                    f"{program}: somebody else recalculates it now, and goes on.",
                    returncode=75,
                )
