"""An event is mended by what a person writes: of the type that is wanted, in a place that there is."""

from typing import Any

import pytest

from bot.rules.redaction import HIDDEN
from bot.rules.repair import Mending, Unfit, as_wanted, choices, mended, pointer_named, wrong_fields
from runbooks.validation import EventSchema

SCHEMA = EventSchema(
    {
        "type": "object",
        "required": ["id", "due"],
        "additionalProperties": False,
        "properties": {
            "id": {"type": "string"},
            "due": {"type": "string", "format": "date"},
            "cents": {"type": "integer"},
            "email": {"type": "string", "format": "email"},
            "tier": {"enum": ["vip", 7, None]},
        },
    }
)


@pytest.mark.parametrize(
    ("text", "place", "value"),
    [
        ("42", {"type": "integer"}, 42),
        (" -42 ", {"type": "integer"}, -42),
        ("42", {"type": "string"}, "42"),
        ("42", {"type": ["integer", "string"]}, 42),
        ("x", {"type": ["integer", "string"]}, "x"),
        ("1.5", {"type": "number"}, 1.5),
        ("Yes", {"type": "boolean"}, True),
        ("null", {"type": ["string", "null"]}, None),
        ("null", {"type": "string"}, "null"),
        ('["a"]', {"type": "array"}, ["a"]),
        ('{"a": 1}', {"type": "object"}, {"a": 1}),
        ("7", {"enum": ["vip", 7, None]}, 7),
        ("null", {"enum": ["vip", 7, None]}, None),
        ("2026-01-31", {"format": "date"}, "2026-01-31"),
    ],
)
def test_what_is_written_becomes_what_the_schema_wants(text: str, place: dict[str, Any], value: Any) -> None:
    read = as_wanted(text, place)
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("4.2", {"type": "integer"}, "Write a whole number."),
        ("٤", {"type": "integer"}, "Write a whole number."),
        ("9" * 5_000, {"type": "integer"}, "Write a whole number."),
        ("NaN", {"type": "number"}, "Write a number."),
        ("Infinity", {"type": "number"}, "Write a number."),
        ("maybe", {"type": "boolean"}, "Write true or false."),
        ("{", {"type": "object"}, "Write an object as JSON."),
        ("[" * 100_000, {"type": "array"}, "Write a list as JSON."),
        ("", {"type": ["integer", "null"]}, "Write a whole number or null."),
        ("gold", {"enum": ["vip", 7, None]}, "Write one of vip, 7, null."),
    ],
)
def test_what_cannot_be_that_is_told_with_what_would_be_right(text: str, place: dict[str, Any], words: str) -> None:
    with pytest.raises(Unfit) as told:
        as_wanted(text, place)
    assert str(told.value) == words


def test_what_is_wrong_is_named_with_what_came_in_its_place() -> None:
    content = {"id": "a", "due_dt": "2026-01-31", "cents": "12", "email": "ada", "more": 1}
    shown = {**content, "email": HIDDEN, "due_dt": HIDDEN, "more": HIDDEN}
    found = {each.pointer: each for each in wrong_fields(SCHEMA.misfits(content), content, shown, SCHEMA)}
    assert set(found) == {"/due", "/cents", "/email"}
    assert (found["/due"].came_as, found["/due"].shown) == ("due_dt", None)
    assert (found["/cents"].came_as, found["/cents"].shown) == (None, "12")
    assert found["/email"].shown is None


def test_a_field_gets_its_name_and_keeps_its_value() -> None:
    assert mended({"id": "a", "due_dt": "x"}, Mending(names={"/due": "due_dt"})) == {"id": "a", "due": "x"}
    assert mended({"id": "a", "due": "y", "due_dt": "x"}, Mending(names={"/due": "due_dt"}))["due"] == "y"
    assert mended({"id": "a"}, Mending(names={"/due": "due_dt"})) == {"id": "a"}


def test_a_value_is_put_in_its_place_and_the_event_itself_is_left_alone() -> None:
    content: dict[str, Any] = {"lines": [{"sku": 1}], "a/b": 1}
    changed = mended(content, Mending(values={"/lines/0/sku": "x", "/a~1b": 2, "/new": 3}))
    assert changed == {"lines": [{"sku": "x"}], "a/b": 2, "new": 3}
    assert content == {"lines": [{"sku": 1}], "a/b": 1}


@pytest.mark.parametrize("pointer", ["/lines/7/sku", "/lines/x", "/nothing/there", "/lines/0/sku/deeper", "/lines/9"])
def test_a_place_that_is_not_in_the_event_is_told(pointer: str) -> None:
    with pytest.raises(Unfit, match="has no place in this event"):
        mended({"lines": [{"sku": 1}]}, Mending(values={pointer: 1}))


def test_a_field_is_named_by_its_name_or_its_pointer() -> None:
    assert (pointer_named("due"), pointer_named("a/b"), pointer_named("/a/b")) == ("/due", "/a~1b", "/a/b")


def test_what_can_be_chosen_is_listed() -> None:
    assert choices({"enum": ["vip", 7, None]}) == ["vip", "7", "null"]
    assert choices({"type": "boolean"}) == ["true", "false"]
    assert choices({"type": "string"}) == []
