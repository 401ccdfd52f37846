"""What of a JSON Schema breaks when it changes: keyword by keyword, and as a property over small schemas."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator

from runbooks.schema_differences import LOOK, schema_differences

TEXT, WHOLE = {"type": "string"}, {"type": "integer"}


def _object(properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, **more}


BREAKING: list[tuple[Any, Any, str]] = [
    (_object({"a": TEXT}), _object({"a": TEXT}, required=["a"]), "a is newly required"),
    (_object({"renewal_dt": TEXT}), _object({"renewal_date": TEXT}, required=["renewal_date"]), "was it renewal_dt?"),
    (_object({"a": {"type": "number"}}), _object({"a": WHOLE}), "a: type number → integer"),
    (_object({"a": TEXT}), _object({"a": WHOLE}), "a: type string → integer"),
    (_object({"a": {"type": ["string", "null"]}}), _object({"a": TEXT}), "a: type null or string → string"),
    (_object({"a": {}}), _object({"a": TEXT}), "a: type anything → string"),
    (_object({"a": {"enum": ["x", "y"]}}), _object({"a": {"enum": ["x"]}}), 'a no longer takes "y"'),
    (_object({"a": TEXT}), _object({"a": {"enum": ["x"]}}), 'a takes only "x" now'),
    (_object({"a": {"enum": ["x", "y"]}}), _object({"a": {"const": "x"}}), 'a no longer takes "y"'),
    (_object({"a": TEXT, "b": TEXT}), _object({"a": TEXT}, additionalProperties=False), "b is not declared any more"),
    (_object({"a": TEXT}), _object({"a": TEXT}, additionalProperties=False), "the event takes declared fields only"),
    (_object({"a": TEXT, "b": TEXT}), _object({"a": TEXT}, additionalProperties=TEXT), LOOK),
    (_object({"a": TEXT}), _object({"a": False}), "a is not taken any more"),
    (WHOLE, WHOLE | {"minimum": 1}, "minimum 1 now"),
    (WHOLE | {"minimum": 1}, WHOLE | {"exclusiveMinimum": 1}, "minimum beyond 1 now"),
    (WHOLE | {"maximum": 9}, WHOLE | {"maximum": 8}, "maximum 8 now"),
    (WHOLE | {"multipleOf": 5}, WHOLE | {"multipleOf": 10}, "multiples of 10 now"),
    (TEXT, TEXT | {"minLength": 1}, "minLength 1 now"),
    (TEXT | {"maxLength": 9}, TEXT | {"maxLength": 3}, "maxLength 3 now"),
    (TEXT, TEXT | {"pattern": "^re_"}, "pattern ^re_ now"),
    (TEXT | {"pattern": "^re_"}, TEXT | {"pattern": "^rf_"}, LOOK),
    (TEXT, TEXT | {"format": "date"}, "format date now"),
    ({"items": TEXT}, {"items": WHOLE}, "[]: type string → integer"),
    ({"items": TEXT}, {"items": TEXT, "uniqueItems": True}, "each item only once now"),
    ({"prefixItems": [TEXT]}, {"prefixItems": [WHOLE]}, "type string → integer"),
    ({"prefixItems": [TEXT]}, {"prefixItems": [TEXT, WHOLE]}, "type anything → integer"),
    ({"type": "array"}, {"type": "array", "contains": TEXT}, "has to contain something now"),
    ({"allOf": [TEXT]}, {"allOf": [TEXT, {"minLength": 2}]}, "minLength 2 now"),
    ({"anyOf": [TEXT, WHOLE]}, {"anyOf": [TEXT]}, LOOK),
    ({"anyOf": [TEXT, WHOLE]}, {"anyOf": [TEXT, {"type": "boolean"}]}, "type integer → boolean"),
    ({"oneOf": [TEXT]}, {"oneOf": [TEXT, WHOLE]}, LOOK),
    ({"not": TEXT}, {"not": WHOLE}, LOOK),
    ({}, {"if": TEXT, "then": {"minLength": 1}}, LOOK),
    ({}, {"dependentRequired": {"a": ["b"]}}, "b newly required beside a"),
    ({}, {"propertyNames": {"maxLength": 3}}, "maxLength 3 now"),
    ({}, {"patternProperties": {"^x": TEXT}}, "patternProperties for ^x now"),
    ({"$ref": "#/$defs/a", "$defs": {"a": TEXT}}, {"$ref": "#/$defs/a", "$defs": {"a": WHOLE}}, "string → integer"),
    ({"not": {"$ref": "#/$defs/a"}, "$defs": {"a": TEXT}}, {"not": {"$ref": "#/$defs/a"}, "$defs": {"a": WHOLE}}, LOOK),
    (
        {"$ref": "#/$defs/a", "$defs": {"a": TEXT}},
        {"$ref": "#/$defs/a", "maxLength": 3, "$defs": {"a": TEXT}},
        "maxLen",
    ),
]

HARMLESS: list[tuple[Any, Any, str]] = [
    (_object({"a": TEXT}, required=["a"]), _object({"a": TEXT}), "a: is not required any more"),
    (_object({"a": WHOLE}), _object({"a": {"type": "number"}}), "a: type integer → number"),
    (_object({"a": {"enum": ["x"]}}), _object({"a": {"enum": ["x", "y"]}}), 'a: takes "y" as well'),
    (_object({"a": {"enum": ["x"]}}), _object({"a": TEXT}), "a: is not held to listed values any more"),
    (_object({"a": {"const": "x"}}), _object({"a": {"enum": ["x", "y"]}}), 'a: takes "y" as well'),
    (_object({"a": TEXT}), _object({"a": TEXT, "b": WHOLE}), "b: is a new field"),
    (_object({"a": TEXT, "b": TEXT}), _object({"a": TEXT}), "b: is not checked any more"),
    (_object({}, additionalProperties=False), _object({}), "takes undeclared fields as well"),
    (WHOLE | {"exclusiveMinimum": 1}, WHOLE | {"minimum": 1}, "its minimum is wider"),
    (WHOLE | {"multipleOf": 10}, WHOLE | {"multipleOf": 5}, "multiples of 5 now"),
    (TEXT | {"minLength": 2}, TEXT | {"minLength": 1}, "its minLength is wider"),
    (TEXT | {"format": "date"}, TEXT, "is not held to its format any more"),
    ({"anyOf": [TEXT]}, {"anyOf": [WHOLE, TEXT]}, "has another alternative"),
    ({"allOf": [TEXT, {"minLength": 2}]}, {"allOf": [TEXT]}, "has to fit less"),
]

NOTHING: list[tuple[Any, Any]] = [
    (TEXT, TEXT | {"title": "Name", "description": "…", "examples": ["x"], "x-ours": 1}),
    (TEXT | {"minLength": 0}, TEXT),
    (_object({"a": TEXT, "b": TEXT}), _object({"b": TEXT, "a": TEXT})),
    (_object({"a": TEXT}), _object({"a": {"$ref": "#/$defs/a"}}, **{"$defs": {"a": TEXT}})),
]


@pytest.mark.parametrize(("old", "new", "words"), BREAKING, ids=lambda it: None if isinstance(it, dict) else str(it))
def test_what_takes_less_breaks(old: Any, new: Any, words: str) -> None:
    told = [change for change in schema_differences(old, new) if change.breaking]
    assert any(words in change.words for change in told), schema_differences(old, new)


@pytest.mark.parametrize(("old", "new", "words"), HARMLESS, ids=lambda it: None if isinstance(it, dict) else str(it))
def test_what_takes_more_is_told_and_breaks_nothing(old: Any, new: Any, words: str) -> None:
    found = schema_differences(old, new)
    assert any(words in change.words for change in found), found
    assert [change for change in found if change.breaking] == []


@pytest.mark.parametrize(("old", "new"), NOTHING)
def test_what_checks_nothing_is_no_change(old: Any, new: Any) -> None:
    assert schema_differences(old, new) == []


def test_schemas_that_lead_to_themselves_end() -> None:
    def tree(leaf: Any) -> Any:
        node = _object({"leaf": leaf, "next": {"$ref": "#/$defs/n"}})
        return {"$ref": "#/$defs/n", "$defs": {"n": node}}

    ring = {"$ref": "#", "type": "object"}
    told = schema_differences(tree(TEXT), tree(WHOLE))
    assert [change.words for change in told] == ["leaf: type string → integer"]
    assert schema_differences(ring, {"$ref": "#", "type": "array"})
    assert schema_differences({"$ref": "#/nowhere"}, {"$ref": "#/elsewhere"}) == []


_LEAVES = st.sampled_from(
    [
        {},
        True,
        False,
        *({"type": name} for name in ("string", "integer", "number", "null")),
        {"type": ["integer", "string"]},
        {"enum": [1, "x"]},
        {"enum": [1]},
        {"const": "x"},
        {"minimum": 0},
        {"exclusiveMinimum": 0},
        {"type": "integer", "maximum": 1},
        {"multipleOf": 2},
        {"minLength": 1},
        {"maxLength": 1},
        {"anyOf": [{"type": "string"}, {"type": "null"}]},
        {"anyOf": [{"type": "null"}]},
        {"allOf": [{"type": "integer"}, {"minimum": 1}]},
        {"not": {"type": "string"}},
        {"items": {"type": "integer"}},
        {"prefixItems": [{"type": "integer"}], "items": False},
        {"contains": {"type": "integer"}},
        {"uniqueItems": True, "maxItems": 1},
    ]
)
_SCHEMAS = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["object", ["object", "array"], "array"]),
        "required": st.lists(st.sampled_from("ab"), unique=True),
        "properties": st.dictionaries(st.sampled_from("ab"), _LEAVES),
        "additionalProperties": st.one_of(st.booleans(), _LEAVES),
        "dependentRequired": st.just({"a": ["b"]}),
        "minProperties": st.integers(0, 2),
        "propertyNames": st.just({"enum": ["a"]}),
        "patternProperties": st.dictionaries(st.just("^a"), _LEAVES),
        "items": _LEAVES,
    },
)
_PLAIN = st.sampled_from([None, True, 0, 1, 2, -1, 1.5, "", "x", "xx", [], [1], [1, 1], ["x"]])
_VALUES = st.one_of(_PLAIN, st.dictionaries(st.sampled_from("abc"), _PLAIN), st.lists(_PLAIN, max_size=2))


@settings(max_examples=400, deadline=None)
@given(old=_SCHEMAS, new=_SCHEMAS, values=st.lists(_VALUES, min_size=3, max_size=12))
def test_without_a_breaking_change_what_fitted_still_fits(old: Any, new: Any, values: list[Any]) -> None:
    found = schema_differences(old, new)
    assume(not any(change.breaking or change.why == "field added" for change in found))
    was, now = Draft202012Validator(old), Draft202012Validator(new)
    assert [value for value in values if was.is_valid(value) and not now.is_valid(value)] == []
