import argparse
from typing import Any

from django.core.management.base import CommandError, CommandParser

from loyalty.management import arguments
from tiers import verification

from ._program import add_program, chosen_programs


def _range(value: str) -> tuple[int, int]:
    first, _, last = value.partition("-")
    numbers = [first, last or first]
    if not all(n.isascii() and n.isdigit() and len(n) < 19 for n in numbers):
        raise argparse.ArgumentTypeError(
            f"“{arguments.printable(value)}” is not a member's id or a range of ids, "
            "such as 17 or 1000-1999."
        )
    if int(numbers[0]) > int(numbers[1]):
        raise argparse.ArgumentTypeError(f"“{value}” ends before it begins.")
    return int(numbers[0]), int(numbers[1])


class Command(arguments.Command):
    help = (
        "Recompute chains, balances, standings, assignments, counts and snapshots, and "
        "name the first row that differs. Exits with 1 if one does."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add_program(parser)
        parser.add_argument(
            "--members",
            type=_range,
            metavar="RANGE",
            help="Only members with these ids, such as 1000-1999; all by default.",
        )
        parser.add_argument(
            "--as-of",
            type=arguments.past_instant,
            metavar="INSTANT",
            help="Ask as well that everything that was due by then has been done.",
        )
        parser.add_argument(
            "--all", action="store_true", help="Name every row that differs."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        found = 0
        for program in chosen_programs(options["program"]):
            problems = verification.problems(
                program, members=options["members"], as_of=options["as_of"]
            )
            wrong = 0
            for problem in problems:
                self.stdout.write(f"{program}: {problem}")
                wrong += 1
                if not options["all"]:
                    raise CommandError("Something differs; see above.")
            if not wrong:
                self.stdout.write(f"{program}: verified.")
            found += wrong
        if found:
            raise CommandError(f"{found} rows differ; see above.")
