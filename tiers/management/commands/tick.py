import argparse
import time
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from approvals import notices, schedule
from loyalty import points
from loyalty.management import arguments
from loyalty.models import Program
from tiers import assignment


def _seconds(value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0
    if not 0.1 <= seconds <= 86_400:
        raise argparse.ArgumentTypeError(
            f"“{arguments.printable(value)}” is not a number of seconds, 0.1 to 86400."
        )
    return seconds


class Command(arguments.Command):
    help = (
        "Do everything that is due: publish scheduled changes, end pending requests, "
        "recalculate tiers, seal ledgers, send e-mails. With --loop it goes on doing "
        "so, in the place of Celery."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--loop", action="store_true", help="Go on until stopped, once a period."
        )
        parser.add_argument(
            "--period",
            type=_seconds,
            default=30.0,
            metavar="SECONDS",
            help="Pause between two ticks of the loop; 30 by default.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        while True:
            now = timezone.now()
            went = schedule.go_live_due(as_of=now)
            points.expire_pending(now)
            report = assignment.tick(as_of=now)
            for program in Program.objects.order_by("pk"):
                points.seal_due(program, at=now)
            sent = notices.deliver(as_of=now)
            self.stdout.write(
                f"{went['published']} change sets went live; looked at "
                f"{report.members} members, {report.moved} changed tier; "
                f"{sent} e-mails sent."
            )
            if not options["loop"]:
                return
            time.sleep(options["period"])
