"""Who hears of what, and that an e-mail comes once, or later."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail

from approvals import lifecycle, notices
from approvals.models import Notice
from loyalty.models import Program, ProgramLimit
from tests import factories
from tests.races import racers
from tiers.models import TierVersion

NOON = datetime(2030, 6, 1, 12, tzinfo=UTC)


@pytest.fixture
def waiting(draft: TierVersion, maya: User, chen: User) -> Any:
    Notice.objects.all().delete()
    mail.outbox.clear()
    return lifecycle.submit([draft], by=maya, note="Too easy.", at=NOON)


def told() -> set[str]:
    return set(Notice.objects.values_list("user__username", flat=True))


def test_those_who_may_decide_are_asked_and_nobody_else(
    draft: TierVersion, program: Program, maya: User, chen: User, aude: User, mike: User
) -> None:
    Notice.objects.all().delete()
    other = factories.make_program(maya, "Other")
    limited, here = factories.make_reviewer("lima"), factories.make_reviewer("lola")
    ProgramLimit.objects.create(user=limited, program=other)
    ProgramLimit.objects.create(user=here, program=program)
    switched_off = factories.make_reviewer("ina")
    switched_off.is_active = False
    switched_off.save()
    factories.make_user("sue", is_superuser=True)
    both = factories.make_user("bo", "Loyalty managers", "Reviewers")
    lifecycle.revise(draft, by=both, changes={"threshold": 1300})
    lifecycle.submit([draft], by=maya)
    assert told() == {"chen", "lola"}


def test_a_person_who_takes_it_back_is_not_told_of_it(
    waiting: Any, draft: TierVersion
) -> None:
    both = factories.make_user("bo", "Loyalty managers", "Reviewers")
    Notice.objects.all().delete()
    lifecycle.revise(draft, by=both, changes={"threshold": 1300})
    assert told() == {"chen"}


def test_an_e_mail_leads_to_the_change(waiting: Any, settings: Any) -> None:
    settings.SITE_URL = "https://tiers.example.org/"
    assert notices.deliver(as_of=NOON) == 1
    [message] = mail.outbox
    assert message.to == ["chen@example.org"]
    assert message.subject == "maya asks for your approval: Gold (Gemstone Rewards)"
    assert message.body.startswith("Too easy.\n\nhttps://tiers.example.org/")
    assert f"/changeset/{waiting.pk}/" in message.body


def test_an_e_mail_is_sent_once(waiting: Any) -> None:
    assert notices.deliver(as_of=NOON - timedelta(seconds=1)) == 0
    assert notices.deliver(as_of=NOON) == 1
    assert notices.deliver(as_of=NOON + timedelta(days=1)) == 0
    assert len(mail.outbox) == 1


def test_who_has_no_address_gets_no_e_mail(
    draft: TierVersion, maya: User, chen: User
) -> None:
    Notice.objects.all().delete()
    chen.email = ""
    chen.save()
    lifecycle.submit([draft], by=maya, at=NOON)
    assert told() == {"chen"}
    assert notices.deliver(as_of=NOON) == 0


@pytest.mark.parametrize("problem", [OSError("down"), ValueError("odd backend")])
def test_a_mail_server_that_is_down_delays_and_stops_nothing(
    waiting: Any,
    draft: TierVersion,
    maya: User,
    monkeypatch: pytest.MonkeyPatch,
    problem: Exception,
) -> None:
    send = notices._mail

    def fail(notice: Notice) -> None:
        if notice.user.username == "chen":
            raise problem
        send(notice)

    monkeypatch.setattr(notices, "_mail", fail)
    lifecycle.reject(
        waiting,
        by=factories.make_reviewer("rita"),
        fingerprint=waiting.fingerprint,
        comment="No.",
        at=NOON,
    )
    assert notices.deliver(as_of=NOON) == 1
    assert [message.to for message in mail.outbox] == [["maya@example.org"]]
    late = Notice.objects.get(user__username="chen")
    assert (late.attempts, late.due_at) == (1, NOON + timedelta(minutes=5))
    monkeypatch.undo()
    assert notices.deliver(as_of=NOON + timedelta(minutes=5)) == 1


def test_after_five_attempts_an_e_mail_is_given_up(
    waiting: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(notice: Notice) -> None:
        raise OSError("down")

    monkeypatch.setattr(notices, "_mail", fail)
    for day in range(8):
        notices.deliver(as_of=NOON + timedelta(days=day))
    notice = Notice.objects.get()
    assert (notice.attempts, notice.due_at) == (notices.MAX_ATTEMPTS, None)


def test_a_line_break_in_a_name_starts_no_header(
    waiting: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    Notice.objects.update(subject="Gold\r\nBcc: everybody@example.org")
    notices.deliver(as_of=NOON)
    assert mail.outbox[0].subject == "Gold Bcc: everybody@example.org"


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_two_who_deliver_at_once_send_each_e_mail_once(
    draft: TierVersion, maya: User
) -> None:
    for number in range(20):
        factories.make_reviewer(f"reviewer{number}")
    lifecycle.submit([draft], by=maya, at=NOON)
    due = Notice.objects.filter(due_at__isnull=False).count()
    assert due > 20
    mail.outbox.clear()
    with racers() as people:
        sent = people.race(
            *[lambda: notices.deliver(as_of=NOON + timedelta(days=9))] * 2
        )
    assert sum(sent) == due
    recipients = [message.to[0] for message in mail.outbox]
    assert len(recipients) == len(mail.outbox) == due
