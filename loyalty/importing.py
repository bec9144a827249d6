"""Reading points from a CSV file that people made: all of it is right, or none is.

Spreadsheets damage files in well-known ways, and Python's csv module swallows some of
them without a word. Everything that looks odd is reported with the number of its line
in the file, and nothing is guessed.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, BinaryIO

from django.db import transaction

from . import points
from .errors import InvalidPosting
from .models import Member, PointsEntry, Program

CHUNK = 2000
MAX_BYTES = 200 * 1024 * 1024
MAX_ROWS = 1_000_000
#: Further problems are counted, not kept.
MAX_PROBLEMS = 100

#: A column names the member by one of these.
IDENTIFIERS = {
    "member": "subscription_id",
    "card": "card",
    "email": "contact__email",
    "external_id": "contact__external_id",
}
REQUIRED = ("reference", "amount")
OPTIONAL = ("balance", "kind", "occurred_at", "description")
KINDS = {"earn": "EARN", "adjust": "ADJUST", "redeem": "REDEEM"}

_INSTANT = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,6})?([Zz]|[+-]\d{2}:\d{2})",
    re.ASCII,
)
#: What becomes of long numbers and of "3/3" in a spreadsheet.
_DAMAGED = re.compile(
    r"\d(\.\d+)?E\+\d+|\d{1,2}-[A-Z][a-z]{2}(-\d{2,4})?|[A-Z][a-z]{2}-\d{2,4}"
)
_DAMAGE = "“{}” looks changed by a spreadsheet. Format the column as text there."


class BadFile(Exception):
    """The file as a whole cannot be read; the message is a sentence."""


@dataclass(frozen=True)
class Problem:
    """What is wrong with a line of the file."""

    line: int
    message: str

    def __str__(self) -> str:
        return f"Line {self.line}: {self.message}"


@dataclass
class Report:
    """What came of a file; with any problem nothing was posted."""

    rows: int = 0
    posted: int = 0
    known: int = 0
    problems: list[Problem] = field(default_factory=list)
    more_problems: int = 0

    def add(self, line: int, message: str) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Problem(line, message))
        else:
            self.more_problems += 1


@dataclass(frozen=True)
class Row:
    """A line of the file, its cells by column; none if it has too few or too many."""

    line: int
    cells: dict[str, str]
    problem: str = ""


def import_points(
    program: Program,
    file: BinaryIO,
    *,
    source: str,
    by: Any,
    dry_run: bool = False,
    at: datetime | None = None,
) -> Report:
    """Post what a file says, in one transaction; with a problem, or dry, nothing.

    A file that was imported before is recognised by its references.
    """
    rows = read(file)
    report = Report()
    with transaction.atomic():
        reader = _Reader(program, report)
        while part := list(islice(rows, CHUNK)):
            report.rows += len(part)
            if report.rows > MAX_ROWS:
                raise BadFile(f"A file has at most {MAX_ROWS:,} rows. Split it.")
            lines: dict[str, int] = {}
            activities = list(reader.activities(part, lines))
            posted = points.post_many(program, activities, source=source, by=by, at=at)
            report.posted += posted.posted
            report.known += posted.replayed
            for problem in posted.problems:
                report.add(lines[problem.reference], problem.message)
        if dry_run or report.problems:
            transaction.set_rollback(True)
    if report.problems:
        report.posted = 0
    return report


# The file


def read(file: BinaryIO) -> Iterator[Row]:
    """Yield the rows of a CSV file; what csv would swallow is a ``BadFile``."""
    _check_bytes(file)
    file.seek(0)
    # What was checked is read as it is: line ends inside quotes, too.
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    reader = csv.reader(text, strict=True)
    records = _records(reader)
    _, header = next(records, (0, []))
    columns = _columns(header)
    for line, cells in records:
        if len(cells) == len(columns):
            yield Row(line, dict(zip(columns, cells, strict=True)))
        else:
            wrong = f"Expected {len(columns)} columns, got {len(cells)}."
            yield Row(line, {}, wrong)
    text.detach()


def _records(reader: Any) -> Iterator[tuple[int, list[str]]]:
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            if "field limit" in str(error):
                raise BadFile(f"Line {line}: a cell is too long.") from None
            raise _unclosed(line) from None
        if cells is None:
            return
        if reader.line_num > line:
            raise _unclosed(line)
        if cells:
            yield line, cells


def _unclosed(line: int) -> BadFile:
    return BadFile(f"Line {line}: a quotation mark is opened and not closed properly.")


def _check_bytes(file: BinaryIO) -> None:
    """Refuse what is no UTF-8 text, and say at which byte."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    position = 0
    first = b""
    ends = {b"\n": False, b"\r": False}
    while block := file.read(1 << 20):
        first = first or block[:4]
        if position == 0:
            _check_kind(first)
        if (null := block.find(b"\0")) >= 0:
            raise BadFile(f"Byte {position + null} is NUL: this is not a text file.")
        waiting = len(decoder.getstate()[0])
        try:
            decoder.decode(block)
        except UnicodeDecodeError as error:
            raise _not_utf8(position - waiting + error.start) from None
        for end in ends:
            ends[end] |= end in block
        position += len(block)
        if position > MAX_BYTES:
            raise BadFile("The file is larger than 200 MB. Split it.")
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise _not_utf8(position) from None
    if ends[b"\r"] and not ends[b"\n"]:
        raise BadFile("Lines end in CR alone. Save the file with LF or CRLF.")


