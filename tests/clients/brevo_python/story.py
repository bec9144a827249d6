"""What an integration does with the vendor's own client; only the host is another.

Run by the environment that the client is installed in, one chapter after the other.
"""

import datetime as dt
import os
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx  # type: ignore[import-not-found,unused-ignore]
from brevo import Brevo  # type: ignore[import-not-found]
from brevo.core.api_error import ApiError  # type: ignore[import-not-found]
from brevo.errors import (  # type: ignore[import-not-found]
    BadRequestError,
    ConflictError,
    FailedDependencyError,
    ForbiddenError,
    NotFoundError,
    UnauthorizedError,
    UnprocessableEntityError,
)

URL = os.environ["TIERWRIGHT_URL"]
KEYS = {name: os.environ[f"{name}_KEY"] for name in ("FULL", "READ")}
NOBODYS = "99999999-9999-4999-8999-999999999999"
UTC = dt.UTC


def client(key: str = KEYS["FULL"], **options: Any) -> Any:
    return Brevo(api_key=key, base_url=f"{URL}/v3", **options)


brevo = client()


def refused(kind: type[ApiError], call: Callable[[], Any], code: str = "") -> Any:
    """Expect a refusal of a class; return its body."""
    met: Any = None
    try:
        call()
    except ApiError as error:
        met = error
    assert type(met) is kind, met
    found = met.body if isinstance(met.body, dict) else met.body.dict()
    assert found["message"].endswith("."), found
    assert code in ("", found["code"]), found
    return found


def asking(definition: Any, least: int) -> list[dict[str, Any]]:
    return [{"balance_definition_id": definition.id, "minimum_value": least}]


# Chapters


def programs() -> Any:
    made = brevo.program.create_new_lp(
        name="Corner Shop", description="Points.", meta={"shop": 7}
    )
    assert (made.state, made.meta) == ("inactive", {"shop": 7})
    assert isinstance(made.created_at, dt.datetime)
    assert brevo.program.get_loyalty_program_info(made.id).name == "Corner Shop"
    renamed = brevo.program.partially_update_loyalty_program(made.id, name="Corner")
    assert (renamed.name, renamed.description) == ("Corner", "Points.")
    replaced = brevo.program.update_loyalty_program(made.id, name="Corner Club")
    assert (replaced.name, replaced.description) == ("Corner Club", "")
    listed = brevo.program.get_lp_list(
        limit=10, offset=0, sort_field="name", sort="asc"
    )
    assert made.id in [program.id for program in listed.items]
    gone = brevo.program.create_new_lp(name="A mistake")
    brevo.program.delete_loyalty_program(gone.id)
    refused(NotFoundError, lambda: brevo.program.get_loyalty_program_info(gone.id))
    return made


def a_conflict_is_tried_again_and_changes_nothing(program: Any) -> None:
    began = time.monotonic()
    refused(
        ConflictError,
        lambda: brevo.program.create_new_lp(name="Corner Club"),
        "duplicate_parameter",
    )
    # Twice more, after a second and after two: nobody told it to wait for a minute.
    assert 2 < time.monotonic() - began < 10
    listed = brevo.program.get_lp_list(limit=100)
    assert [p.name for p in listed.items].count("Corner Club") == 1


def definitions(program: Any) -> Any:
    points = brevo.balance.create_balance_definition(
        program.id, name="Points", unit="POINTS", max_credit_amount_limit=5000
    )
    money = brevo.balance.create_balance_definition(
        program.id,
        name="Cash back",
        unit="EUR",
        balance_availability_duration_value=6,
        balance_availability_duration_unit="month",
        balance_availability_duration_modifier="endOfPeriod",
        meta={"is_internal": True},
    )
    yearly = brevo.balance.create_balance_definition(
        program.id,
        name="Yearly",
        unit="POINTS",
        balance_expiration_date=dt.date(2026, 12, 31),
    )
    assert (points.min_amount, points.max_credit_amount_limit) == (0, 5000)
    assert yearly.balance_expiration_date == "31/12"
    listed = brevo.balance.get_balance_definition_list(
        program.id, sort_field="name", sort="asc", version="draft"
    )
    names = [definition.name for definition in listed.items]
    assert names == ["Cash back", "Points", "Yearly"], names
    changed = brevo.balance.update_balance_definition(
        program.id, yearly.id, name="Every year", unit="POINTS"
    )
    assert changed.name == "Every year"
    brevo.balance.delete_balance_definition(program.id, yearly.id)
    gone = [
        lambda: brevo.balance.get_balance_definition(program.id, yearly.id),
        lambda: brevo.balance.get_balance_definition(
            program.id, points.id, version="active"
        ),
    ]
    for call in gone:
        refused(NotFoundError, call, "document_not_found")
    return points, money


