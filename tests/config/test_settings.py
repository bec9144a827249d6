"""What settings make of the environment, each time in a process of its own."""

import json
import os
import subprocess
import sys
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection, connections
from django.test import Client
from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler

from config.celery import app

PRODUCTION = {
    "DEBUG": "false",
    "SECRET_KEY": "k3y-9f8e7d6c5b4a39281706f5e4d3c2b1a0-Qw3rTyUiOp-zXcVbNm",
    "SITE_URL": "https://loyalty.example.com",
}


def manage(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=settings.BASE_DIR,
        env=kept | env,
        capture_output=True,
        text=True,
    )


def test_production_does_not_start_without_a_secret_key():
    result = manage("check", **PRODUCTION | {"SECRET_KEY": ""})
    assert result.returncode != 0
    assert "SECRET_KEY is not set." in result.stderr


def test_production_settings_pass_the_deployment_checks():
    result = manage("check", "--deploy", "--fail-level", "WARNING", **PRODUCTION)
    assert result.returncode == 0, result.stderr


def test_production_answers_to_its_own_name_and_to_no_other():
    code = "from django.conf import settings; print(settings.ALLOWED_HOSTS)"
    result = manage("shell", "--no-imports", "-c", code, **PRODUCTION)
    assert result.stdout.strip() == "['loyalty.example.com']"


def test_production_logs_one_json_line_an_event():
    code = "import logging; logging.getLogger('x').warning('café %s', 1)"
    result = manage("shell", "--no-imports", "-c", code, **PRODUCTION)
    line = json.loads(result.stderr.strip())
    assert line["event"] == "café 1"
    assert line["level"] == "warning"
    assert line["timestamp"].endswith("Z")


@pytest.mark.parametrize(
    ("redis", "broker"),
    [
        ("unix:///run/v.sock", "redis+socket:///run/v.sock"),
        ("redis://cache:6379", "redis://cache:6379"),
        ("", "memory://"),
    ],
)
def test_the_broker_follows_from_the_redis_address(redis, broker):
    code = "from django.conf import settings; print(settings.CELERY_BROKER_URL)"
    result = manage("shell", "--no-imports", "-c", code, **PRODUCTION, REDIS_URL=redis)
    assert result.stdout.strip() == broker


@pytest.mark.django_db
def test_every_sqlite_connection_has_its_pragmas():
    if connection.vendor != "sqlite":
        pytest.skip("This is about SQLite.")
    second = connections.create_connection("default")
    try:
        for one in (connection, second):
            with one.cursor() as cursor:
                wanted = {
                    "foreign_keys": 1,
                    "recursive_triggers": 1,
                    "journal_mode": "wal",
                    "synchronous": 1,  # NORMAL
                    "busy_timeout": 20_000,
                }
                found = {
                    name: cursor.execute(f"PRAGMA {name}").fetchone()[0]
                    for name in wanted
                }
                assert found == wanted
    finally:
        second.close()


@pytest.mark.django_db(transaction=True)  # Beat closes connections as it likes.
def test_beat_drops_a_run_when_the_next_one_is_due():
    DatabaseScheduler(app=app)
    periods = {
        task.name: (task.task, task.expire_seconds, task.schedule.run_every)
        for task in PeriodicTask.objects.exclude(name__startswith="celery.")
    }
    minute, quarter = timedelta(minutes=1), timedelta(minutes=15)
    assert periods == {
        "recalculate-tiers": ("tiers.recalculate", 900, quarter),
        "refresh-customer-counts": (
            "tiers.refresh_customer_counts",
            86400,
            timedelta(days=1),
        ),
        "work-on-runs": ("tiers.work_on_runs", 60, minute),
        "go-live": ("approvals.go_live", 60, minute),
        "seal-ledgers": ("loyalty.seal_ledgers", 3600, 60 * minute),
        "expire-pending-requests": ("loyalty.expire_pending_requests", 60, minute),
        "send-notices": ("approvals.send_notices", 60, minute),
    }


def test_every_scheduled_task_exists():
    app.loader.import_default_modules()
    scheduled = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert scheduled <= set(app.tasks)


@pytest.mark.django_db
def test_pages_are_framed_by_nobody_and_load_nothing_from_elsewhere(client: Client):
    response = client.get("/admin/login/")
    policy = response.headers["Content-Security-Policy"]
    assert response.headers["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in policy
    assert "default-src 'self'" in policy


@pytest.mark.django_db
def test_the_front_door_leads_to_the_admin(client: Client):
    assert client.get("/").headers["Location"] == "/admin/"


@pytest.mark.django_db
def test_the_fifth_wrong_password_locks_one_person_at_one_address_out(client, settings):
    def sign_in(name, address):
        return client.post(
            "/admin/login/",
            {"username": name, "password": "wrong"},
            REMOTE_ADDR=address,
        )

    answers = [sign_in("maya", "192.0.2.1").status_code for _ in range(5)]
    assert answers == [200, 200, 200, 200, 429]
    page = sign_in("maya", "192.0.2.1")
    assert "Too many attempts" in page.content.decode()
    assert sign_in("maya", "192.0.2.2").status_code == 200
    assert sign_in("chen", "192.0.2.1").status_code == 200


@pytest.mark.django_db
def test_the_openapi_page_comes_from_our_own_files(client: Client):
    page = client.get("/api/docs/").content.decode()
    assert "/static/drf_spectacular_sidecar/" in page
    assert "cdn" not in page
    assert client.get("/api/schema/").status_code == 200
