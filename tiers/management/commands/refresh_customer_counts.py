from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from tiers import counts
from tiers.models import Recalculation

from ._program import add_program, chosen_programs


class Command(BaseCommand):
    help = "Count the customers of every tier anew."

    def add_arguments(self, parser: CommandParser) -> None:
        add_program(parser)
        parser.add_argument(
            "--dry-run", action="store_true", help="Count and print; write nothing."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        for program in chosen_programs(options["program"]):
            row = Recalculation.objects.filter(program=program).first()
            if row is None or row.as_of is None:
                self.stdout.write(f"{program}: not recalculated yet, nothing to count.")
                continue
            found = (
                counts.read(program)
                if options["dry_run"]
                else counts.refresh(program, as_of=row.as_of)
            )
            self.stdout.write(
                f"{program}: {sum(found.values())} customers in {len(found)} tiers, "
                f"as of {row.as_of:%Y-%m-%d %H:%M:%S} UTC."
            )