def tiers(program: Any, points: Any) -> Any:
    pid = program.id
    reward = brevo.reward.create_reward(pid, name="Coffee", public_name="A coffee")
    offers = brevo.reward.get_reward_page_api(pid)
    assert [offer.name for offer in offers.items] == ["Coffee"]
    group = brevo.tier.create_tier_group(
        pid,
        name="Status",
        upgrade_strategy="real_time",
        downgrade_strategy="membership_anniversary",
        downgrade_schedule={
            "duration_value": 1,
            "duration_unit": "year",
            "duration_modifier": "end_of_period",
        },
    )
    assert (group.tier_order, group.upgrade_strategy) == ([], "real_time")
    made = [
        brevo.tier.create_tier_for_tier_group(
            pid,
            group.id,
            name=name,
            access_conditions=asking(points, least),
            tier_rewards=[{"reward_id": reward.id}],
        )
        for name, least in (("Member", 0), ("Silver", 500), ("Gold", 1500))
    ]
    order = [tier.tier_id for tier in made]
    changed = brevo.tier.update_tier(
        pid,
        made[2].tier_id,
        name="Golden",
        access_conditions=asking(points, 2000),
        tier_rewards=[],
        image_ref="https://example.org/gold.png",
    )
    assert (changed.name, changed.image_ref) == (
        "Golden",
        "https://example.org/gold.png",
    )
    group = brevo.tier.update_tier_group(
        pid,
        group.id,
        name="Level",
        upgrade_strategy="real_time",
        downgrade_strategy="real_time",
        tier_order=order,
    )
    assert (group.name, group.tier_order) == ("Level", order)
    doomed = brevo.tier.create_tier_for_tier_group(
        pid, group.id, name="Never", access_conditions=[]
    )
    brevo.tier.delete_tier(pid, doomed.tier_id)
    spare = brevo.tier.create_tier_group(pid, name="Spare")
    brevo.tier.delete_tier_group(pid, spare.id)
    groups = brevo.tier.get_list_of_tier_groups(pid)
    assert [item.name for item in groups.items] == ["Level"]
    listed = brevo.tier.get_loyalty_program_tier(pid, version="draft")
    assert [tier.name for tier in listed.items] == ["Member", "Silver", "Golden"]
    assert brevo.tier.get_loyalty_program_tier(pid, version="active").items == []
    refused(
        NotFoundError,
        lambda: brevo.tier.get_tier_group(pid, group.id, version="active"),
    )
    return group, made


def contact() -> Any:
    """Somebody new."""
    contact.number += 1  # type: ignore[attr-defined]
    return brevo.contacts.create_contact(
        email=f"member{contact.number}@example.org",  # type: ignore[attr-defined]
        ext_id=f"E-{contact.number}",  # type: ignore[attr-defined]
        attributes={"FIRSTNAME": "Ada", "SMS": "+390612345"},
    )


contact.number = 0  # type: ignore[attr-defined]


def publish(program: Any) -> None:
    somebody = contact()
    refused(
        UnprocessableEntityError,
        lambda: brevo.program.subscribe_to_loyalty_program(
            program.id, contact_id=somebody.id
        ),
    )
    published = brevo.program.with_raw_response.publish_loyalty_program(program.id)
    assert published.status_code == 200
    state = brevo.program.get_loyalty_program_info(program.id).state
    assert state == "active"
    brevo.program.publish_loyalty_program(program.id)


