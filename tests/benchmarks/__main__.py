"""Measure, and print one table: ``python -m tests.benchmarks [--quick] [LINE ...]``.

``make bench`` runs all lines at full size: 1,000,000 members and 20,000,000 entries.
The first run builds the ledger, which takes minutes and 15 GB below ``var/bench``.
"""

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from tests import servers
from tests.benchmarks import database
from tests.run import ROOT, environment

#: What works on a ledger that nobody was judged by, and on one by which all were.
REBUILDS = ("rebuild", "folded")
LINES = (
    "nothing_due",
    "touched",
    "midnight",
    "histogram",
    "event",
    "clients",
    "intake",
)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="10,000 members only")
    parser.add_argument("lines", nargs="*", metavar="LINE")
    options = parser.parse_args(arguments)
    size = "quick" if options.quick else "full"
    wanted = set(options.lines or (*REBUILDS, *LINES))
    results: list[dict[str, Any]] = []
    try:
        with database.server() as url:
            ledger = database.prepare(url, size)
            for line in REBUILDS:
                if line in wanted:
                    with database.copy(url, ledger) as copy:
                        results += work(copy, line, size)
            if wanted - set(REBUILDS):
                judged = database.judged(url, size)
                with database.copy(url, judged) as copy:
                    for line in LINES:
                        if line in wanted:
                            results += work(copy, line, size)
            if "nothing_due" in wanted and size == "full":
                beside_the_small_one(url, results)
    except servers.Unavailable as unavailable:
        print(f"The benchmarks cannot run: {unavailable}")
        return 1
    report(results, size)
    # A line that is missed is a figure to look at, not a failure to run.
    return 1 if any(result["failed"] for result in results) else 0


def work(url: str, line: str, size: str) -> list[dict[str, Any]]:
    print(f"{line} …", file=sys.stderr, flush=True)
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.worker", line, size],
        cwd=ROOT,
        env=environment({"DATABASE_URL": url}),
        stdout=subprocess.PIPE,
        text=True,
    )
    results = [json.loads(row) | {"failed": False} for row in done.stdout.splitlines()]
    if done.returncode:
        results.append({"name": f"{line} broke off", "failed": True})
    return results


def beside_the_small_one(url: str, results: list[dict[str, Any]]) -> None:
    """A tick with nothing to do is compared with itself at 10,000 members."""
    database.prepare(url, "quick")
    with database.copy(url, database.judged(url, "quick")) as copy:
        small = work(copy, "nothing_due", "quick")[0]
    for result in results:
        if result["name"] == small["name"]:
            result["yardstick"] = small.get("figure")


def report(results: list[dict[str, Any]], size: str) -> None:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    print(
        f"\n{datetime.date.today()}, size {size}, {os.cpu_count()} cores, {memory} GB, "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}, "
        f"PostgreSQL with {', '.join(database.SETTINGS)}\n"
    )
    head = ("", "figure", "yardstick", "ratio", "to hold", "", "queries", "memory")
    rows = [head, *(_row(result) for result in results)]
    widths = [max(len(row[n]) for row in rows) for n in range(len(head))]
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True)]
        print("  ".join(cells))


def _row(result: dict[str, Any]) -> tuple[str, ...]:
    if result["failed"]:
        return (result["name"], *[""] * 7)
    figure, yardstick = result["figure"], result["yardstick"]
    hold, below, unit = result["hold"], result["below"], result["unit"]
    ratio = figure / yardstick if yardstick else None
    held, wanted = [], []
    if hold is not None and ratio is not None:
        held.append(ratio >= hold if result["at_least"] else ratio <= hold)
        wanted.append(f"{'≥' if result['at_least'] else '≤'} {hold:.2g} x")
    if below is not None:
        held.append(figure < below)
        wanted.append(f"< {below:g} {unit}")
    return (
        result["name"],
        f"{figure:,.4g} {unit}",
        f"{yardstick:,.4g} {unit}" if yardstick else "",
        f"{ratio:.2f}" if ratio else "",
        ", ".join(wanted),
        ("held" if all(held) else "MISSED") if held else "",
        str(result["queries"] or ""),
        f"{result['memory']:.0f} MB",
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
