from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tiers import verification

from ._program import add_program, chosen_programs


class Command(BaseCommand):
    help = (
        "Recompute chains, balances, standings, assignments and counts, and name the "
        "first row that differs. Exits with 1 if one does."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add_program(parser)
        parser.add_argument(
            "--all", action="store_true", help="Name every row that differs."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        found = 0
        for program in chosen_programs(options["program"]):
            for problem in verification.problems(program):
                self.stdout.write(f"{program}: {problem}")
                found += 1
                if not options["all"]:
                    raise CommandError("Something differs; see above.")
            self.stdout.write(f"{program}: verified.")
        if found:
            raise CommandError(f"{found} rows differ; see above.")
