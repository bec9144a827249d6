"""The suite's runner: what counts as having passed."""

from contextlib import nullcontext

import pytest

from tests import run as runner
from tests.run import Result, report


@pytest.mark.parametrize(
    ("codes", "missing", "ci", "expected"),
    [
        ([0, 0], "", "true", 0),
        ([0, 1], "", "", 1),
        ([1, 0], "", "", 1),
        ([0], "PostgreSQL did not start.", "", 0),
        ([0], "PostgreSQL did not start.", "true", 1),
    ],
)
def test_a_run_without_its_servers_fails_in_ci_only(
    codes, missing, ci, expected, monkeypatch, capsys
):
    monkeypatch.setenv("CI", ci)
    results = [Result("SQLite", code, passed=2, failed=code) for code in codes]
    assert report(results, missing) == expected
    printed = capsys.readouterr().out
    assert ("NOT RUN: PostgreSQL did not start." in printed) is bool(missing)
    assert printed.splitlines()[-1].startswith(f"{2 * len(codes)} passed, ")


def test_a_run_of_nothing_has_not_passed(capsys):
    assert report([Result("SQLite", 5)], "") == 1


@pytest.mark.parametrize(
    ("arguments", "marks"),
    [
        ([], ["not postgres", "database"]),
        (["-m", "proof"], ["not postgres and (proof)", "database and (proof)"]),
        (["--only", "sqlite"], ["not postgres"]),
        # Alone, PostgreSQL's half is the whole suite.
        (["--only", "postgresql"], [""]),
    ],
)
def test_what_asks_for_no_database_runs_once(arguments, marks, monkeypatch):
    ran = []

    def run(engine, env, words):
        ran.append(words[words.index("-m") + 1])
        return Result(engine, passed=1)

    monkeypatch.setattr(runner, "run", run)
    monkeypatch.setattr(runner.servers, "postgresql", nullcontext)
    monkeypatch.setattr(runner.servers, "valkey", nullcontext)
    assert runner.main(arguments) == 0
    assert ran == marks