def members(program: Any) -> int:
    pid, ada = program.id, contact()
    joined = brevo.program.subscribe_to_loyalty_program(
        pid,
        contact_id=ada.id,
        loyalty_subscription_id="CARD-1",
        creation_date=dt.datetime(2026, 1, 15, 9, 30, tzinfo=UTC),
        meta={"shop": 7},
    )
    assert (joined.contact_id, joined.loyalty_subscription_id) == (ada.id, "CARD-1")
    assert joined.created_at == dt.datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
    again = brevo.program.subscribe_to_loyalty_program(pid, contact_id=ada.id)
    assert again.loyalty_subscription_id == "CARD-1"
    refused(
        BadRequestError,
        lambda: brevo.program.subscribe_to_loyalty_program(
            pid, contact_id=contact().id, loyalty_subscription_id="CARD-1"
        ),
    )
    refused(
        NotFoundError,
        lambda: brevo.program.subscribe_to_loyalty_program(pid, contact_id=999_999),
    )
    child = contact()
    household = brevo.program.subscribe_member_to_a_subscription(
        pid, contact_id=ada.id, member_contact_ids=[child.id]
    )
    assert household.member_contact_ids == [child.id]
    refused(
        ConflictError,
        lambda: client(max_retries=0).program.subscribe_member_to_a_subscription(
            pid, loyalty_subscription_id="CARD-1", member_contact_ids=[ada.id]
        ),
    )
    brevo.program.delete_contact_members(pid, member_contact_ids=str(child.id))
    leaver = contact()
    brevo.program.subscribe_to_loyalty_program(pid, contact_id=leaver.id)
    brevo.program.delete_contact_subscription(pid, leaver.id)
    for query in ({"contact_id": str(leaver.id)}, {"contact_id": "x"}, {}):
        refused(
            BadRequestError,
            partial(brevo.program.get_parameter_subscription_info, pid, **query),
        )
    number: int = ada.id
    return number


def transactions(program: Any, ada: int, points: Any, money: Any) -> None:
    pid = program.id

    def begin(amount: float, definition: Any = points, **said: Any) -> Any:
        said = {"contact_id": ada} | said
        return brevo.balance.begin_transaction(
            pid, amount=amount, balance_definition_id=definition.id, **said
        )

    waiting = begin(600, meta={"order": 1}, ttl=60)
    assert (waiting.status, waiting.transaction_type) == ("pending", "credit")
    assert value(pid, ada, points) == 0
    done = brevo.balance.complete_transaction(pid, waiting.id)
    assert (done.status, done.balance, done.meta) == ("completed", 600, {"order": 1})
    refused(
        UnprocessableEntityError,
        lambda: brevo.balance.complete_transaction(pid, waiting.id),
    )
    refused(
        UnprocessableEntityError,
        lambda: brevo.balance.cancel_transaction(pid, waiting.id),
    )
    off = begin(100, transaction_type="debit")
    assert brevo.balance.cancel_transaction(pid, off.id).status == "cancelled"
    in_rome = dt.timezone(dt.timedelta(hours=1))
    event = dt.datetime.now(in_rome).replace(microsecond=0) - dt.timedelta(days=1)
    cash = begin(12.345, money, auto_complete=True, event_time=event)
    assert (cash.amount, cash.event_time) == (12.34, event)
    taken = begin(
        -50,
        contact_id=None,
        loyalty_subscription_id="CARD-1",
        auto_complete=True,
        request_options={"additional_headers": {"Idempotency-Key": "till-1"}},
    )
    again = begin(
        -50,
        contact_id=None,
        loyalty_subscription_id="CARD-1",
        auto_complete=True,
        request_options={"additional_headers": {"Idempotency-Key": "till-1"}},
    )
    assert taken.id == again.id
    assert value(pid, ada, points) == 550
    wrong: list[Callable[[], Any]] = [
        lambda: begin(0),
        lambda: begin(-551, auto_complete=True),
        lambda: begin(5001),
        lambda: begin(1, contact_id=999_999),
        lambda: begin(1, auto_complete=True, balance_expiry_in_minutes=5),
        lambda: begin(1, ttl=5),
    ]
    for call in wrong:
        refused(UnprocessableEntityError, call)
    for call in (
        lambda: brevo.balance.complete_transaction(pid, NOBODYS),
        lambda: brevo.balance.cancel_transaction(pid, NOBODYS),
        lambda: brevo.balance.begin_transaction(
            pid, amount=1, balance_definition_id=NOBODYS, contact_id=ada
        ),
    ):
        refused(NotFoundError, call, "document_not_found")


