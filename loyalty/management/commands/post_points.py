import uuid
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import transaction

from approvals.errors import Refused
from loyalty import amounts, points
from loyalty.management import arguments
from loyalty.models import BalanceDefinition, Member

VERBS = {
    "earn": points.earn,
    "adjust": points.adjust,
    "adjust-to": points.adjust_to,
    "redeem": points.redeem,
}


class Command(arguments.Command):
    help = (
        "Post one thing to one member. With a reference of your own it is safe to "
        "repeat: the same posting has one effect."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("kind", choices=VERBS, help="What is posted.")
        parser.add_argument("amount", type=arguments.text, help="Such as 250 or 12.50.")
        arguments.add_program(parser, required=True, help="The member's program.")
        parser.add_argument(
            "--member",
            required=True,
            type=arguments.text,
            help="Membership number, card number, e-mail or external id.",
        )
        parser.add_argument(
            "--balance",
            type=arguments.text,
            default="POINTS",
            help="POINTS (the default), PURCHASES, VISITS, or a balance's name.",
        )
        parser.add_argument("--reference", type=arguments.text)
        parser.add_argument("--source", type=arguments.text, default="command line")
        parser.add_argument("--description", type=arguments.text, default="")
        parser.add_argument(
            "--occurred-at",
            type=arguments.past_instant,
            metavar="INSTANT",
            help="When it happened, if not now; for earn and adjust.",
        )
        arguments.add_as_of(parser)
        arguments.add_dry_run(parser, "Say what would come of it; write nothing.")

    def handle(self, *args: Any, **options: Any) -> None:
        program = arguments.program_named(options["program"])
        member = arguments.member_named(program, options["member"])
        with transaction.atomic():
            self._post(member, options)
            if options["dry_run"]:
                transaction.set_rollback(True)

    def _post(self, member: Member, options: dict[str, Any]) -> None:
        asked: dict[str, Any] = {
            "reference": options["reference"] or f"command-{uuid.uuid4()}",
            "source": options["source"],
            "by": None,
            "description": options["description"],
            "at": options["as_of"],
        }
        if options["occurred_at"]:
            if options["kind"] not in ("earn", "adjust"):
                raise CommandError(
                    "Only what is earned or adjusted can bear an earlier date.",
                    returncode=arguments.WRONG,
                )
            asked["occurred_at"] = options["occurred_at"]
        definition, rules, amount = self._amount(member, options)
        verb: Any = VERBS[options["kind"]]
        try:
            posting = verb(member, definition, amount, **asked)
        except Refused as refusal:
            raise CommandError(refusal.message) from None
        would = "would be posted" if options["dry_run"] else "posted"
        self._report(member, posting, rules, would)

    def _report(
        self, member: Member, posting: points.Posting, rules: points.Rules, would: str
    ) -> None:
        if posting.replayed:
            would = "posted before"
        if not posting.lines:
            self.stdout.write(f"{member}: nothing to post.")
        for line in posting.lines:
            self.stdout.write(
                f"{member}: {rules.shown(line.amount)} {rules.name} {would}; "
                f"the balance is {rules.shown(line.balance)}."
            )

    def _amount(
        self, member: Member, options: dict[str, Any]
    ) -> tuple[BalanceDefinition, points.Rules, int]:
        try:
            definition, rules = points.balance_named(
                member.program_id, options["balance"]
            )
            kind = options["kind"].upper()
            amount = points.to_units(options["amount"], rules, kind)
        except (Refused, amounts.NotAnAmount) as problem:
            raise CommandError(str(problem), returncode=arguments.WRONG) from None
        return definition, rules, amount
