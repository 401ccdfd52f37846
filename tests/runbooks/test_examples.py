"""Events that are made from a schema fit it, and where none can be made that is said with what to do."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from runbooks.examples import NoExample, example_of, text_like
from runbooks.validation import EventSchema
from tests.conftest import EXAMPLE_COMPANY

SCHEMAS = [
    {"type": "object", "required": ["a"], "properties": {"a": {"type": "string", "minLength": 40}}},
    {"type": "object", "required": ["a"], "properties": {"a": {"type": "string", "pattern": "^ord-[0-9]{6}$"}}},
    {"type": "object", "required": ["a"], "properties": {"a": {"type": "string", "pattern": "^re_[A-Za-z0-9]+$"}}},
    {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer", "exclusiveMinimum": 7}}},
    {"type": "object", "required": ["a"], "properties": {"a": {"type": "number", "minimum": 2, "multipleOf": 5}}},
    {"type": "object", "required": ["a"], "properties": {"a": {"maximum": -3}}},
    {"type": "object", "required": ["a"], "properties": {"a": {"type": ["null", "boolean"]}}},
    {"type": "object", "required": ["a"], "properties": {"a": {"const": {"b": [1]}}}},
    {"type": "object", "required": ["at"], "properties": {"at": {"type": "string", "format": "date-time"}}},
    {"type": "object", "required": ["l"], "properties": {"l": {"items": {"enum": ["x", "y"]}, "minItems": 2}}},
    {"$ref": "#/$defs/e", "$defs": {"e": {"required": ["a"], "properties": {"a": {"$ref": "#/$defs/n"}}}, "n": {}}},
    {"allOf": [{"required": ["a"]}, {"required": ["b"], "properties": {"b": {"type": "integer"}}}]},
    {"type": "object", "required": ["a"], "oneOf": [{"properties": {"a": {"const": 1}}}, {"properties": {"a": False}}]},
    {"type": "object", "properties": {"a": {"$ref": "#"}}, "additionalProperties": False},
]


@pytest.mark.parametrize("data", SCHEMAS, ids=[str(number) for number in range(len(SCHEMAS))])
def test_the_event_fits_its_schema(data: dict[str, Any]) -> None:
    schema = EventSchema(data)
    assert schema.misfits(example_of(schema)) == ()


@pytest.mark.parametrize("path", sorted((EXAMPLE_COMPANY / "schemas").glob("*.json")), ids=lambda path: path.name)
def test_each_schema_of_the_example_company_has_an_event(path: Path) -> None:
    schema = EventSchema(json.loads(path.read_text()))
    event = example_of(schema)
    assert schema.misfits(event) == ()
    assert set(event) == set(schema.data["properties"])


def test_the_schemas_own_example_is_taken_if_it_fits() -> None:
    data = {"type": "object", "required": ["a"], "properties": {"a": {"pattern": "^[a-f]{3}[0-9]{3}$"}}}
    assert example_of(EventSchema({**data, "examples": [{"a": 1}, {"a": "abc123"}]})) == {"a": 1}
    assert example_of(EventSchema({**data, "examples": [{"a": "wrong"}, {"a": "abc123"}]})) == {"a": "abc123"}


def test_where_none_can_be_made_it_says_where_and_what_to_do() -> None:
    data = {
        "type": "object",
        "required": ["a"],
        "properties": {"a": {"type": "string", "pattern": "^[a-f]{3}[0-9]{3}$"}},
    }
    with pytest.raises(NoExample, match=r"/a wants a text like .*write a whole event under \"examples\""):
        example_of(EventSchema(data))
    with pytest.raises(NoExample, match="it describes no object"):
        example_of(EventSchema({"type": "string"}))


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("re_[A-Za-z0-9_-]+", "re_1042"),
        ("^T-[0-9]+$", "T-1042"),
        (r"ACME-\d{8}", "ACME-10421234"),
        ("[a-z]+", "abc"),
        ("[A-Z]{3}", "ABC"),
        (".+@.+", "a@example.com"),
        ("[A-Z]{2}[0-9]{2} ?[0-9]{10}", None),
    ],
)
def test_a_text_is_made_that_a_pattern_matches(pattern: str, text: str | None) -> None:
    assert text_like(re.compile(pattern)) == text