def value(pid: str, ada: int, definition: Any, **options: Any) -> Any:
    found = brevo.balance.get_subscription_balances(pid, str(ada), **options)
    values = {row.balance_definition_id: row.value for row in found.balance}
    return values.get(definition.id)


def balances(program: Any, ada: int, points: Any, money: Any) -> None:
    pid = program.id
    assert value(pid, ada, money) is None
    assert value(pid, ada, money, include_internal=True) == 12.34
    made = brevo.balance.create_subscription_balances(
        pid, str(ada), balance_definition_id=points.id
    )
    assert (made.amount, made.contact_id) == (550, ada)
    lots = brevo.balance.get_active_balances_api(
        pid,
        contact_id=ada,
        balance_definition_id=money.id,
        sort_field="createdAt",
        sort="asc",
        include_internal=True,
    )
    assert [lot.amount for lot in lots.active_balances] == [12.34]
    half_a_year = dt.timedelta(days=180)
    assert lots.active_balances[0].expires_at > dt.datetime.now(UTC) + half_a_year
    everybody = brevo.balance.get_contact_balances(
        pid, balance_definition_id=points.id, sort_field="value", sort="desc", limit=1
    )
    (first,) = everybody.balances
    assert (first.contact_id, first.value) == (ada, 550)
    history = brevo.balance.get_transaction_history_api(
        pid, contact_id=ada, balance_definition_id=points.id, sort="asc", limit=2
    )
    words = [(t.amount, t.status) for t in history.transaction_history]
    assert words == [(600, "completed"), (-100, "cancelled")], words
    taken = brevo.balance.get_transaction_history_api(
        pid,
        contact_id=ada,
        balance_definition_id=points.id,
        status="completed",
        transaction_type="debit",
    )
    assert (taken.count, taken.transaction_history[0].amount) == (1, -50)


def held(program: Any, ada: int, group: Any, made: Any) -> None:
    pid = program.id

    def account(**asked: Any) -> Any:
        return brevo.program.get_parameter_subscription_info(
            pid, contact_id=str(ada), **asked
        )

    (own,) = account().tier
    assert (own.tier_id, own.tier_name) == (made[1].tier_id, "Silver")
    assert own.group_id == group.id
    assert account(params="balance").tier is None
    assert account().loyalty_program_name == "Corner Club"
    assert account().membership.loyalty_subscription_id == "CARD-1"
    shown = account(include_internal=True).balance.balances
    assert sorted(row.value for row in shown if row.value) == [12.34, 550]
    moved = brevo.tier.add_subscription_to_tier(pid, ada, made[2].tier_id)
    assert (moved.contact_id, moved.group_id) == (ada, group.id)
    assert account(params="tier").tier[0].tier_id == made[2].tier_id
    refused(
        ConflictError,
        lambda: client(max_retries=0).tier.add_subscription_to_tier(
            pid, ada, made[2].tier_id
        ),
    )
    refused(
        FailedDependencyError,
        lambda: brevo.tier.add_subscription_to_tier(pid, contact().id, made[1].tier_id),
    )
    refused(
        NotFoundError, lambda: brevo.tier.add_subscription_to_tier(pid, ada, NOBODYS)
    )
    # The vendor's client has no method for this one; its guides have the address.
    told = httpx.get(
        f"{URL}/v3/loyalty/balance/programs/{pid}/subscriptions/{ada}/tier",
        headers={"api-key": KEYS["FULL"]},
    ).json()
    assert (told["tierName"], told["nextTierName"]) == ("Golden", None)


