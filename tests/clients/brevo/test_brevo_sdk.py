"""Brevo's own SDK, in Node, against a live server."""

import os
import subprocess

import pytest

from approvals.models import ChangeSet
from loyalty.models import PointsEntry, Program
from tests import factories


@pytest.mark.django_db(transaction=True)
def test_the_vendors_client_works_with_another_host(sdk, maya, group, live_server):
    _key, secret = factories.make_key(maya)
    _key, reading = factories.make_key(maya, "read")
    environment = {
        "TIERWRIGHT_URL": live_server.url,
        "APPROVED_PROGRAM": str(group.program.uuid),
        "APPROVED_GROUP": str(group.uuid),
        "API_KEY": secret,
        "READING_KEY": reading,
    }
    told = subprocess.run(
        ["node", "--test", "story.test.mjs"],
        cwd=sdk,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert told.returncode == 0, told.stdout + told.stderr
    # And what the client was told is what is there.
    club = Program.objects.get(source=Program.Source.BREVO)
    assert club.discarded_at
    lines = PointsEntry.objects.filter(member__program=club)
    assert list(lines.values_list("amount", flat=True)) == [600]
    waiting = ChangeSet.objects.undecided().get()
    assert [item.label for item in waiting.items.all()] == ["Friends"]
