"""Values that are refused before they are stored: numbers are the catalogue's."""

import json
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from loyalty import fields

HIDDEN = [
    "\x00",
    "\x07",
    "\x1b",
    "\x7f",
    "\x85",
    "\ud800",
    "\udfff",
    "\u200b",
    "\u200e",
    "\u202e",
    "\u2028",
    "\u2029",
    "\u2066",
    "\ufeff",
    "\u00ad",
]


def refuses(validator: Any, value: Any, code: str | None = None) -> None:
    with pytest.raises(ValidationError) as refusal:
        validator(value)
    assert " ".join(refusal.value.messages).endswith((".", "}."))
    if code:
        assert refusal.value.code == code


@pytest.mark.parametrize("character", HIDDEN)
def test_19_20_27_what_cannot_be_seen_is_in_no_text(character: str) -> None:
    for value in (character, f"Gold{character}", f"Go{character}ld"):
        refuses(fields.validate_line, value, "invalid_text")
        refuses(fields.validate_text, value, "invalid_text")
        refuses(fields.validate_json, {"k": value}, "invalid_text")
        refuses(fields.validate_json, {value: 1}, "invalid_text")
        refuses(fields.validate_json, [[value]], "invalid_text")


@pytest.mark.parametrize(
    "name", ["Gold", "Göld 24", "金会员", "ذهبي", "🥇 Gold", "O'Neill"]
)
def test_names_in_any_script_are_fine(name: str) -> None:
    fields.validate_line(name)
    fields.validate_text(name)


def test_the_character_is_named() -> None:
    with pytest.raises(ValidationError, match="U\\+202E is not allowed here"):
        fields.validate_line("A\u202eB")


@pytest.mark.parametrize("blank", ["", " ", "\t", "\u2003", "\u00a0 "])
def test_27_a_name_is_not_blank(blank: str) -> None:
    refuses(fields.validate_line, blank, "invalid_text")


@pytest.mark.parametrize("broken", ["a\nb", "a\rb", "a\tb"])
def test_28_a_name_is_one_line_and_a_text_may_have_several(broken: str) -> None:
    refuses(fields.validate_line, broken, "invalid_text")
    fields.validate_text(broken)


def nested(depth: int, leaf: Any = 1) -> Any:
    value = leaf
    for _ in range(depth - 1):
        value = [value]
    return value


def test_23_json_is_at_most_eight_deep() -> None:
    fields.validate_json(nested(8))
    refuses(fields.validate_json, nested(9), "too_deep")
    refuses(fields.validate_json, nested(900), "too_deep")


def test_24_depth_does_not_overflow_the_stack() -> None:
    refuses(fields.validate_json, nested(100_000), "too_deep")


def test_26_json_is_at_most_8_kilobytes() -> None:
    fields.validate_json("x" * 8190)
    refuses(fields.validate_json, "x" * 8191, "too_large")


@pytest.mark.parametrize("number", [2**53, -(2**53), 10**4000, 1e16, -1e300, -0.0])
def test_25_numbers_that_others_would_misread_are_refused(number: int) -> None:
    refuses(fields.validate_json, {"n": number}, "invalid_number")


def test_25_numbers_that_all_read_alike_are_fine() -> None:
    fields.validate_json({"n": [2**53 - 1, -(2**53) + 1, 0, 1.5, True, None]})


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_11_numbers_are_finite(number: float) -> None:
    refuses(fields.validate_json, [number], "invalid_number")


def test_whatever_passes_can_be_written_and_read_back() -> None:
    value = {"a": ["é", 1, None, {"b": 2.5}]}
    fields.validate_json(value)
    assert json.loads(json.dumps(value)) == value


@pytest.mark.parametrize("colour", ["#FFD700", "#000000", "#abcdef"])
def test_a_colour_is_six_hex_digits(colour: str) -> None:
    fields.validate_color(colour)


@pytest.mark.parametrize(
    "colour",
    [
        "FFD700",
        "#FFD70",
        "#FFD7000",
        "#GGGGGG",
        "gold",
        "#FFD700\n",
        "#ＦＦＤ７００",
        "",
    ],
)
def test_and_nothing_else(colour: str) -> None:
    refuses(fields.validate_color, colour)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Pacific/Apia"])
def test_a_time_zone_is_one_by_its_name(zone: str) -> None:
    fields.validate_time_zone(zone)


@pytest.mark.parametrize(
    "zone", ["", "Berlin", "europe/berlin", "+02:00", "../etc/passwd", "Mars/Olympus"]
)
def test_another_text_is_no_time_zone(zone: str) -> None:
    refuses(fields.validate_time_zone, zone, "unknown_time_zone")


@pytest.mark.parametrize("day", ["01/01", "29/02", "31/12", "30/04"])
def test_a_day_of_the_year_is_one_of_some_year(day: str) -> None:
    fields.validate_day_and_month(day)


@pytest.mark.parametrize(
    "day",
    [
        "30/02",
        "31/04",
        "00/01",
        "01/00",
        "01/13",
        "1/1",
        "01-01",
        "０１/０１",
        "01/01\n",
    ],
)
def test_a_day_that_never_comes_is_refused(day: str) -> None:
    refuses(fields.validate_day_and_month, day, "invalid_day")


def test_objects_channels_and_images() -> None:
    fields.validate_object({})
    values: list[Any] = [[], "x", 1, None]
    for value in values:
        refuses(fields.validate_object, value, "not_an_object")
    fields.validate_channels(["SMS", "EMAIL"])
    for names in ("SMS", [1], {"SMS": True}, None):
        refuses(fields.validate_channels, names, "not_channels")
    refuses(fields.validate_channels, ["SMS\x00"], "invalid_text")
    refuses(fields.validate_channels, [" "], "invalid_text")
    fields.validate_image(None)
    fields.validate_image({"url": "https://example.org/gold.png", "width": 64})


@pytest.mark.parametrize(
    "url", ["", "javascript:alert(1)", "//example.org/x.png", " https://x", 5, None]
)
def test_an_image_has_an_absolute_address(url: Any) -> None:
    refuses(fields.validate_image, {"url": url}, "invalid_image")


@pytest.mark.parametrize("image", ["https://x/y.png", ["https://x"], 5])
def test_an_image_is_an_object(image: Any) -> None:
    refuses(fields.validate_image, image, "not_an_object")
