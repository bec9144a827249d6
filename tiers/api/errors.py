"""What each reason to refuse means over HTTP.

Verbs refuse for reasons (``approvals.errors``); reading adds those below. This table
says which status each is. The words and numbers on the wire are the voices' own.
"""

from typing import Final

from approvals import errors
from approvals.errors import Refused
from loyalty import errors as loyalty
from loyalty import keys
from tiers import errors as tiers


class UnknownTier(Refused):
    """No tier that the caller may see answers to that id."""

    code = "unknown_tier"


STATUSES: Final[dict[type[Refused], int]] = {
    Refused: 400,
    UnknownTier: 404,
    # Who may.
    errors.NotAllowed: 403,
    errors.SelfApproval: 403,
    # What was sent.
    errors.GoLiveInPast: 400,
    errors.InvalidText: 400,
    errors.MixedPrograms: 400,
    errors.NothingChosen: 400,
    errors.ReasonRequired: 400,
    errors.Unsound: 400,
    keys.InvalidKey: 400,
    loyalty.InvalidPerson: 400,
    loyalty.InvalidPosting: 400,
    tiers.EndInPast: 400,
    # What has happened meanwhile, or must happen first.
    errors.AlreadyDecided: 409,
    errors.ApprovalRequired: 409,
    errors.BaseMoved: 409,
    errors.ContentChanged: 409,
    errors.DraftExists: 409,
    errors.InvalidTransition: 409,
    errors.StaleEdit: 409,
    loyalty.AlreadyMember: 409,
    loyalty.ContactConflict: 409,
    loyalty.HouseholdConflict: 409,
    loyalty.NotPending: 409,
    loyalty.NumberTaken: 409,
    loyalty.PostingRefused: 409,
    loyalty.ReferenceReused: 409,
    tiers.AlreadyInTier: 409,
    tiers.CannotBeJudged: 409,
    tiers.LimitReached: 409,
    tiers.NotAccepted: 409,
    tiers.OverrideInForce: 409,
    tiers.OverrideOver: 409,
    tiers.ProgramInUse: 409,
    tiers.Taken: 409,
    tiers.TierNotLive: 409,
}


def status_of(refusal: Refused) -> int:
    """Return the HTTP status of a refusal: its own, or that of the nearest above it."""
    return next(STATUSES[kind] for kind in type(refusal).__mro__ if kind in STATUSES)
