"""What commands on programs have in common: naming one, and an instant."""

import argparse
from datetime import datetime

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from loyalty.models import Program


def add_program(parser: CommandParser) -> None:
    parser.add_argument(
        "--program",
        type=int,
        metavar="ID",
        help="Only this program; all that have tiers by default.",
    )


def add_as_of(parser: CommandParser) -> None:
    parser.add_argument(
        "--as-of",
        type=_instant,
        metavar="INSTANT",
        help="Up to this instant, such as 2026-03-01T00:00:00+01:00; now by default.",
    )


def chosen_programs(program_id: int | None) -> list[Program]:
    """Return the programs to work on, or refuse a number that is none."""
    programs = Program.objects.with_live().order_by("pk")
    if program_id is None:
        return list(programs.filter(tier_groups__discarded_at=None).distinct())
    found = programs.filter(pk=program_id).first()
    if found is None:
        known = ", ".join(f"{p.pk} ({p})" for p in programs[:10]) or "none yet"
        raise CommandError(
            f"There is no program {program_id}. Programs: {known}.", returncode=2
        )
    return [found]


def _instant(text: str) -> datetime:
    form = "an instant with its offset, such as 2026-03-01T00:00:00+01:00"
    try:
        instant = parse_datetime(text)
    except ValueError:
        instant = None
    if instant is None or timezone.is_naive(instant):
        raise argparse.ArgumentTypeError(f"“{text}” is not {form}.")
    if instant > timezone.now():
        raise argparse.ArgumentTypeError(f"“{text}” is in the future.")
    return instant
