from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from approvals import notices
from approvals.models import Notice


class Command(BaseCommand):
    help = "Send the e-mails of notices that are due."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--dry-run", action="store_true", help="Say how many; send none."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        if options["dry_run"]:
            due = Notice.objects.filter(due_at__lte=now).count()
            self.stdout.write(f"{due} e-mails are due.")
        else:
            self.stdout.write(f"{notices.deliver(as_of=now)} e-mails sent.")
