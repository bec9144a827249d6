"""Which programs commands on tiers work on."""

from typing import Any

from django.core.management.base import CommandParser

from loyalty.management import arguments
from loyalty.management.arguments import add_as_of
from loyalty.models import Program

__all__ = ["add_as_of", "add_program", "chosen_programs"]


def add_program(parser: CommandParser) -> None:
    arguments.add_program(
        parser, help="Only this program; all that have tiers by default."
    )


def chosen_programs(program: Any) -> list[Program]:
    """Return the programs to work on, or refuse what names none."""
    if program is not None:
        return [arguments.program_named(program)]
    programs = Program.objects.with_live().order_by("pk")
    return list(programs.filter(tier_groups__discarded_at=None).distinct())
