"""Lengths as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from runbooks.lengths import Length, parse_length


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("45s", Length(seconds=45)),
        ("15m", Length(seconds=900)),
        ("4h", Length(seconds=14_400)),
        ("3d", Length(seconds=259_200)),
        ("1w", Length(seconds=604_800)),
        ("30bm", Length(business_minutes=30)),
        ("2bh", Length(business_minutes=120)),
        ("1bd", Length(business_days=1)),
    ],
)
def test_each_unit_is_read(text: str, length: Length) -> None:
    assert parse_length(text) == length
    assert str(length) == text


@pytest.mark.parametrize(("written", "canonical"), [("90m", "90m"), ("60m", "1h"), ("24h", "1d"), ("60bm", "1bh")])
def test_a_length_is_written_in_its_largest_whole_unit(written: str, canonical: str) -> None:
    assert str(parse_length(written)) == canonical


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("2 hours", "'2 hours' is not a length; write 2h (clock) or 2bh (business hours)"),
        ("3 business days", "write 3bd (business days)"),
        ("10 sec", "write 10s"),
        ("10 business weeks", "write 50bd"),
        ("15", "write 15s, 15m, 15h or 15d"),
        ("1.5h", "whole number of a smaller unit"),
        ("1h30m", "write a whole number and a unit"),
        ("0m", "more than nothing"),
        ("-5m", "write a whole number and a unit"),
        ("", "write a whole number and a unit"),
        ("15m\n", "write 15m (clock) or 15bm"),
        ("١٥m", "write a whole number and a unit"),
        ("999999999w", "ten years"),
        ("999999999bh", "1000bd"),
        ("1001bd", "1000bd"),
        ("9" * 50_000, "…"),
    ],
)
def test_what_is_not_a_length_is_told_what_to_write(text: str, advice: str) -> None:
    with pytest.raises(ValueError, match="length") as told:
        parse_length(text)
    assert advice in str(told.value)
    assert len(str(told.value)) < 200


@pytest.mark.parametrize("parts", [{}, {"seconds": 1, "business_days": 1}, {"seconds": -1}])
def test_a_length_has_exactly_one_kind(parts: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="one kind"):
        Length(**parts)


@given(st.integers(1, 999), st.sampled_from(["s", "m", "h", "d", "w", "bm", "bh", "bd"]))
def test_the_canonical_text_gives_the_length_back(number: int, unit: str) -> None:
    if unit == "w":
        number = min(number, 500)
    length = parse_length(f"{number}{unit}")
    assert parse_length(str(length)) == length
    assert length.is_business == unit.startswith("b")


class Window(BaseModel):
    within: Length


def test_a_field_takes_the_text_and_gives_it_back() -> None:
    window = Window.model_validate({"within": "60m"})
    assert window.within == Length(seconds=3600)
    assert Window(within=Length(business_days=1)).model_dump_json() == '{"within":"1bd"}'
    assert Window.model_validate_json('{"within": "1bd"}').within.is_business


@pytest.mark.parametrize("value", ["2 hours", 15, None, True, ["15m"]])
def test_a_field_refuses_what_is_not_a_length(value: object) -> None:
    with pytest.raises(ValidationError, match="is not a length"):
        Window.model_validate({"within": value})


def test_the_json_schema_names_the_pattern() -> None:
    schema = Window.model_json_schema()["properties"]["within"]
    assert schema["type"] == "string"
    assert schema["pattern"].endswith("(s|m|h|d|w|bm|bh|bd)$")
