"""One copy of a job at a time, which ends at the border of a chunk when asked to."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from django.core.management.base import CommandError
from django.utils import timezone

from loyalty.management.arguments import ALREADY_RUNNING
from loyalty.models import Program
from tiers import runs
from tiers.models import Recalculation


def refuse_second_copy(program: Program) -> None:
    """Say who is at work on a program's members, if anybody is."""
    now = timezone.now()
    row = Recalculation.objects.filter(program=program, due_at__gt=now).first()
    if row is not None and row.holder:
        raise CommandError(
            f"{program} is being recalculated, running since "
            f"{row.started_at:%Y-%m-%d %H:%M:%S} UTC by {runs.shown(row.holder)}.",
            returncode=ALREADY_RUNNING,
        )


class Asked:
    """Whether somebody has asked for the end: call it to find out."""

    def __init__(self) -> None:
        self.number: int | None = None

    def __call__(self) -> bool:
        return self.number is not None

    def hear(self, number: int, frame: FrameType | None) -> None:
        if self.number is not None:
            # Asked twice: not even the chunk is finished, it is rolled back.
            raise KeyboardInterrupt
        self.number = number

    def end_as_asked(self, message: str) -> None:
        """End the command as processes end that were stopped by a signal."""
        if self.number is not None:
            raise CommandError(message, returncode=128 + self.number)


@contextmanager
def stopping() -> Iterator[Asked]:
    """Let Ctrl-C and SIGTERM be asked for between chunks."""
    asked = Asked()
    before = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        # Only the main thread of a process may say what its signals do.
        try:
            before[number] = signal.signal(number, asked.hear)
        except ValueError:
            break
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
