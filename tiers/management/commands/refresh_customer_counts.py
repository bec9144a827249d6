from typing import Any

from django.core.management.base import CommandParser

from loyalty.management import arguments
from tiers import counts
from tiers.models import Recalculation

from ._program import add_program, chosen_programs


class Command(arguments.Command):
    help = "Count the customers of every tier plainly, and mend the counts that differ."

    def add_arguments(self, parser: CommandParser) -> None:
        add_program(parser)
        arguments.add_dry_run(parser, "Count and print; write nothing.")

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
                f"{program}: {sum(found.values())} customers in {len(found)} tiers."
            )
