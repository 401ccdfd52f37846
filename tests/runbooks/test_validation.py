"""Events against the schema of their contract: what does not fit is told by place, type and what was wanted."""

from typing import Any

import pytest

from runbooks.validation import MOST_VIOLATIONS, EventSchema, Violation, parts_of, pointer_of

ORDER = EventSchema(
    {
        "type": "object",
        "required": ["id", "due"],
        "properties": {
            "id": {"type": "string", "pattern": "^or_"},
            "due": {"type": "string", "format": "date"},
            "tier": {"enum": ["vip", "growth"]},
            "lines": {"type": "array", "items": {"$ref": "#/$defs/line"}},
            "prices": {"type": "object", "additionalProperties": {"type": "integer"}},
            "closed": {"type": "object", "properties": {"a/b": {}}, "additionalProperties": False},
        },
        "$defs": {"line": {"type": "object", "required": ["sku"], "properties": {"sku": {"type": "string"}}}},
    }
)
GOOD = {"id": "or_1", "due": "2026-01-31"}


def told(**fields: Any) -> list[Violation]:
    return [*ORDER.misfits({**GOOD, **fields})]


def test_an_event_that_fits_has_no_violation() -> None:
    assert told(lines=[{"sku": "a"}], prices={"EUR": 3}, tier="vip", more="is allowed") == []


@pytest.mark.parametrize(
    ("fields", "violation"),
    [
        ({"id": 7}, Violation("/id", "type", "string", "integer")),
        ({"id": "x"}, Violation("/id", "pattern", "a text like ^or_", "string")),
        ({"due": "31.01.2026"}, Violation("/due", "format", "date", "string")),
        ({"due": "2026-02-30"}, Violation("/due", "format", "date", "string")),
        ({"tier": None}, Violation("/tier", "enum", "one of vip, growth", "null")),
        ({"lines": [{}]}, Violation("/lines/0/sku", "required", "sku", "nothing")),
        ({"prices": {"EUR": True}}, Violation("/prices/EUR", "type", "integer", "boolean")),
        ({"closed": {"x": 1}}, Violation("/closed", "additionalProperties", "declared fields only", "x")),
    ],
)
def test_a_misfit_is_told_by_place_type_and_what_was_wanted(fields: dict[str, Any], violation: Violation) -> None:
    assert told(**fields) == [violation]


def test_what_is_told_holds_no_value_of_the_event() -> None:
    secret = "ada@private.example"
    wrong = told(id=secret, due=secret, tier=secret, lines=secret, prices={"EUR": secret}, closed=secret)
    assert len(wrong) == 6
    assert secret not in str(wrong)


def test_a_hostile_event_is_told_and_told_shortly() -> None:
    deep: Any = {}
    for _ in range(2_000):
        deep = {"id": deep}
    assert [each.keyword for each in ORDER.misfits(deep)] in (["depth"], ["required", "type"])
    assert len(told(lines=[{}] * 5_000)) == MOST_VIOLATIONS
    assert ORDER.misfits([1]) == (Violation("", "type", "object", "array"),)
    assert ORDER.misfits({**GOOD, "prices": {"EUR": 10**400}}) is not None


def test_items_of_a_list_and_keys_that_senders_choose_are_one_place() -> None:
    assert ORDER.pattern("/lines/3/sku") == "/lines/*/sku"
    assert ORDER.pattern("/prices/EUR") == "/prices/*"
    assert ORDER.pattern("/closed/a~1b") == "/closed/a~1b"


def test_pointers_go_both_ways() -> None:
    assert parts_of(pointer_of(["a/b", "~x", 0])) == ["a/b", "~x", "0"]
