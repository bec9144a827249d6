import argparse
import multiprocessing
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import connections
from django.utils import timezone

from loyalty.management import arguments
from loyalty.models import Program
from tiers import assignment, runs
from tiers.models import Run

from ._program import add_as_of, add_program, chosen_programs
from ._running import Asked, stopping


def _number(value: str) -> int:
    if not value.isascii() or not value.isdigit() or int(value) > 64:
        raise argparse.ArgumentTypeError(f"“{value}” is not a number from 0 to 64.")
    return int(value)


class Command(arguments.Command):
    help = (
        "Judge every member anew, from the ledger and the rules alone, in pieces that "
        "any number of workers take."
    )
    stopped = (
        "Stopped. What was done stays done: start it again to go on there, or leave "
        "the rest to the next tick."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add_program(parser)
        add_as_of(parser)
        arguments.add_dry_run(parser, "Say how many members there are; do nothing.")
        parser.add_argument(
            "--workers",
            type=_number,
            default=1,
            metavar="N",
            help="So many processes here; 0 leaves it to Celery's workers.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        for program in chosen_programs(options["program"]):
            if options["dry_run"]:
                number = program.members.count()
                self.stdout.write(f"{program}: {number} members would be judged anew.")
            else:
                self.rebuild(program, options)

    def rebuild(self, program: Program, options: dict[str, Any]) -> None:
        run = self.begin(program, options)
        if not options["workers"]:
            assignment.nudge(assignment.WORKERS)
            self.stdout.write(f"{program}: left to Celery's workers.")
            return
        with stopping() as stop:
            if options["workers"] == 1:
                runs.work(run, stop=stop)
            else:
                work_together(run, options["workers"], stop)
        self.report(program, Run.objects.with_progress().get(pk=run.pk), stop)

    def begin(self, program: Program, options: dict[str, Any]) -> Run:
        """Take up the rebuild that was stopped, or begin one."""
        now = timezone.now()
        rebuilds = Run.objects.open().filter(program=program, kind=Run.Kind.REBUILD)
        run = rebuilds.first()
        if run is None:
            return runs.begin(program, Run.Kind.REBUILD, at=now, as_of=options["as_of"])
        busy = run.pieces.filter(finished_at=None, leased_until__gt=now).first()
        if busy is not None:
            raise CommandError(
                f"{program} is being rebuilt, running since "
                f"{run.created_at:%Y-%m-%d %H:%M:%S} UTC by "
                f"{runs.shown(busy.holder)}.",
                returncode=arguments.ALREADY_RUNNING,
            )
        self.stdout.write(f"{program}: going on with what was begun before.")
        return run

    def report(self, program: Program, run: Any, stop: Asked) -> None:
        self.stdout.write(
            f"{program}: judged {run.judged} of {run.expected} members anew, "
            f"{run.changed} changed tier."
        )
        stop.end_as_asked(self.stopped)
        if run.failed_at:
            failure = run.pieces.filter(failed_at__isnull=False).first()
            raise CommandError(
                f"{program}: members {failure.first_member} to {failure.last_member} "
                f"were put aside. {failure.failure}"
            )


def work_together(run: Run, workers: int, stop: Asked) -> None:
    """Work on a run in so many processes, each with a connection of its own."""
    connections.close_all()
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_work, args=(run,)) for _ in range(workers)]
    for process in processes:
        process.start()
    # Ctrl-C in a terminal reaches every process; SIGTERM is handed on.
    asked = False
    for process in processes:
        while process.is_alive():
            process.join(0.2)
            if stop() and not asked:
                asked = True
                for other in processes:
                    other.terminate()


def _work(run: Run) -> None:
    with stopping() as stop:
        runs.work(run, stop=stop)
