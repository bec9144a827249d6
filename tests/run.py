"""Run the suite on SQLite, then what asks for a database on PostgreSQL with Valkey.

    python -m tests.run [--only sqlite|postgresql] [what pytest takes]
    python -m tests.run --bench [--quick] [LINE ...]

Where the servers cannot be had, the first half still runs; under ``CI=true`` that
counts as a failure.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from . import servers

ROOT = Path(__file__).resolve().parent.parent
NO_TESTS_COLLECTED = 5
SQLITE = "SQLite"
POSTGRESQL = "PostgreSQL with Valkey"


@dataclass
class Result:
    engine: str
    exit_code: int = 0
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0

    @property
    def ran(self) -> int:
        return self.passed + self.failed + self.skipped

    @property
    def is_good(self) -> bool:
        return self.exit_code in (0, NO_TESTS_COLLECTED)

    def __str__(self) -> str:
        line = (
            f"{self.engine:<24} {self.passed} passed, {self.failed} failed, "
            f"{self.skipped} skipped in {self.seconds:.0f} s"
        )
        if self.is_good or self.failed:
            return line
        return f"{line}; pytest broke off with exit code {self.exit_code}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tests.run", allow_abbrev=False)
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    parser.add_argument("--bench", action="store_true")
    parser.add_argument("-m", dest="marks", default="")
    options, rest = parser.parse_known_args(arguments)
    if options.bench:
        return bench(rest)

    results: list[Result] = []
    missing = ""
    if options.only != "postgresql":
        marks = both("not postgres", options.marks)
        results.append(run(SQLITE, {}, ["-m", marks, *rest]))
    if options.only != "sqlite":
        # What asks for no database has just run, and would do the same again.
        marks = options.marks if options.only else both("database", options.marks)
        try:
            with ExitStack() as stack:
                env = {
                    "DATABASE_URL": stack.enter_context(servers.postgresql()),
                    "REDIS_URL": stack.enter_context(servers.valkey()),
                }
                results.append(run(POSTGRESQL, env, ["-m", marks, *rest]))
        except servers.Unavailable as unavailable:
            missing = str(unavailable)
    return report(results, missing)


def both(mark: str, asked: str) -> str:
    return f"{mark} and ({asked})" if asked else mark


def report(results: Sequence[Result], missing: str) -> int:
    print("\n" + "=" * 80)
    for result in results:
        print(result)
    if missing:
        print(f"{POSTGRESQL:<24} NOT RUN: {missing}")
    passed, failed, skipped = (
        sum(getattr(result, name) for result in results)
        for name in ("passed", "failed", "skipped")
    )
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    good = all(result.is_good for result in results) and any(r.ran for r in results)
    if missing and os.environ.get("CI") == "true":
        good = False
    return 0 if good else 1


def run(engine: str, env: dict[str, str], arguments: Sequence[str]) -> Result:
    print(f"\n{f' {engine} ':=^80}", flush=True)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tierwright-") as folder:
        report_file = Path(folder) / "results.xml"
        process = subprocess.run(
            [sys.executable, "-m", "pytest", "-n", "2", "--dist", "worksteal"]
            # pytest would leave folders of its last three runs behind.
            + [f"--basetemp={Path(folder) / 'pytest'}"]
            + [f"--junitxml={report_file}", *arguments],
            cwd=ROOT,
            env=environment(env),
        )
        result = Result(engine, process.returncode)
        if report_file.exists():
            read_report(report_file, result)
    result.seconds = time.monotonic() - started
    return result


def read_report(report_file: Path, result: Result) -> None:
    for suite in ElementTree.parse(report_file).getroot().iter("testsuite"):
        total, skipped = int(suite.get("tests", 0)), int(suite.get("skipped", 0))
        failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        result.failed += failed
        result.skipped += skipped
        result.passed += max(total - failed - skipped, 0)


def environment(env: dict[str, str]) -> dict[str, str]:
    """The suite's own settings, whatever this machine is otherwise set to."""
    ours = {
        "DEBUG": "true",
        "SECRET_KEY": "for-tests-only",
        "DATABASE_URL": f"sqlite:///{ROOT / 'var' / 'tests.sqlite3'}",
        "REDIS_URL": "",
        "CELERY_BROKER_URL": "",
        "CACHE_URL": "",
        "EMAIL_URL": "consolemail://",
        "LOG_LEVEL": "WARNING",
        "PROXY_COUNT": "0",
    } | env
    ours["CACHE_URL"] = ours["REDIS_URL"]
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("ORG_ID", "SITE_URL", "ALLOWED_HOSTS", "PORT")
    }
    return kept | ours


def bench(arguments: Sequence[str]) -> int:
    """Run the benchmarks: the list's in the suite's way, the others on a large ledger.

    ``arguments`` are those of ``tests.benchmarks``.
    """
    try:
        with ExitStack() as stack:
            env = {
                "DATABASE_URL": stack.enter_context(servers.postgresql(durable=True)),
                "REDIS_URL": stack.enter_context(servers.valkey()),
            }
            listed = subprocess.run(
                [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider"]
                + ["-o", "norecursedirs=.*", str(ROOT / "tests" / "benchmarks")],
                cwd=ROOT,
                env=environment(env),
            ).returncode
        measured = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks", *arguments], cwd=ROOT
        ).returncode
    except servers.Unavailable as unavailable:
        print(f"The benchmarks cannot run: {unavailable}")
        return 1
    return listed or measured


if __name__ == "__main__":
    sys.exit(main())