def _check_kind(first: bytes) -> None:
    if first.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"\x1f\x8b")):
        raise BadFile("This is a spreadsheet or an archive. Save it as CSV (UTF-8).")
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise BadFile("This is UTF-16. Save the file as CSV (UTF-8).")


def _not_utf8(byte: int) -> BadFile:
    return BadFile(f"Byte {byte} is not UTF-8. Save the file as CSV (UTF-8).")


def _columns(header: list[str]) -> list[str]:
    """Check the header before any row is looked at."""
    if not header:
        raise BadFile("The file is empty. Its first line names the columns.")
    if len(header) == 1 and re.search(r"[;\t]", header[0]):
        raise BadFile("Separate the columns by commas.")
    known = (*IDENTIFIERS, *REQUIRED, *OPTIONAL)
    for name in header:
        if header.count(name) > 1:
            raise BadFile(f"The column “{name}” is there twice.")
        if name not in known:
            raise BadFile(
                f"There is no column “{name[:40]}”. Columns: {', '.join(known)}."
            )
    for name in REQUIRED:
        if name not in header:
            raise BadFile(f"The column “{name}” is missing.")
    if len(set(header) & set(IDENTIFIERS)) != 1:
        raise BadFile(f"Name members in one column: {', '.join(IDENTIFIERS)}.")
    return header


# The rows


class _Reader:
    """Turns rows into activities; what is wrong with one goes into the report."""

    def __init__(self, program: Program, report: Report) -> None:
        self.program = program
        self.report = report
        self.balances: dict[str, tuple[Any, points.Rules]] = {}

    def activities(
        self, part: list[Row], lines: dict[str, int]
    ) -> Iterator[points.Activity]:
        """Yield what can be posted; ``lines`` learns which line a reference is of."""
        members = self._members([row for row in part if row.cells])
        for row in part:
            if row.problem:
                self.report.add(row.line, row.problem)
                continue
            try:
                activity = self._activity(row, members)
            except (ValueError, InvalidPosting) as problem:
                self.report.add(row.line, str(problem))
            else:
                lines[activity.reference] = row.line
                yield activity

    def _members(self, part: list[Row]) -> dict[str, int]:
        if not part:
            return {}
        [column] = set(part[0].cells) & set(IDENTIFIERS)
        field_name = IDENTIFIERS[column]
        named = {row.cells[column] for row in part} - {""}
        # Numbers that a spreadsheet took the zeros from; for the message only.
        padded = {
            name.zfill(length)
            for name in named
            if name.isdecimal()
            for length in range(len(name) + 1, 17)
        }
        found = Member.objects.filter(program=self.program)
        return dict(
            found.filter(**{f"{field_name}__in": named | padded}).values_list(
                field_name, "pk"
            )
        )

    def _activity(self, row: Row, members: dict[str, int]) -> points.Activity:
        cells = row.cells
        kind = self._kind(cells.get("kind", ""))
        return points.Activity(
            member_id=self._member(row, members),
            reference=_undamaged(cells["reference"]),
            lines=(self._line(kind, cells),),
            occurred_at=_instant(cells.get("occurred_at", "")),
            description=cells.get("description", ""),
        )

    def _member(self, row: Row, members: dict[str, int]) -> int:
        [name] = [row.cells[c] for c in IDENTIFIERS if c in row.cells]
        if name in members:
            return members[name]
        _undamaged(name)
        if name.isdecimal():
            for length in range(len(name) + 1, 17):
                if name.zfill(length) in members:
                    raise ValueError(
                        f"There is no member “{name}”, but one “{name.zfill(length)}”: "
                        "a spreadsheet may have taken the zeros."
                    )
        raise ValueError(f"There is no member “{name[:40]}”.")

    def _kind(self, name: str) -> str:
        try:
            return KINDS[name or "earn"]
        except KeyError:
            raise ValueError(
                f"“{name[:40]}” is no kind. Kinds: {', '.join(KINDS)}."
            ) from None

    def _line(self, kind: str, cells: dict[str, str]) -> points.Line:
        definition, rules = self._balance(cells.get("balance") or "POINTS")
        amount = points.to_units(_undamaged(cells["amount"]), rules, kind)
        if kind == PointsEntry.Kind.REDEEM:
            amount = -amount
        return points.Line(kind, definition.pk, amount)

    def _balance(self, name: str) -> tuple[Any, points.Rules]:
        if name not in self.balances:
            self.balances[name] = points.balance_named(self.program.pk, name)
        return self.balances[name]


def _undamaged(cell: str) -> str:
    if _DAMAGED.fullmatch(cell):
        raise ValueError(_DAMAGE.format(cell))
    return cell


def _instant(cell: str) -> datetime | None:
    if not cell:
        return None
    if _INSTANT.fullmatch(_undamaged(cell)):
        return datetime.fromisoformat(cell.upper())
    raise ValueError(
        f"“{cell[:40]}” is not an instant with its offset, such as "
        "2026-03-01T12:00:00+01:00."
    )
