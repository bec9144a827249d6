"""Reasons to refuse an act on a tier, or on a member's."""

from approvals.errors import Refused


class TierNotLive(Refused):
    """The tier is not among the live tiers of its group."""

    code = "tier_not_live"


class AlreadyInTier(Refused):
    """The member stands in that tier as it is."""

    code = "already_in_tier"


class OverrideInForce(Refused):
    """Another override of the member is in force at that time.

    ``details["override_id"]`` says which.
    """

    code = "override_in_force"


class OverrideOver(Refused):
    """The override has ended already."""

    code = "override_over"


class CannotBeJudged(Refused):
    """Judging the member breaks; they are set aside until somebody has looked."""

    code = "cannot_be_judged"


class EndInPast(Refused):
    """The instant at which the override was to end has passed."""

    code = "end_in_past"


class Taken(Refused):
    """Another tier of the group has it; ``details["field"]`` says what."""

    code = "taken"


class LimitReached(Refused):
    """There are as many tiers as the caller allows; ``details["most"]`` of them."""

    code = "limit_reached"


class ProgramInUse(Refused):
    """People take part in the program; ``details["members"]`` of them."""

    code = "program_in_use"


class NotAccepted(Refused):
    """The draft was sent back, and nobody has changed it since."""

    code = "not_accepted"
