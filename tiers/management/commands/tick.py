import time
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from approvals import notices, schedule
from tiers import assignment


class Command(BaseCommand):
    help = (
        "Do everything that is due: publish scheduled changes, recalculate tiers, "
        "send e-mails. With --loop it goes on doing so, in the place of Celery."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--loop", action="store_true", help="Go on until stopped, once a period."
        )
        parser.add_argument(
            "--period",
            type=float,
            default=30.0,
            metavar="SECONDS",
            help="Pause between two ticks of the loop; 30 by default.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        while True:
            now = timezone.now()
            went = schedule.go_live_due(as_of=now)
            report = assignment.tick(as_of=now)
            sent = notices.deliver(as_of=now)
            self.stdout.write(
                f"{went['published']} change sets went live; looked at "
                f"{report.members} members, {report.moved} changed tier; "
                f"{sent} e-mails sent."
            )
            if not options["loop"]:
                return
            time.sleep(options["period"])
