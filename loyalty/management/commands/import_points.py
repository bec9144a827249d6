from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from approvals.errors import Refused
from loyalty import importing
from loyalty.management import arguments
from loyalty.management.alone import alone


class Command(arguments.Command):
    help = (
        "Post the points of a CSV file: all of it, or nothing if a line is wrong. "
        "Columns: one of member, card, email, external_id; reference and amount; and, "
        "if you like, balance, kind (earn, adjust, redeem), occurred_at, description. "
        "Importing a file twice has the effect of once."
    )
    stopped = "Stopped. Nothing was imported."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=arguments.text, help="The CSV file, in UTF-8.")
        arguments.add_program(parser, required=True, help="The members' program.")
        parser.add_argument(
            "--source",
            type=arguments.text,
            default="import",
            help="Which system's references these are; “import” by default.",
        )
        arguments.add_as_of(parser)
        arguments.add_dry_run(parser, "Check every line; post nothing.")

    def handle(self, *args: Any, **options: Any) -> None:
        program = arguments.program_named(options["program"])
        try:
            with (
                alone(f"import_points-{program.pk}"),
                Path(options["file"]).open("rb") as file,
            ):
                report = importing.import_points(
                    program,
                    file,
                    source=options["source"],
                    by=None,
                    dry_run=options["dry_run"],
                    at=options["as_of"],
                )
        except OSError as error:
            problem = f"The file cannot be read: {error.strerror}."
            raise CommandError(problem, returncode=arguments.WRONG) from None
        except Refused as refusal:
            raise CommandError(refusal.message, returncode=arguments.WRONG) from None
        except importing.BadFile as problem:
            raise CommandError(f"{problem} Nothing was imported.") from None
        self._say(report, dry_run=options["dry_run"])

    def _say(self, report: importing.Report, *, dry_run: bool) -> None:
        for problem in report.problems:
            self.stdout.write(str(problem))
        bad = len(report.problems) + report.more_problems
        if bad:
            raise CommandError(
                f"{bad} of {report.rows} rows are wrong; nothing was imported."
            )
        would = "would be posted" if dry_run else "posted"
        self.stdout.write(
            f"{report.rows} rows: {report.posted} {would}, "
            f"{report.known} already imported."
        )
