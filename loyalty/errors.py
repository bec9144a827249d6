"""Reasons to refuse a posting or an enrolment, in words for the person at the door."""

from typing import Any

from approvals.errors import Refused


class InvalidPosting(Refused):
    """What was asked for makes no sense; nothing is remembered of it.

    ``details["field"]`` names what is wrong.
    """

    code = "invalid_posting"


class InFuture(InvalidPosting):
    """The activity has not happened yet."""

    code = "in_future"


class ReferenceReused(Refused):
    """The reference was given before, to something else; ``first`` is that request."""

    code = "reference_reused"

    def __init__(self, message: str, *, first: Any, **details: Any) -> None:
        super().__init__(message, **details)
        self.first = first


class PostingRefused(Refused):
    """The rules of the program forbid the posting.

    The refusal is kept under the posting's reference: sent again, the same posting
    is refused in the same words, whatever has changed since.
    """

    code = "posting_refused"


class InsufficientPoints(PostingRefused):
    """The balance would fall below its floor."""

    code = "insufficient_points"


class MaximumReached(PostingRefused):
    """The balance would rise above its ceiling."""

    code = "maximum_reached"


class LimitExceeded(PostingRefused):
    """One posting may not add or take so much."""

    code = "limit_exceeded"


class BalanceRetired(PostingRefused):
    """Nothing is posted to this balance any more, or not yet."""

    code = "balance_retired"


class MemberClosed(PostingRefused):
    """The member's account is closed."""

    code = "member_closed"


class NotAMember(PostingRefused):
    """The person has left the program."""

    code = "not_a_member"


class NotReversible(PostingRefused):
    """Lines of that kind cannot be taken back; ``details["kind"]`` says which."""

    code = "not_reversible"


class AlreadyReversed(PostingRefused):
    """Nothing is left to take back."""

    code = "already_reversed"


class MoreThanLeft(PostingRefused):
    """More was to be taken back than is left; ``details["left"]`` says how much is."""

    code = "more_than_left"


class NotPending(Refused):
    """The request was completed, cancelled or has run out; ``details["status"]``."""

    code = "not_pending"


#: Refusals that are kept, by their code: what a replay raises again.
KEPT: dict[str, type[PostingRefused]] = {
    refusal.code: refusal
    for refusal in (
        InsufficientPoints,
        MaximumReached,
        LimitExceeded,
        BalanceRetired,
        MemberClosed,
        NotAMember,
        NotReversible,
        AlreadyReversed,
        MoreThanLeft,
    )
}


class AlreadyMember(Refused):
    """The person belongs to the program already; ``details["member_id"]`` says who."""

    code = "already_member"


class InvalidPerson(Refused):
    """What is said of somebody cannot be kept; ``details["field"]`` names what."""

    code = "invalid_person"


class NumberTaken(Refused):
    """Another member of the program has this membership number."""

    code = "number_taken"


class ContactConflict(Refused):
    """The details given belong to different people."""

    code = "contact_conflict"


class ContactKnown(ContactConflict):
    """There is a contact with these details; ``details["contact_id"]`` says who."""

    code = "contact_known"


class HouseholdConflict(Refused):
    """Who is to share a membership has one, or shares another, in the program."""

    code = "household_conflict"
