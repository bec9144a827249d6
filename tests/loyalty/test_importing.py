"""Files that people send, with all that happens to them on the way."""

import io

import pytest

from loyalty import importing, points
from loyalty.importing import BadFile, import_points
from loyalty.models import Member, PointsEntry, PointsRequest
from tests import factories
from tests.trips import trips

from .stories import balance_of, set_rules

HEADER = "member,reference,amount\n"


@pytest.fixture
def anna(program):
    return factories.make_member(program, subscription_id="A-1", card="00123")


def load(program, text, **options):
    data = text if isinstance(text, bytes) else text.encode()
    options.setdefault("source", "import")
    return import_points(program, io.BytesIO(data), by=None, **options)


def refused(program, text):
    """Return why a file as a whole is refused; nothing of it was posted."""
    with pytest.raises(BadFile) as problem:
        load(program, text)
    assert not PointsRequest.objects.exists()
    return str(problem.value)


def problems(program, text):
    """Return what is wrong with lines of a file; nothing of it was posted."""
    report = load(program, text)
    assert report.problems
    assert report.posted == 0
    assert not PointsRequest.objects.exists()
    return [str(problem) for problem in report.problems]


def test_a_file_posts_what_it_says(program, anna, stars, money):
    report = load(
        program,
        "member,reference,amount,balance,kind,occurred_at,description\r\n"
        "A-1,o1,100,,,2026-03-01T12:00:00+01:00,Order\r\n"
        "A-1,o1-money,19.99,PURCHASES,earn,,\r\n"
        "\r\n"
        "A-1,typo,-15,Points,adjust,,\r\n"
        "A-1,mug,30,POINTS,redeem,,\r\n",
    )
    assert (report.rows, report.posted, report.known) == (4, 4, 0)
    assert balance_of(anna, stars) == 55
    assert balance_of(anna, money) == 1999
    first = PointsEntry.objects.get(member=anna, sequence=1)
    assert first.occurred_at.isoformat() == "2026-03-01T11:00:00+00:00"
    assert first.description == "Order"


@pytest.mark.parametrize(
    ("column", "name"),
    [("card", "00123"), ("email", "anna@x.example"), ("external_id", "X9")],
)
def test_members_are_named_as_other_systems_know_them(program, stars, column, name):
    member = factories.make_member(
        program, card="00123", email="anna@x.example", external_id="X9"
    )
    load(program, f"{column},reference,amount\n{name},r,5\n")
    assert balance_of(member, stars) == 5


def test_a_dry_run_posts_nothing(program, anna):
    report = load(program, HEADER + "A-1,r,5\n", dry_run=True)
    assert report.posted == 1
    assert not PointsRequest.objects.exists()


def test_importing_twice_has_the_effect_of_once(program, anna, stars):
    text = HEADER + "A-1,r1,5\nA-1,r2,6\nA-1,r1,5\n"
    first = load(program, text)
    assert (first.posted, first.known) == (2, 1)
    second = load(program, text)
    assert (second.posted, second.known) == (0, 3)
    assert balance_of(anna, stars) == 11


def test_one_bad_line_holds_the_whole_file_back(program, anna, monkeypatch):
    monkeypatch.setattr(importing, "CHUNK", 3)
    lines = [f"A-1,r{number},1\n" for number in range(20)]
    lines[16] = "A-1,r16,many\n"
    lines[4] = "Z-9,r4,1\n"
    assert problems(program, HEADER + "".join(lines)) == [
        "Line 6: There is no member “Z-9”.",
        "Line 18: “many” is not a number such as 12.50.",
    ]


def test_what_the_rules_refuse_holds_it_back_as_well(program, anna):
    assert problems(
        program,
        "member,reference,amount,kind\nA-1,r1,5,earn\nA-1,r2,6,redeem\n",
    ) == ["Line 3: There are 5 Points, and 6 were asked for."]


def test_a_reference_that_stands_for_two_things_is_a_problem(program, anna):
    found = problems(program, HEADER + "A-1,r1,5\nA-1,r1,6\n")
    assert len(found) == 1
    assert found[0].startswith("Line 3: The reference r1 was used")


def test_further_problems_are_counted(program, anna):
    text = HEADER + "".join(f"Z-9,r{number},1\n" for number in range(130))
    report = load(program, text)
    assert (len(report.problems), report.more_problems) == (100, 30)


def test_amounts_are_rounded_as_the_balance_says(program, anna, stars, maya, chen):
    set_rules(stars, maya, chen, credit_rounding="NATURAL", debit_rounding="UPPER")
    load(program, HEADER + "A-1,r1,9.5\n")
    assert balance_of(anna, stars) == 10
    load(program, "member,reference,amount,kind\nA-1,r2,0.1,redeem\n")
    assert balance_of(anna, stars) == 9


# The catalogue


def test_a_byte_order_mark_is_no_part_of_the_first_name(program, anna):
    assert load(program, "\ufeff" + HEADER + "A-1,r,5\n").posted == 1


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (HEADER + 'A-1,"r,5\nA-1,r2,5\nA-1,r3,5\n', 2),
        (HEADER + 'A-1,r,5\nA-1,"r2,5\nA-1,"r3,5\n', 3),
        (HEADER + 'A-1,r,5\nA-1,"r"2,5\n', 3),
        (HEADER + 'A-1,"r\n1",5\n', 2),
    ],
)
def test_an_unclosed_quote_swallows_nothing(program, anna, text, line):
    assert refused(program, text).startswith(f"Line {line}: a quotation mark")


