"""Texts, paths and trees of a policy: what they render to, and what they refuse."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbooks.templates import (
    ExpressionFault,
    Missing,
    compile_path,
    compile_text,
    compile_tree,
    render_tree,
)
from tests.runbooks.test_templates import NAMES


@pytest.mark.parametrize(
    ("source", "rendered"),
    [
        ("", ""),
        ("plain }} text { % # }", "plain }} text { % # }"),
        ("{{ event.amount }}", 12),
        ("{{ event.number_as_text }}", "12"),
        ("{{event.items}}", [1, 2, 3]),
        ("{{ event.nothing }}", None),
        ("{{ {'a': {'b': 1}} }}", {"a": {"b": 1}}),
        ("{{ {'a': 1}}}", {"a": 1}),
        ("{{ '}}' }}", "}}"),
        ("{{ '{%' }}{{ '{{' }}", "{%{{"),
        (" {{ event.amount }}", " 12"),
        ("{{ event.amount }}:{{ event.tier }}", "12:vip"),
        ("{{ event.amount > 1 }} {{ event.items }} {{ 1.5 }}", "true [1,2,3] 1.5"),
        ("line\n{{ event.tier }}\n", "line\nvip\n"),
    ],
)
def test_a_text_renders(source: str, rendered: object) -> None:
    found = compile_text(source).render(NAMES)
    assert found == rendered
    assert type(found) is type(rendered)


@given(st.text(max_size=40), st.text(max_size=40))
def test_data_are_never_read_as_a_template(before: str, data: str) -> None:
    before = before.replace("{", "(")
    assert compile_text(before + "{{ event.x }}.").render({"event": {"x": data}}) == f"{before}{data}."


@pytest.mark.parametrize(
    ("source", "offset"),
    [
        ("{% for x in event %}", 0),
        ("a {# b #}", 2),
        ("a {{ evnt.x }}", 5),
        ("{{ event.x }} {{ event.y | uper }}", 27),
        ("a {{ event.x", 2),
        ("a {{ event.x }", 2),
        ("a {{ '}}", 5),
        ("a {{- event.x -}}", 4),
        ("a {{ }}", 4),
        ("a {{ event.x }} {%", 16),
        ("x" * 70_000, 0),
    ],
)
def test_a_faulty_text_is_refused_at_its_place(source: str, offset: int) -> None:
    with pytest.raises(ExpressionFault) as fault:
        compile_text(source)
    assert fault.value.offset == offset


def test_null_in_a_text_is_missing() -> None:
    with pytest.raises(Missing, match=r"^event\.nothing is missing$"):
        compile_text("{{ event.tier }}:{{ event.nothing }}").render(NAMES)


def test_a_text_of_more_than_64_kib_is_a_fault() -> None:
    with pytest.raises(ExpressionFault, match="64 KiB"):
        compile_text("{{ event.big }} {{ event.big }}").render(NAMES)
    with pytest.raises(ExpressionFault, match="64 KiB"):
        compile_text("{{ event.x }}.").render({"event": {"x": "é" * 40_000}})


@pytest.mark.parametrize(
    ("source", "rendered"),
    [
        ("/accounts/{{ case.subject }}", "/accounts/acc%207%2Fa"),
        ("/a?on={{ now | plus('30d') | date }}&x={{ 'a&b=c#d' }}", "/a?on=2026-02-04&x=a%26b%3Dc%23d"),
        ("/a/{{ event.amount }}", "/a/12"),
        ("{{ event.tier }}", "vip"),
        ("/a/{{ 'é%2F..' }}", "/a/%C3%A9%252F.."),
        ("/a/v{{ '..' }}", "/a/v.."),
    ],
)
def test_each_expression_in_a_path_is_percent_encoded(source: str, rendered: str) -> None:
    assert compile_path(source).render(NAMES) == rendered


@pytest.mark.parametrize("data", ["..", ".", "\ud800"])
def test_data_cannot_lead_a_path_elsewhere(data: str) -> None:
    with pytest.raises(ExpressionFault):
        compile_path("/refunds/{{ event.id }}/callback").render({"event": {"id": data}})


@pytest.mark.parametrize("data", ["", None])
def test_an_empty_value_in_a_path_is_missing(data: object) -> None:
    with pytest.raises(Missing, match=r"event\.id is missing"):
        compile_path("/refunds/{{ event.id }}").render({"event": {"id": data}})


def test_a_tree_keeps_types_and_renders_keys() -> None:
    tree = compile_tree(
        {"{{ inputs.to }}": "{{ event[inputs.from] }}", "amount": "{{ event.amount }}", "n": [1, None, "{{ now }}", {}]}
    )
    assert render_tree(tree, NAMES) == {
        "level": "vip",
        "amount": 12,
        "n": [1, None, "2026-01-05T10:00:00Z", {}],
    }


def test_keys_that_render_to_the_same_are_a_fault() -> None:
    tree = compile_tree({"{{ event.tier }}": 1, "vip": 2})
    with pytest.raises(ExpressionFault, match="vip gives a key that is there already"):
        render_tree(tree, NAMES)


def test_a_fault_in_a_tree_has_a_pointer() -> None:
    with pytest.raises(ExpressionFault) as fault:
        compile_tree({"a": [{"b": "x {{ evnt }}"}]})
    assert fault.value.pointer == ("a", 0, "b")
    assert fault.value.offset == 5
