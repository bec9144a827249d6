"""Every problem that this voice answers with, in one list.

The list is what the handler goes by, what the documentation prints and what
``GET /api/v1/problems`` sends. A code means one thing for good, and has one status.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Problem:
    """What a code stands for, whatever the occasion."""

    code: str
    status: int
    title: str

    @property
    def type(self) -> str:
        """Return the address at which the problem is explained."""
        return f"/api/v1/problems/{self.code}"


PROBLEMS: Final[dict[str, Problem]] = {
    code: Problem(code, status, title)
    for status, titles in {
        400: {
            "invalid_request": "Something that was sent breaks a rule; see “errors”.",
            "malformed_json": "The body is not a JSON object in UTF-8.",
            "duplicate_key": "A JSON object has a key twice.",
            "too_deep": "The body is nested too deeply.",
            "invalid_text": "A text holds characters that nobody can see.",
            "idempotency_key_invalid": "The Idempotency-Key cannot be used.",
            "refused": "The request was refused.",
            "unsound": "What would be live breaks a rule of the program or group.",
            "mixed_programs": "Versions of several programs cannot go together.",
            "nothing_chosen": "No version was chosen.",
            "reason_required": "A reason is required.",
            "go_live_in_past": "The go-live time has passed.",
            "end_in_past": "The end has passed.",
            "invalid_key": "The API key cannot be made so.",
            "invalid_posting": "The posting makes no sense.",
            "invalid_person": "What is said of the person cannot be kept.",
            "in_future": "The activity has not happened yet.",
        },
        401: {"unauthenticated": "Nobody was recognised."},
        403: {
            "permission_denied": "The caller may not do this.",
            "not_allowed": "The caller may not do this here.",
            "insufficient_scope": "The API key's scopes do not cover this.",
            "program_limited": "A caller limited to some programs cannot make one.",
            "human_required": "A person has to do this.",
            "key_required": "A system has to do this, with an API key.",
            "csrf_failed": "The session's CSRF token is missing or wrong.",
            "self_approval": "Somebody else has to decide.",
        },
        404: {
            "not_found": "There is no such thing for the caller.",
            "unknown_tier": "There is no such tier for the caller.",
        },
        405: {"method_not_allowed": "This address does not take that method."},
        406: {"not_acceptable": "Only application/json can be sent."},
        409: {
            "already_decided": "Somebody settled the change set first.",
            "approval_required": "The program's changes go through a reviewer.",
            "base_moved": "What is live has changed since.",
            "content_changed": "This is not what was read any more.",
            "draft_exists": "The thing has an open version already.",
            "invalid_transition": "That cannot be done in this state.",
            "stale_edit": "Somebody changed the version since.",
            "already_member": "The person is a member already.",
            "contact_conflict": "The details belong to different people.",
            "cannot_be_judged": "The member cannot be judged until somebody has looked.",
            "not_accepted": "The draft was sent back and not changed since.",
            "program_in_use": "People take part in the program.",
            "household_conflict": "The membership cannot be shared so.",
            "contact_known": "There is a contact with these details.",
            "number_taken": "The membership number is taken.",
            "not_pending": "The request is not pending any more.",
            "reference_reused": "The reference was given to something else before.",
            "posting_refused": "The program's rules forbid the posting.",
            "insufficient_points": "The balance would fall below its floor.",
            "maximum_reached": "The balance would rise above its ceiling.",
            "limit_exceeded": "One posting may not add or take so much.",
            "balance_retired": "Nothing is posted to this balance.",
            "member_closed": "The member's account is closed.",
            "not_a_member": "The person has left the program.",
            "not_reversible": "Lines of that kind cannot be taken back.",
            "already_reversed": "Nothing is left to take back.",
            "more_than_left": "More was to be taken back than is left.",
            "already_in_tier": "The member stands in that tier.",
            "limit_reached": "There are as many tiers as there can be.",
            "override_in_force": "Another override is in force.",
            "override_over": "The override has ended.",
            "taken": "Another tier of the group has it.",
            "tier_not_live": "The tier is not live.",
        },
        412: {"precondition_failed": "The thing is not what If-Match names any more."},
        413: {"too_large": "The body is too large."},
        415: {"unsupported_media_type": "Only application/json in UTF-8 is read."},
        422: {"idempotency_key_reused": "The Idempotency-Key came with another body."},
        428: {"precondition_required": "Say in If-Match what was read."},
        429: {"rate_limited": "Too many requests."},
    }.items()
    for code, title in titles.items()
}

#: What can be wrong with one field or parameter, as ``errors[].code`` says.
FIELD_PROBLEMS: Final[dict[str, str]] = {
    "required": "It has to be sent.",
    "null": "It cannot be null.",
    "blank": "It cannot be empty.",
    "invalid": "It breaks a rule, which the sentence names.",
    "unknown_field": "There is no such field.",
    "read_only_field": "The field is not the caller's to set.",
    "invalid_integer": "A whole number is sent in digits, without quotes.",
    "invalid_decimal": "An amount is sent as a string such as “12.50”.",
    "too_many_decimals": "There are more decimals than are kept.",
    "out_of_range": "It is too small or too large.",
    "min_value": "It is too small.",
    "max_value": "It is too large.",
    "max_length": "It is too long.",
    "min_length": "It is too short.",
    "empty": "The list is empty.",
    "not_a_list": "A list is sent.",
    "not_an_object": "A JSON object is sent.",
    "not_channels": "A list of names of channels is sent.",
    "invalid_choice": "It is not one of the words that can be sent.",
    "invalid_flag": "true or false is sent.",
    "invalid_text": "It holds characters that nobody can see, or is no text.",
    "invalid_instant": "An instant is sent as RFC 3339 writes it.",
    "offset_required": "An instant is sent with its offset.",
    "invalid_day": "A day is sent as YYYY-MM-DD, or DD/MM for one of every year.",
    "invalid_uuid": "A uuid is sent in lower case, with hyphens.",
    "invalid_image": "A picture has an absolute address.",
    "invalid_number": "A number is not finite, or too large for every reader.",
    "unknown_time_zone": "There is no such time zone.",
    "unknown_currency": "There is no such currency.",
    "too_deep": "It is nested too deeply.",
    "too_large": "It is too large.",
    "batch_size": "The batch has too few or too many items.",
    "repeated": "It stands in the batch more than once.",
    "not_found": "There is no such thing for the caller.",
    "unknown_filter": "There is no such parameter.",
    "repeated_parameter": "The parameter is given once.",
    "invalid_limit": "The page has too few or too many items.",
    "invalid_cursor": "The cursor is not one that was sent for this very list.",
    "unknown_ordering": "The list cannot be ordered by that.",
    "search_too_long": "The search is too long.",
    "in_future": "The instant has not come yet.",
}


def table() -> str:
    """Return all codes as Markdown, for the documentation."""
    lines = ["| code | status | what it means |", "|---|---|---|"]
    lines += [f"| `{p.code}` | {p.status} | {p.title} |" for p in PROBLEMS.values()]
    lines += ["", "| code of one field or parameter | what it means |", "|---|---|"]
    lines += [f"| `{code}` | {says} |" for code, says in FIELD_PROBLEMS.items()]
    return "\n".join(lines)
