"""API keys: made and shown once, replaced with an overlap, revoked at once."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from approvals import lifecycle
from approvals.errors import InvalidTransition, NotAllowed, SelfApproval
from approvals.models import AuditEvent, Contribution
from loyalty import keys, programs
from loyalty.models import ApiKey, Program
from loyalty.models.keys import Scope
from tests import factories
from tests.races import racers
from tiers import drafting

NOW = timezone.now()


def use(secret: str, **at: Any) -> ApiKey | None:
    return keys.recognise(secret, **at)


# Making


def test_a_key_is_a_prefix_and_a_secret(maya):
    key, secret = factories.make_key(maya, program=None)
    assert keys.FORM.fullmatch(secret)
    assert secret.partition(".")[0] == key.prefix
    assert use(secret) == key
    # No two alike.
    assert len({factories.make_key(maya)[1] for _ in range(20)}) == 20


def test_only_a_hash_is_stored(maya):
    key, secret = factories.make_key(maya)
    key.refresh_from_db()
    assert key.hashed_key.startswith("sha512$$")
    assert secret[9:] not in key.hashed_key


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "a\u202eb"},
        {"name": "x" * 51},
        {"expires_at": NOW - timedelta(days=1)},
        {"secret": "short.secret"},
        {"secret": "12345678." + "x" * 31 + "\u0661"},
    ],
)
def test_what_makes_no_sense_is_refused(maya, wrong):
    with pytest.raises(keys.InvalidKey):
        factories.make_key(maya, **wrong)
    assert not ApiKey.objects.exists()


def test_scopes_are_among_the_known_ones(maya):
    key = ApiKey(name="x", owner_id=maya.pk, scopes=["everything"], prefix="a" * 8)
    with pytest.raises(ValidationError, match="scopes are among"):
        key.full_clean(exclude=["owner", "hashed_key"])


# Recognising


def test_a_key_is_good_until_it_expires(maya):
    _, secret = factories.make_key(maya, expires_at=NOW + timedelta(days=1))
    assert use(secret, at=NOW)
    assert use(secret, at=NOW + timedelta(hours=23))
    assert not use(secret, at=NOW + timedelta(days=1))


def test_recognising_costs_one_query_whatever_is_sent(maya, django_assert_num_queries):
    _, secret = factories.make_key(maya)
    with django_assert_num_queries(1):
        assert use(secret)
    with django_assert_num_queries(1):
        assert not use("zzzzzzzz" + secret[8:])
    # What has not the form of a key is not looked for.
    with django_assert_num_queries(0):
        assert not use("'; drop table")


def test_unknown_and_wrong_keys_are_compared_alike(maya, monkeypatch):
    _, secret = factories.make_key(maya)
    compared = []
    hasher: Any = type(ApiKey.objects.key_generator.preferred_hasher)
    verify = hasher.verify

    def counting(self: Any, *given: str) -> bool:
        compared.append(given)
        return bool(verify(self, *given))

    monkeypatch.setattr(hasher, "verify", counting)
    for presented in (secret, "zzzzzzzz" + secret[8:], secret[:9] + "0" * 32, "x"):
        use(presented)
    assert len(compared) == 4


# Last used


def test_use_is_noted_once_a_minute(maya, django_assert_num_queries):
    key, secret = factories.make_key(maya)
    keys.note_use(key, at=NOW)
    key.refresh_from_db()
    assert key.last_used_at == NOW
    with django_assert_num_queries(0):
        keys.note_use(key, at=NOW + timedelta(seconds=59))
    keys.note_use(key, at=NOW + timedelta(seconds=60))
    key.refresh_from_db()
    assert key.last_used_at == NOW + timedelta(seconds=60)


@pytest.mark.django_db(transaction=True)
def test_noting_use_waits_for_nobody(maya):
    """Somebody holds the row (on SQLite: all of it) and does not let go."""
    key, _ = factories.make_key(maya)
    with racers(1) as people, transaction.atomic():
        ApiKey.objects.filter(pk=key.pk).update(name="Held")
        begun = timezone.now()
        (outcome,) = people.race(lambda: keys.note_use(key))
        assert outcome is None
        assert timezone.now() - begun < timedelta(seconds=2)
    key.refresh_from_db()
    assert key.last_used_at is None
    # Its patience is what it was.
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA busy_timeout")
            assert cursor.fetchone()[0] == 20_000


# Replacing


def test_both_keys_work_in_the_overlap(maya):
    old, old_secret = factories.make_key(
        maya, "read", at=NOW, expires_at=NOW + timedelta(days=30)
    )
    ends = NOW + timedelta(days=7)
    new, new_secret = keys.rotate(old, by=maya, ends_at=ends, at=NOW)
    assert use(old_secret, at=ends - timedelta(seconds=1)) == old
    assert use(new_secret, at=NOW) == new
    assert not use(old_secret, at=ends)
    assert use(new_secret, at=ends)
    assert (new.replaces, new.name, new.scopes) == (old, old.name, ["read"])


def test_a_key_is_replaced_once(maya):
    key, _ = factories.make_key(maya)
    keys.rotate(key, by=maya, ends_at=timezone.now() + timedelta(days=1))
    with pytest.raises(InvalidTransition, match="replaced already"):
        keys.rotate(key, by=maya, ends_at=timezone.now() + timedelta(days=1))


@pytest.mark.parametrize("days", [-1, 91])
def test_the_overlap_is_neither_past_nor_endless(maya, days):
    key, _ = factories.make_key(maya)
    with pytest.raises(keys.InvalidKey):
        keys.rotate(key, by=maya, ends_at=NOW + timedelta(days=days), at=NOW)


def test_a_revoked_key_is_not_replaced(maya):
    key, _ = factories.make_key(maya)
    keys.revoke(key, by=maya)
    with pytest.raises(InvalidTransition, match="Make a new one"):
        keys.rotate(key, by=maya, ends_at=timezone.now() + timedelta(days=1))


# Revoking


def test_revoking_is_for_good(maya):
    key, secret = factories.make_key(maya)
    keys.revoke(key, by=maya)
    assert not use(secret)
    with pytest.raises(InvalidTransition, match="revoked already"):
        keys.revoke(key, by=maya)


def test_who_may_revoke(maya, chen, program):
    sue = factories.make_user("sue", is_superuser=True)
    mike = factories.make_maker("mike")
    everywhere, _ = factories.make_key(sue)
    here, _ = factories.make_key(sue, program=program)
    assert keys.may_revoke(sue, everywhere)
    assert not keys.may_revoke(mike, everywhere)
    # A manager, in their program; a reviewer not.
    assert keys.may_revoke(mike, here)
    assert not keys.may_revoke(chen, here)
    mike.program_limits.create(program=factories.make_program(maya, "Other"))
    assert not keys.may_revoke(mike, here)
    with pytest.raises(NotAllowed):
        keys.revoke(here, by=mike)
    # Nobody's key revokes keys, not even its own.
    assert not keys.may_revoke(here.holder, here)


@pytest.mark.parametrize(
    "change",
    [
        {"revoked": False},
        {"hashed_key": "sha512$$x"},
        {"prefix": "another1"},
        {"scopes": list(Scope.values)},
        {"expiry_date": None},
        {"expiry_date": NOW + timedelta(days=99)},
    ],
)
def test_the_database_keeps_a_key_as_it_was_made(maya, change):
    key, _ = factories.make_key(maya, "read", expires_at=NOW + timedelta(days=9))
    keys.revoke(key, by=maya)
    with pytest.raises(DatabaseError), transaction.atomic():
        ApiKey.objects.filter(pk=key.pk).update(**change)
    with pytest.raises(DatabaseError), transaction.atomic():
        ApiKey.objects.filter(pk=key.pk).delete()


# What a key does


def events() -> list[tuple[str, str]]:
    rows = AuditEvent.objects.filter(kind="API key").order_by("pk")
    return list(rows.values_list("verb", "actor_name"))


def test_what_happens_to_a_key_is_on_record(maya):
    sue = factories.make_user("sue", is_superuser=True)
    key, secret = factories.make_key(maya, by=sue)
    new, new_secret = keys.rotate(
        key, by=sue, ends_at=timezone.now() + timedelta(days=1)
    )
    keys.revoke(key, by=maya, reason="It leaked.")
    assert events() == [
        ("make_key", "sue"),
        ("make_key", "sue"),
        ("rotate_key", "sue"),
        ("revoke_key", "maya"),
    ]
    said = " ".join(
        f"{event.label} {event.reason}" for event in AuditEvent.objects.all()
    )
    assert secret[9:] not in said
    assert new_secret[9:] not in said


@pytest.fixture
def holder(maya: Any) -> Any:
    """Maya, as a key of hers acts that Sue has made."""
    sue = factories.make_user("sue", is_superuser=True)
    return factories.make_key(maya, by=sue)[0].holder


def test_whoever_made_a_key_had_a_hand_in_what_it_drafts(group, holder, chen):
    gold = factories.live_tier(group, "Gold")
    version = lifecycle.draft_change(gold, by=holder, changes={"threshold": 1500})
    change_set = lifecycle.submit([version], by=holder)
    hands = Contribution.objects.to(change_set)
    assert {(hand.user.username, hand.role) for hand in hands} == {
        ("maya", "KEY_OWNER"),
        ("sue", "KEY_OWNER"),
    }
    sue = holder.key.made_by
    with pytest.raises(SelfApproval):
        factories.approve(change_set, sue)
    factories.approve(change_set, chen)
    record = AuditEvent.objects.filter(verb="draft").latest("pk")
    assert record.actor == holder
    assert record.actor_name == f"maya (API key {holder.key.prefix})"


def test_a_key_never_decides_even_behind_the_door(draft, chen):
    change_set = lifecycle.submit([draft], by=draft.created_by)
    key, _ = factories.make_key(chen)
    for decide in (
        lambda: factories.approve(change_set, key.holder),
        lambda: lifecycle.reject(
            change_set,
            by=key.holder,
            fingerprint=change_set.fingerprint,
            comment="No.",
        ),
    ):
        with pytest.raises(NotAllowed):
            decide()
    draft.refresh_from_db()
    assert draft.status == "PENDING_APPROVAL"


def test_a_key_that_drafts_does_not_publish(maya):
    free = programs.create_program(by=maya, name="Free", approval_required=False)
    drafter, _ = factories.make_key(maya, Scope.READ, Scope.DRAFTS)
    version = drafting.add_group(free, by=drafter.holder, name="Main")
    with pytest.raises(NotAllowed, match="may draft changes, but not publish"):
        lifecycle.publish_now([version], by=drafter.holder)
    publisher, _ = factories.make_key(maya, Scope.PUBLISH)
    lifecycle.publish_now([version], by=publisher.holder)
    version.refresh_from_db()
    assert version.status == "LIVE"


def test_a_key_acts_in_its_program_only(draft, maya, program):
    other = factories.make_program(maya, "Other")
    holder = factories.make_key(maya, program=other)[0].holder
    with pytest.raises(NotAllowed):
        lifecycle.submit([draft], by=holder)
    assert list(Program.objects.visible_to(holder)) == [other]


def test_a_scenario_leaves_no_secret_anywhere(maya, tmp_path, caplog):
    key, secret = factories.make_key(maya)
    _, renewed = keys.rotate(key, by=maya, ends_at=timezone.now() + timedelta(days=1))
    with caplog.at_level("DEBUG"):
        for presented in (secret, renewed, secret[:-1] + "0"):
            use(presented)
        keys.note_use(key)
        keys.revoke(key, by=maya)
        use(secret)
    everything = tmp_path / "rows.json"
    call_command("dumpdata", output=str(everything))
    for part in (secret[9:], renewed[9:]):
        assert part not in everything.read_text()
        assert part not in caplog.text
