from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from tiers import assignment

from ._program import add_as_of, add_program, chosen_programs


class Command(BaseCommand):
    help = "Bring standings and tier assignments up to date, as the tick does."

    def add_arguments(self, parser: CommandParser) -> None:
        add_program(parser)
        add_as_of(parser)
        parser.add_argument(
            "--dry-run", action="store_true", help="Say what would move; write nothing."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        as_of = options["as_of"] or timezone.now()
        for program in chosen_programs(options["program"]):
            report = assignment.recalculate(
                program, as_of=as_of, dry_run=options["dry_run"]
            )
            would = "would change" if options["dry_run"] else "changed"
            self.stdout.write(
                f"{program}: looked at {report.members} members, "
                f"{report.moved} {would} tier."
            )
