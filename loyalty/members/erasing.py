"""Erasing what is known of a person, for good."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from approvals import lifecycle
from approvals.errors import InvalidTransition, NotAllowed
from approvals.lifecycle.guards import name_of, when

from ..models import Contact, Member
from .steps import expect_all_seen, hold_contact, on_record

PERMISSION = "loyalty.erase_contacts"


def erase(member: Member, *, by: Any, reason: str, at: datetime | None = None) -> None:
    """Empty what is known of the person behind a member, in all of their programs.

    The rows stay where they are: points, tiers and membership numbers are kept, and
    nobody can tell any more whose they are. What is put on record says that it was
    done, and nothing of what was there.
    """
    if not by.has_perm(PERMISSION):
        raise NotAllowed(f"{name_of(by)} may not erase anybody's data.")
    reason = lifecycle.reason_given(reason, "erasing somebody's data")
    with transaction.atomic():
        # The contact first: nobody enrols the person anywhere else meanwhile.
        contact = hold_contact(member.contact_id)
        memberships = Member.objects.filter(contact=contact).order_by("pk")
        held = list(memberships.select_for_update(no_key=True))
        at = at or timezone.now()
        expect_all_seen(held, by=by, act="erase their data")
        if contact.erased_at:
            raise InvalidTransition(
                f"The data of {member} was erased on {when(contact.erased_at)} already."
            )
        _empty(contact, at)
        memberships.update(card="", meta={})
        for each in held:
            on_record(each, "erase", by=by, reason=reason, at=at)
    member.contact = contact
    member.card, member.meta = "", {}


def _empty(contact: Contact, at: datetime) -> None:
    contact.name = contact.email = contact.mobile = ""
    contact.external_id = contact.site_member_id = ""
    contact.attributes = {}
    contact.erased_at = at
    contact.save(
        update_fields=[
            "name",
            "email",
            "mobile",
            "external_id",
            "site_member_id",
            "attributes",
            "erased_at",
        ]
    )
