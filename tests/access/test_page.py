"""The printed page says what the matrix says."""

import pytest

from . import matrix, page


def test_the_page_is_the_matrix_as_it_is() -> None:
    printed = page.PATH.read_text()
    assert printed == page.page(), "Print it: python -m tests.access.page"


def test_what_is_answered_in_two_ways_cannot_be_printed_as_one() -> None:
    text = "# Part\n{} | GET a | Read | No.\n{} | GET b | Read | No.\n"
    rows = matrix.read(text.format("403 " * 10, "403 " * 9 + "200"))
    with pytest.raises(ValueError, match="answered in two ways"):
        page.chapter("Part", rows)


@pytest.mark.parametrize(
    "line",
    [
        "403 403 | GET a | Read",
        "403 " * 9 + "maybe | GET a | Read",
        "403 " * 10 + "| GET a@nothing | Read",
    ],
)
def test_a_line_that_makes_no_sense_is_named(line: str) -> None:
    with pytest.raises(ValueError, match="line 2: "):
        matrix.read(f"# Part\n{line}")
