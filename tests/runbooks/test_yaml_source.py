"""YAML 1.2, its core schema only, with the place of each node, in bounded time and memory."""

from typing import Any

import pytest

from runbooks.yaml_source import MAX_DEPTH, MAX_INTEGER, Node, parse_yaml

VALUES = [
    ("NO", "NO"),
    ("yes", "yes"),
    ("on", "on"),
    ("true", True),
    ("False", False),
    ("null", None),
    ("~", None),
    ("12", 12),
    ("-3", -3),
    ("0o17", 15),
    ("017", 17),
    ("0x1F", 31),
    ("1_000", "1_000"),
    ("1.5", 1.5),
    ("1e3", 1000.0),
    ("2026-12-24", "2026-12-24"),
    ("2026-01-05T09:00", "2026-01-05T09:00"),
    ("2026-01-05T09:00:00Z", "2026-01-05T09:00:00Z"),
    ("09:00", "09:00"),
    ("12:30:45", "12:30:45"),
    ("00:00-24:00", "00:00-24:00"),
    ("<<", "<<"),
    ("=", "="),
    ('"12"', "12"),
    ("!!str 12", "12"),
    ('"\\u00e9"', "é"),
]

BROKEN = [
    ("a: [1, 2", "1:9: a [ … ] is not closed, or a comma is missing in it; write [one, two]"),
    ("a: {b: 1", "1:9: a { … } is not closed, or a comma is missing in it; write {key: value, key: value}"),
    ("a: b: c", "1:5: a : cannot stand here"),
    ("a: 'b", "1:6: a quoted text does not end; close it with the quote that it began with"),
    ("a: 'it's'", "1:8: this line does not fit the lines above it"),
    ("a:\n\tb: 1", "2:1: a tab cannot indent; use spaces"),
    ("a: @b", "1:4: a text cannot begin with @; put quotes around it"),
    ("a: `b`", "1:4: a text cannot begin with `; put quotes around it"),
    ("a: %b", "1:4: a text cannot begin with %; put quotes around it"),
    ("a: - b", "1:4: a - cannot begin a list here; begin it on a line of its own"),
    ("a:\n  b: 1\n c: 2", "3:2: this line does not fit the lines above it"),
    ('a: "\\q"', "1:6: this escape is not known"),
    ('a: "\\UFFFFFFFF"', "1:1: cannot be read as YAML"),
    ("a: *b", "1:4: there is no anchor &b before this; put quotes around a text that begins with *"),
    ("a: &b [*b]", "1:8: *b is inside itself; write the value out here"),
    ("a: 1\n---\nb: 2", "2:1: a second document begins here; keep one document in a file"),
    ("a: !!python/object:os.system x", "1:4: the tag !!python/object:os.system is not allowed"),
    ("a: !!set {b, c}", "1:4: the tag !!set is not allowed; remove it; plain values only"),
    ("a: !!binary aGk=", "1:4: the tag !!binary is not allowed"),
    ("a: 1\nb: 2\na: 3", '3:1: "a" is written twice; it stands on line 1 already'),
    ("{{ event.id }}", "1:2: a key must be a text; put quotes around a text with braces"),
    ("a: .inf", "1:4: .inf is not a finite number"),
    ("a: 1e999", "1:4: 1e999 is not a finite number"),
    (f"a: {MAX_INTEGER + 1}", "1:4: 9007199254740992 is too large a number; put quotes around it if it is an id"),
    ('a: "\\0"', "1:4: the character U+0000 may not stand in a text; remove it"),
    ('a: "\\uD800"', "1:4: the character U+D800 may not stand in a text; remove it"),
    ("%YAML 9.9\n---\na: 1", "1:1: this version of YAML is not known; remove the %YAML line"),
]


def read(text: str) -> tuple[Any, list[str]]:
    node, faults = parse_yaml("f.yml", text)
    return (node.plain() if node else None), [str(fault).removeprefix("f.yml:") for fault in faults]


@pytest.mark.parametrize(("written", "value"), VALUES)
def test_a_value_has_the_type_of_the_core_schema(written: str, value: object) -> None:
    found, faults = read(f"key: {written}")
    assert not faults
    assert found == {"key": value}
    assert type(found["key"]) is type(value)


@pytest.mark.parametrize(("text", "fault"), BROKEN)
def test_broken_yaml_is_told_in_plain_words(text: str, fault: str) -> None:
    _, faults = read(text)
    assert len(faults) == 1
    assert faults[0].startswith(fault)


@pytest.mark.parametrize("key", ["NO", "12", "2026-12-24", "true", "null", "1.0"])
def test_a_key_is_the_text_that_was_written(key: str) -> None:
    assert read(f"{key}: 1") == ({key: 1}, [])


def test_every_node_knows_its_line_and_column() -> None:
    node, _ = parse_yaml("f.yml", '\ufeffa: 1\nb:\n  - x\n  - {c: "déjà"}\n')
    assert node is not None
    item = node.pairs["b"][1].items[1]
    assert (item.line, item.column) == (4, 5)
    key, value = item.pairs["c"]
    assert (key.line, key.column) == (4, 6)
    assert (value.line, value.column, value.text_column) == (4, 9, 10)


def test_an_alias_repeats_its_anchor() -> None:
    assert read("a: &x [1, 2]\nb: *x") == ({"a": [1, 2], "b": [1, 2]}, [])


def test_an_alias_bomb_is_refused_before_it_grows() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    _, faults = read("\n".join(lines))
    assert len(faults) == 1
    assert "holds more than 50000 values, aliases counted" in faults[0]


@pytest.mark.parametrize("deep", ["[" * 50_000, "{a: " * 50_000, "- " * 50_000, ": " * 50_000, "? " * 50_000])
def test_deep_nesting_is_refused(deep: str) -> None:
    _, faults = read(deep)
    assert len(faults) == 1
    assert f"is nested deeper than {MAX_DEPTH} levels; make it flatter" in faults[0]


def test_a_file_that_is_too_long_is_refused_unread() -> None:
    assert read("#" * 300_000) == (None, ["1:1: is longer than 262144 characters; split it"])


def test_faults_that_leave_the_rest_readable_are_told_together() -> None:
    found, faults = read("a: 1\na: 2\nb: !!set x\n{c: d}: 3\ne: 4")
    assert found is None or found["e"] == 4
    assert [fault.partition(";")[0] for fault in faults] == [
        '2:1: "a" is written twice',
        "3:4: the tag !!set is not allowed",
        "4:1: a key must be a text",
    ]


def test_find_says_none_where_a_key_is_missing() -> None:
    assert Node(1, 1, {}).find("a", "b") is None
    assert Node(1, 1, "text").find("a") is None