def test_short_and_long_rows_are_named(program, anna):
    text = HEADER + "A-1,r\nA-1,r2,5\nA-1,r3,5,,\n"
    assert problems(program, text) == [
        "Line 2: Expected 3 columns, got 2.",
        "Line 4: Expected 3 columns, got 5.",
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("member,reference,amount,amount\n", "“amount” is there twice"),
        ("member,amount\n", "“reference” is missing"),
        ("member,reference,amount,status\n", "no column “status”"),
        ("member,reference,amount,hash\n", "no column “hash”"),
        ("member,card,reference,amount\n", "Name members in one column"),
        ("reference,amount\n", "Name members in one column"),
        ("Member,reference,amount\n", "no column “Member”"),
        ("", "empty"),
        ("member;reference;amount\nA-1;r;5\n", "by commas"),
        ("member\treference\tamount\nA-1\tr\t5\n", "by commas"),
        ("member,reference,amount\rA-1,r,5\r", "CR alone"),
    ],
)
def test_a_wrong_header_is_refused_before_any_row(program, anna, text, why):
    assert why in refused(program, text)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (HEADER.encode() + b"A-1,\0,5\n", "Byte 28 is NUL"),
        (HEADER.encode() + b"A-1,\xff,5\n", "Byte 28 is not UTF-8"),
        (HEADER.encode() + "A-1,é,5\n".encode("latin-1"), "Byte 28 is not UTF-8"),
        (HEADER.encode() + b"A-1,r,5\xc3", "is not UTF-8"),
        ((HEADER + "A-1,r,5\n").encode("utf-16"), "UTF-16"),
        (b"PK\x03\x04 and so on", "spreadsheet or an archive"),
        (b"\x1f\x8b and so on", "spreadsheet or an archive"),
    ],
)
def test_what_is_no_text_is_refused(program, anna, data, why):
    assert why in refused(program, data)


def test_a_byte_far_into_the_file_is_found_where_it_is(program, anna):
    data = HEADER.encode() + "é,é,é\n".encode() * 200_000
    assert f"Byte {len(data)} is" in refused(program, data + b"\xff")


def test_a_cell_that_is_too_long_is_named(program, anna):
    text = HEADER + "A-1,r,5\nA-1," + "x" * 140_000 + ",5\n"
    assert refused(program, text) == "Line 3: a cell is too long."


@pytest.mark.parametrize(
    "formula", ["=HYPERLINK(A1)", "+1", "-1", "@x", "＝1", "'=1", "<b>x</b>"]
)
def test_formulas_are_kept_as_text(program, anna, formula):
    load(program, f"member,reference,amount,description\nA-1,{formula},5,{formula}\n")
    entry = PointsEntry.objects.get(member=anna)
    assert entry.description == entry.request.reference == formula


@pytest.mark.parametrize(
    "row",
    [
        "1.23457E+11,r,5",
        "A-1,1.23457E+11,5",
        "A-1,3-Mar,5",
        "A-1,Mar-03,5",
        "A-1,03-Mar-26,5",
        "A-1,r,1E+03",
    ],
)
def test_what_a_spreadsheet_has_changed_is_refused(program, anna, row):
    [problem] = problems(program, HEADER + row + "\n")
    assert "looks changed by a spreadsheet" in problem


def test_zeros_that_a_spreadsheet_took_are_missed(program, anna):
    [problem] = problems(program, "card,reference,amount\n123,r,5\n")
    assert "one “00123”" in problem


@pytest.mark.parametrize(
    "row",
    ["A-1,r,0", "A-1,r,-5", "A-1,r,1_000", "A-1,r,１２", 'A-1,r,"1,50"', "A-1,r,NaN"]
    + ["A-1,r,", "A-1,,5", "A-1,a\u202eb,5", "A-1,r,9007199254740992", ",r,5"],
)
def test_what_is_no_posting_is_named_with_its_line(program, anna, row):
    [problem] = problems(program, HEADER + row + "\n")
    assert problem.startswith("Line 2: ")


@pytest.mark.parametrize(
    "when", ["2026-03-01", "2026-03-01T12:00:00", "1772366400", "2099-01-01T00:00:00Z"]
)
def test_an_instant_has_an_offset_and_has_come(program, anna, when):
    text = f"member,reference,amount,occurred_at\nA-1,r,5,{when}\n"
    assert problems(program, text)


def test_files_that_are_too_long_are_refused(program, anna, monkeypatch):
    monkeypatch.setattr(importing, "MAX_ROWS", 2)
    text = HEADER + "A-1,r1,5\nA-1,r2,5\nA-1,r3,5\n"
    assert "at most 2 rows" in refused(program, text)
    monkeypatch.setattr(importing, "MAX_BYTES", 10)
    assert "larger than" in refused(program, text)


def test_nothing_is_left_of_an_import_that_breaks_off(program, anna, monkeypatch):
    monkeypatch.setattr(importing, "CHUNK", 2)
    post_many = points.post_many
    calls = []

    def break_off(*asked, **options):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return post_many(*asked, **options)

    monkeypatch.setattr(points, "post_many", break_off)
    text = HEADER + "".join(f"A-1,r{number},1\n" for number in range(10))
    with pytest.raises(KeyboardInterrupt):
        load(program, text)
    assert not PointsRequest.objects.exists()
    monkeypatch.undo()
    assert load(program, text).posted == 10
    assert points.verify(Member.objects.get(pk=anna.pk)) is None


@pytest.mark.parametrize("rows", [60, 500])
def test_a_chunk_of_rows_costs_the_same_however_many(
    program, anna, rows, django_assert_num_queries
):
    text = HEADER + "".join(f"A-1,r{number},1\n" for number in range(rows))
    # Savepoint and release, members, rules and definition of the balance; the
    # eleven of a batch.
    with django_assert_num_queries(trips(sqlite=16, postgresql=13)):
        load(program, text)
