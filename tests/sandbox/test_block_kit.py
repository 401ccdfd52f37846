"""Slack's rules for blocks and views as a table of good and bad."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.sandbox.workspace import check_blocks, check_view
from bot.sandbox.workspace.block_kit import Surface

from .conftest import button, card, form, text_input

Json = dict[str, Any]


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def mrkdwn(text: str) -> Json:
    return {"type": "mrkdwn", "text": text}


def section(text: str = "words", **values: Any) -> Json:
    return {"type": "section", "text": mrkdwn(text), **values}


def actions(*elements: Json) -> Json:
    return {"type": "actions", "elements": list(elements)}


def options(count: int) -> list[Json]:
    return [{"text": plain(f"Option {n}"), "value": str(n)} for n in range(count)]


def select(**values: Any) -> Json:
    return {"type": "static_select", "action_id": "s", "options": options(2), **values}


def confirm(**values: Any) -> Json:
    words = {"title": plain("Sure?"), "text": mrkdwn("Really"), "confirm": plain("Yes"), "deny": plain("No")}
    return words | values


GOOD: dict[str, list[Json]] = {
    "section": [section("x" * 3000)],
    "fields": [{"type": "section", "fields": [mrkdwn("x" * 2000)] * 6 + [mrkdwn("x")] * 4}],
    "accessory": [section(accessory=button("Go", "go"))],
    "image accessory": [section(accessory={"type": "image", "image_url": "https://a.test/i", "alt_text": "i"})],
    "header": [{"type": "header", "text": plain("x" * 150)}],
    "divider": [{"type": "divider"}],
    "context": [{"type": "context", "elements": [mrkdwn("note")] * 10}],
    "25 buttons": [actions(*(button("Go", f"go{n}") for n in range(25)))],
    "select": [actions(select(placeholder=plain("Pick")))],
    "grouped select": [
        actions({"type": "static_select", "option_groups": [{"label": plain("G"), "options": options(1)}]})
    ],
    "overflow of one": [actions({"type": "overflow", "action_id": "more", "options": options(1)})],
    "confirm": [actions({**button("Go", "go"), "confirm": confirm(), "style": "danger"})],
    "date": [actions({"type": "datepicker", "action_id": "d", "initial_date": "2026-11-20"})],
    "input": [text_input("reason", multiline=True, max_length=500)],
    "checkboxes": [{"type": "input", "label": plain("L"), "element": {"type": "checkboxes", "options": options(10)}}],
    "rich text": [{"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": []}]}],
    "markdown": [{"type": "markdown", "text": "# Title"}],
    "50 blocks": [{"type": "divider"}] * 50,
    "the same action in two blocks": [actions(button("Go", "go")), actions(button("Go", "go"))],
}

# name -> blocks, the pointer that must be named, words of the sentence
BAD: dict[str, tuple[Any, str, str]] = {
    "not a list": ({}, "/blocks", "array"),
    "51 blocks": ([{"type": "divider"}] * 51, "/blocks", "no more than 50"),
    "unknown type": ([{"type": "chart"}], "/blocks/0/type", "unsupported type"),
    "not an object": (["text"], "/blocks/0/type", "unsupported type"),
    "section too long": ([section("x" * 3001)], "/blocks/0/text/text", "3000 characters"),
    "section empty": ([section("")], "/blocks/0/text/text", "empty"),
    "section of spaces": ([section("  ")], "/blocks/0/text/text", "empty"),
    "section with nothing": ([{"type": "section"}], "/blocks/0", "text, fields"),
    "11 fields": ([{"type": "section", "fields": [plain("f")] * 11}], "/blocks/0/fields", "1 to 10"),
    "field too long": ([{"type": "section", "fields": [plain("f" * 2001)]}], "/blocks/0/fields/0/text", "2000"),
    "no fields": ([{"type": "section", "fields": []}], "/blocks/0/fields", "1 to 10"),
    "header in mrkdwn": ([{"type": "header", "text": mrkdwn("H")}], "/blocks/0/text/type", "plain_text"),
    "header too long": ([{"type": "header", "text": plain("x" * 151)}], "/blocks/0/text/text", "150"),
    "divider with text": ([{"type": "divider", "text": plain("x")}], "/blocks/0/text", "not an allowed key"),
    "no actions": ([actions()], "/blocks/0/elements", "1 to 25"),
    "26 buttons": ([actions(*(button("Go", f"g{n}") for n in range(26)))], "/blocks/0/elements", "1 to 25"),
    "button without text": ([actions({"type": "button"})], "/blocks/0/elements/0/text", "required"),
    "button in mrkdwn": (
        [actions({"type": "button", "text": mrkdwn("Go")})],
        "/blocks/0/elements/0/text/type",
        "plain_text",
    ),
    "button too long": ([actions(button("x" * 76, "a"))], "/blocks/0/elements/0/text/text", "75"),
    "value too long": ([actions(button("x", "a", "v" * 2001))], "/blocks/0/elements/0/value", "2000"),
    "value a number": ([actions(button("x", "a") | {"value": 7})], "/blocks/0/elements/0/value", "string"),
    "style": ([actions({**button("x", "a"), "style": "warning"})], "/blocks/0/elements/0/style", "primary"),
    "action_id too long": ([actions(button("x", "a" * 256))], "/blocks/0/elements/0/action_id", "255"),
    "same action_id": ([actions(button("x", "a"), button("y", "a"))], "/blocks/0", "'a' is used more than once"),
    "same block_id": (
        [section(block_id="b"), section(block_id="b")],
        "/blocks",
        "'b' is used more than once",
    ),
    "block_id too long": ([section(block_id="b" * 256)], "/blocks/0/block_id", "255"),
    "input element as accessory": (
        [section(accessory={"type": "plain_text_input", "action_id": "a"})],
        "/blocks/0/accessory/type",
        "unsupported element",
    ),
    "button in an input": (
        [{"type": "input", "label": plain("L"), "element": button("x", "a")}],
        "/blocks/0/element/type",
        "unsupported element",
    ),
    "101 options": ([actions(select(options=options(101)))], "/blocks/0/elements/0/options", "1 to 100"),
    "select without options": (
        [actions({"type": "static_select"})],
        "/blocks/0/elements/0",
        "options, option_groups",
    ),
    "option value too long": (
        [actions(select(options=[{"text": plain("o"), "value": "v" * 151}]))],
        "/blocks/0/elements/0/options/0/value",
        "150",
    ),
    "option text too long": (
        [actions(select(options=[{"text": plain("o" * 76), "value": "v"}]))],
        "/blocks/0/elements/0/options/0/text/text",
        "75",
    ),
    "6 in an overflow": (
        [actions({"type": "overflow", "options": options(6)})],
        "/blocks/0/elements/0/options",
        "1 to 5",
    ),
    "placeholder": (
        [actions(select(placeholder=plain("x" * 151)))],
        "/blocks/0/elements/0/placeholder/text",
        "150",
    ),
    "confirm title": (
        [actions({**button("x", "a"), "confirm": confirm(title=plain("x" * 101))})],
        "/blocks/0/elements/0/confirm/title/text",
        "100",
    ),
    "confirm without deny": (
        [actions({**button("x", "a"), "confirm": {"title": plain("x")}})],
        "/blocks/0/elements/0/confirm/deny",
        "required",
    ),
    "11 in context": ([{"type": "context", "elements": [plain("x")] * 11}], "/blocks/0/elements", "1 to 10"),
    "button in context": (
        [{"type": "context", "elements": [button("x", "a")]}],
        "/blocks/0/elements/0/type",
        "plain_text",
    ),
    "image without alt": ([{"type": "image", "image_url": "https://a"}], "/blocks/0/alt_text", "required"),
    "image of nothing": ([{"type": "image", "alt_text": "a"}], "/blocks/0", "image_url"),
    "13,000 characters": ([section("x" * 2900)] * 5, "/blocks", "13000 characters in total"),
    "two tables": (
        [{"type": "table", "rows": [[{"type": "raw_text", "text": "x"}]]}] * 2,
        "/blocks",
        "only one table",
    ),
    "table of 21 columns": (
        [{"type": "table", "rows": [[{"type": "raw_text", "text": "x"}] * 21]}],
        "/blocks/0/rows/0",
        "1 to 20",
    ),
    "alert in a message": ([{"type": "alert", "text": plain("x")}], "/blocks/0/type", "message"),
    "markdown together": (
        [{"type": "markdown", "text": "x" * 6_001}, {"type": "markdown", "text": "x" * 6_001}],
        "/blocks",
        "12000 characters together",
    ),
}

VIEWS: dict[str, tuple[Json, str]] = {
    "title too long": (form(title=plain("x" * 25)), "/title/text"),
    "no title": ({"type": "modal", "blocks": []}, "/title"),
    "title in mrkdwn": (form(title=mrkdwn("x")), "/title/type"),
    "submit too long": (form(submit=plain("x" * 25)), "/submit/text"),
    "close too long": (form(close=plain("x" * 25)), "/close/text"),
    "private_metadata": (form(private_metadata="x" * 3001), "/private_metadata"),
    "callback_id": (form(callback_id="x" * 256), "/callback_id"),
    "input without submit": ({k: v for k, v in form().items() if k != "submit"}, "/submit"),
    "unknown key": (form(colour="red"), "/colour"),
    "unknown type": ({"type": "dialog"}, "/type"),
    "home with a title": ({"type": "home", "blocks": [], "title": plain("x")}, "/title"),
    "101 blocks": (form(*[{"type": "divider"}] * 100), "/blocks"),
    "markdown in a modal": (form({"type": "markdown", "text": "x"}), "/blocks/1/type"),
    "empty label": (form(text_input("x") | {"label": plain("")}), "/blocks/1/label/text"),
    "no blocks": ({"type": "home"}, "/blocks"),
}


@pytest.mark.parametrize("name", GOOD)
def test_good_blocks_pass(name: str) -> None:
    assert check_blocks(GOOD[name], "message") == []


@pytest.mark.parametrize("name", BAD)
def test_bad_blocks_are_named_with_their_place(name: str) -> None:
    blocks, pointer, words = BAD[name]
    problems = check_blocks(blocks, "message")
    assert any(f"[json-pointer:{pointer}]" in problem and words in problem for problem in problems), problems


@pytest.mark.parametrize("name", VIEWS)
def test_bad_views_are_named_with_their_place(name: str) -> None:
    view, pointer = VIEWS[name]
    assert any(f"[json-pointer:{pointer}]" in problem for problem in check_view(view)), check_view(view)


def test_good_views_pass() -> None:
    assert check_view(form(private_metadata="", notify_on_close=True)) == []
    assert check_view({"type": "home", "blocks": card(button("Go", "go"))}) == []


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=9),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["type", "text", "elements", "fields", "options", "block_id", "action_id", "element"]),
                inner | st.sampled_from(["section", "actions", "button", "input", "context", "static_select"]),
                max_size=4,
            )
        ),
        max_leaves=20,
    ),
    st.sampled_from(["message", "modal", "home"]),
)
def test_any_json_is_judged_without_a_crash(value: Any, surface: Surface) -> None:
    check_blocks(value, surface)
    check_blocks([value], surface)
    check_view(value)
    check_view({"type": "modal", "blocks": value})
