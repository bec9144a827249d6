"""Wix's own SDK, in Node, against a live server."""

import os
import subprocess
from uuid import UUID

import pytest

from loyalty import keys
from loyalty.models import PointsEntry, Program
from tiers.models import TierVersion

SITE = UUID("22222222-2222-4222-8222-222222222222")


@pytest.mark.django_db(transaction=True)
def test_the_vendors_client_works_with_another_host(sdk, maya, group, live_server):
    _key, secret = keys.make(
        by=maya,
        name="Web shop",
        owner=maya,
        scopes=("read", "points", "publish"),
    )
    environment = {
        "TIERWRIGHT_URL": live_server.url,
        "SITE_ID": str(SITE),
        "APPROVED_SITE_ID": str(group.program.uuid),
        "API_KEY": secret,
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
    site = Program.objects.get(uuid=SITE)
    live = TierVersion.objects.live().filter(tier__program=site)
    assert list(live.values_list("name", "threshold")) == [("Gold", 1000)]
    lines = PointsEntry.objects.filter(member__program=site).order_by("sequence")
    assert list(lines.values_list("amount", flat=True)) == [1200, -500]
