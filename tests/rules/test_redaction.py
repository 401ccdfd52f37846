"""What is redacted is taken out before an event is kept, and comes back where it is sent."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.rules.redaction import HIDDEN, as_shown, hides, masked, restored, struck_out, wholly_masked
from runbooks.validation import EventSchema

SCHEMA = EventSchema(
    {
        "properties": {
            "id": {"type": "string"},
            "email": {"type": "string"},
            "person": {"$ref": "#/$defs/person"},
            "lines": {"type": "array", "items": {"properties": {"sku": {}}}},
        },
        "allOf": [{"properties": {"tier": {}}}],
        "$defs": {"person": {"properties": {"name": {}, "born": {}}}},
    }
)
EVENT: dict[str, Any] = {
    "id": "a-1",
    "email": "ada@acme.test",
    "tier": "vip",
    "person": {"name": "Ada", "born": "1815-12-10", "ssn": "078-05-1120"},
    "lines": [{"sku": "x", "note": "for Ada"}, {"sku": "y"}],
    "e-mail": "ada@acme.test",
}


@pytest.mark.parametrize(
    ("redact", "removed"),
    [
        (["email"], {"/email": "ada@acme.test"}),
        (["person.name"], {"/person/name": "Ada"}),
        (["/person/name"], {"/person/name": "Ada"}),
        (["person", "person.name"], {"/person": EVENT["person"]}),
        (["lines.note"], {"/lines/0/note": "for Ada"}),
        (["/lines/1/sku"], {"/lines/1/sku": "y"}),
        (["phone"], {}),
    ],
)
def test_a_field_is_named_by_its_name_a_path_or_a_pointer(redact: list[str], removed: dict[str, Any]) -> None:
    part = masked(EVENT, redact)
    assert part.removed == removed
    assert restored(part.content, part.removed) == EVENT
    assert str(part.content).count(HIDDEN) == len(removed)


def test_a_name_with_a_dot_in_it_is_hidden_as_a_name_as_well() -> None:
    assert masked({"a.b": 1, "a": {"b": 2, "c": 3}}, ["a.b"]).content == {"a.b": HIDDEN, "a": {"b": HIDDEN, "c": 3}}


def test_what_a_schema_does_not_declare_is_hidden_too() -> None:
    part = masked(EVENT, ["email"], SCHEMA)
    assert set(part.removed) == {"/email", "/e-mail", "/person/ssn", "/lines/0/note"}
    assert part.content["tier"] == "vip"
    assert part.content["lines"] == [{"sku": "x", "note": HIDDEN}, {"sku": "y"}]


def test_of_an_event_without_a_schema_nothing_is_shown() -> None:
    assert wholly_masked(EVENT).content == dict.fromkeys(EVENT, HIDDEN)
    assert restored(wholly_masked(EVENT).content, wholly_masked(EVENT).removed) == EVENT


def test_the_event_itself_is_left_as_it_is() -> None:
    before = str(EVENT)
    masked(EVENT, ["person.name"], SCHEMA)
    assert str(EVENT) == before


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "a/b", "~", "0", ""]), inner)
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(
    content=st.dictionaries(st.sampled_from(["a", "b", "a.b", "0"]), JSON),
    redact=st.lists(st.sampled_from(["a", "a.b", "/a/b", "/b/0", "/a~1b", "b.~", "0"])),
)
def test_whatever_is_taken_out_comes_back(content: dict[str, Any], redact: list[str]) -> None:
    for part in (masked(content, redact), masked(content, redact, SCHEMA), wholly_masked(content)):
        assert restored(part.content, part.removed) == content


@pytest.mark.parametrize(
    ("path", "is_hidden"),
    [
        ("event.email", True),
        ("event.person.name", True),
        ("event.person", True),
        ("event['person']['name']", True),
        ("event.people[0].name", True),
        ("event.tier", False),
        ("event.person.born", False),
    ],
)
def test_what_a_condition_read_is_hidden_where_it_leads_to_what_is_redacted(path: str, is_hidden: bool) -> None:
    assert hides(["email", "person.name", "/people/0/name"], path) is is_hidden


def test_a_request_is_shown_without_what_it_was_made_of() -> None:
    clear = {"path": "/p/ada%40acme.test", "json": {"to": "ADA", "team": "vip-desk", "n": 3, "list": ["ada", 1]}}
    hidden = {"path": "/p/•••", "json": {"to": "•••", "team": "desk", "n": 9, "list": ["•••", 1]}}
    shown = {"path": "/p/•••", "json": {"to": "•••", "team": HIDDEN, "n": HIDDEN, "list": ["•••", 1]}}
    assert as_shown(clear, hidden) == shown


def test_an_answer_that_repeats_a_hidden_value_is_kept_without_it() -> None:
    text = '{"echo": "ada@acme.test", "n": 12345678, "q": "say \\"hi\\"", "ok": true}'
    assert struck_out(text, ["ada@acme.test", {"n": [12345678]}, 'say "hi"', "ok", True]) == (
        '{"echo": "•••", "n": •••, "q": "•••", "ok": true}'
    )
