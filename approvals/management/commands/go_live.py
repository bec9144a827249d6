from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from approvals import schedule


class Command(BaseCommand):
    help = "Publish the scheduled change sets whose time has come."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--dry-run", action="store_true", help="Say what is due; change nothing."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        went = schedule.go_live_due(as_of=timezone.now(), dry_run=options["dry_run"])
        if options["dry_run"]:
            self.stdout.write(f"{went['published']} change sets are due.")
        else:
            self.stdout.write(
                f"{went['published']} change sets went live, {went['failed']} failed."
            )