def errors(program: Any) -> None:
    """Who may not is told so before anything is looked for."""
    pid = program.id
    for key, kind in (
        ("AAAAAAAA.wrong-wrong-wrong-wrong-wrong-wr", UnauthorizedError),
        ("", UnauthorizedError),
        (KEYS["READ"], ForbiddenError),
    ):
        other = client(key)
        calls: list[Callable[[], Any]] = [
            partial(other.tier.create_tier_group, pid, name="X"),
            partial(other.program.create_new_lp, name="X"),
            partial(other.program.publish_loyalty_program, pid),
            partial(other.balance.complete_transaction, pid, NOBODYS),
            partial(other.program.delete_contact_subscription, pid, 1),
        ]
        for call in calls:
            refused(kind, call)
    reader = client(KEYS["READ"])
    assert reader.tier.get_list_of_tier_groups(pid).items[0].name == "Level"
    refused(BadRequestError, lambda: brevo.program.get_lp_list(sort_field="nonsense"))
    unprocessable: list[Callable[[], Any]] = [
        lambda: brevo.tier.create_tier_group(pid, name=""),
        lambda: brevo.tier.create_tier_group(pid, name="X", upgrade_strategy="daily"),
        lambda: brevo.tier.get_tier_group("x", NOBODYS),
        lambda: brevo.balance.create_balance_definition(pid, name="X", unit="STARS"),
        lambda: brevo.balance.get_balance_definition(pid, "x"),
        lambda: brevo.tier.get_loyalty_program_tier(pid, version="live"),
    ]
    for call in unprocessable:
        found = refused(UnprocessableEntityError, call)
        assert found["errors"], found
    for call in (
        lambda: brevo.tier.get_loyalty_program_tier(NOBODYS),
        lambda: brevo.balance.get_contact_balances(
            NOBODYS, balance_definition_id=NOBODYS
        ),
        lambda: brevo.tier.delete_tier(pid, NOBODYS),
    ):
        refused(NotFoundError, call)


def contacts() -> None:
    known = brevo.contacts.create_contact(email="known@example.org")
    refused(
        BadRequestError,
        lambda: brevo.contacts.create_contact(email="Known@example.org"),
        "duplicate_parameter",
    )
    updated = brevo.contacts.create_contact(
        email="known@example.org", update_enabled=True, attributes={"CITY": "Rome"}
    )
    assert updated is None
    found = brevo.contacts.create_contact(
        email="known@example.org", update_enabled=True, get_id=True
    )
    assert found.id == known.id
    refused(BadRequestError, brevo.contacts.create_contact, "missing_parameter")


def the_whole_story() -> None:
    program = programs()
    a_conflict_is_tried_again_and_changes_nothing(program)
    points, money = definitions(program)
    group, made = tiers(program, points)
    publish(program)
    ada = members(program)
    transactions(program, ada, points, money)
    balances(program, ada, points, money)
    held(program, ada, group, made)
    errors(program)
    contacts()


# Where a reviewer approves


def hand_in(pid: str) -> None:
    """Publishing hands the draft in; the client does not try again, nor another set."""
    brevo.tier.create_tier_group(pid, name="Regions")
    found = [
        refused(
            UnprocessableEntityError,
            lambda: brevo.program.publish_loyalty_program(pid),
            "approval_required",
        )
        for _ in range(2)
    ]
    assert found[0] == found[1]
    assert found[0]["link"].startswith(URL)


def approved(pid: str) -> None:
    names = [
        group.name
        for group in brevo.tier.get_list_of_tier_groups(pid, version="active").items
    ]
    assert names == ["Main", "Regions"], names
    brevo.program.publish_loyalty_program(pid)


if __name__ == "__main__":
    chapter = os.environ["CHAPTER"]
    if chapter == "story":
        the_whole_story()
    else:
        {"hand_in": hand_in, "approved": approved}[chapter](os.environ["PROGRAM_ID"])
