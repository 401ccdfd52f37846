"""Slack's rules for blocks and views, checked strictly.

The limits are those of Slack's Block Kit reference and of its own SDK's models. What the reference lists but
this table does not know (charts, cards, agents' blocks) is refused: what cannot be checked is not accepted.
Everything here is pure; the golden tests of the product's cards use it as well as the stand-in's server.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

from . import walking

Surface = Literal["message", "modal", "home"]

BLOCKS_ON = {"message": 50, "modal": 100, "home": 100}
MESSAGE_CHARACTERS = 13_000
MARKDOWN_CHARACTERS = 12_000
VIEW_BYTES = 250_000


class Problem(NamedTuple):
    """One thing that is wrong: where (a JSON pointer) and what (a sentence)."""

    pointer: str
    sentence: str

    def __str__(self) -> str:
        return f"[ERROR] {self.sentence} [json-pointer:{self.pointer}]"


Problems = Iterator[Problem]
Rule = Callable[[Any, str], Problems]


class Shape(NamedTuple):
    """The keys that an object must and may have, each with the rule for its value."""

    required: dict[str, Rule]
    optional: dict[str, Rule]
    any_of: tuple[str, ...] = ()


def check_blocks(blocks: object, surface: Surface) -> list[str]:
    """Return what Slack would refuse in `blocks` on this surface, each as sentence and JSON pointer."""
    return [str(problem) for problem in block_problems(blocks, surface, "/blocks")]


def check_view(view: object) -> list[str]:
    """Return what Slack would refuse in a modal or Home view, each as sentence and JSON pointer."""
    return [str(problem) for problem in view_problems(view)]


def block_problems(blocks: object, surface: Surface, at: str) -> Problems:
    """Yield the problems of a list of blocks found at the pointer `at`."""
    if not isinstance(blocks, list):
        yield Problem(at, "must be an array of blocks")
        return
    if len(blocks) > BLOCKS_ON[surface]:
        yield Problem(at, f"no more than {BLOCKS_ON[surface]} items allowed")
    for index, block in enumerate(blocks):
        yield from _block(block, surface, f"{at}/{index}")
    found = [block for block in blocks if isinstance(block, dict)]
    yield from _unique(found, at)
    if surface == "message":
        yield from _totals(found, at)


def view_problems(view: object) -> Problems:
    """Yield the problems of a view."""
    if not isinstance(view, dict):
        yield Problem("", "must be an object")
        return
    kind = view.get("type")
    if kind not in ("modal", "home"):
        yield Problem("/type", "must be one of: modal, home")
        return
    yield from _shape(view, VIEWS[kind], "")
    yield from block_problems(view.get("blocks"), kind, "/blocks")
    has_input = any(b.get("type") == "input" for b in walking.objects(view.get("blocks")))
    if kind == "modal" and has_input and "submit" not in view:
        yield Problem("/submit", "is required when there is an input block")


def too_long(blocks: object) -> bool:
    """Tell whether Slack would answer `msg_blocks_too_long`."""
    return isinstance(blocks, list) and walking.characters(blocks) > MESSAGE_CHARACTERS


def too_large(view: object) -> bool:
    """Tell whether Slack would answer `view_too_large`: more than 250 kB of JSON."""
    return len(json.dumps(view).encode()) > VIEW_BYTES


# --- rules for values ---------------------------------------------------------------------------------------


def string(most: int, *, least: int = 1) -> Rule:
    """A string of `least` to `most` characters."""

    def rule(value: Any, at: str) -> Problems:
        if not isinstance(value, str):
            yield Problem(at, "must be a string")
        elif len(value) > most:
            yield Problem(at, f"must be no more than {most} characters")
        elif len(value.strip() if least else value) < least:
            yield Problem(at, "must not be empty" if least == 1 else f"must be at least {least} characters")

    return rule


def kind_of(kind: type | tuple[type, ...], name: str) -> Rule:
    """A value of a JSON type; `name` is how the sentence calls it."""

    def rule(value: Any, at: str) -> Problems:
        is_flag = isinstance(value, bool) and kind is not bool
        if is_flag or not isinstance(value, kind):
            yield Problem(at, f"must be {name}")

    return rule


def choice(*allowed: str) -> Rule:
    """One of these strings."""

    def rule(value: Any, at: str) -> Problems:
        if value not in allowed:
            yield Problem(at, f"must be one of: {', '.join(allowed)}")

    return rule


def text(most: int, *, plain: bool = False) -> Rule:
    """A text object; `plain` where mrkdwn is refused."""
    kinds = ("plain_text",) if plain else ("plain_text", "mrkdwn")
    extra = {"emoji": FLAG} if plain else {"emoji": FLAG, "verbatim": FLAG}
    shape = Shape({"type": choice(*kinds), "text": string(most)}, extra)
    return lambda value, at: _shape(value, shape, at)


def items(rule: Rule, most: int, *, least: int = 1) -> Rule:
    """An array of `least` to `most` values that each follow `rule`."""

    def check(value: Any, at: str) -> Problems:
        if not isinstance(value, list):
            yield Problem(at, "must be an array")
            return
        if not least <= len(value) <= most:
            yield Problem(at, f"must have {least} to {most} items")
        for index, item in enumerate(value):
            yield from rule(item, f"{at}/{index}")

    return check


def obj(required: dict[str, Rule], optional: dict[str, Rule] | None = None) -> Rule:
    """An object with these keys and no others."""
    shape = Shape(required, optional or {})
    return lambda value, at: _shape(value, shape, at)


def element(*allowed: str) -> Rule:
    """A block element of one of these types."""

    def rule(value: Any, at: str) -> Problems:
        kind = value.get("type") if isinstance(value, dict) else None
        if kind not in allowed:
            yield Problem(f"{at}/type", f"unsupported element: {kind!r}, expected one of: {', '.join(allowed)}")
        else:
            yield from _shape(value, _typed(ELEMENTS[str(kind)]), at)

    return rule


def anything(value: Any, at: str) -> Problems:
    """Any JSON: what this table does not look into."""
    return iter(())


FLAG = kind_of(bool, "a boolean")
WHOLE = kind_of(int, "an integer")
OBJECT = kind_of(dict, "an object")
URL = string(3000)
ACTION_ID = string(255)
STYLE = choice("primary", "danger")
_OPTION_KEYS: dict[str, Rule] = {"description": text(75, plain=True), "url": URL}
OPTION = obj({"text": text(75), "value": string(150)}, _OPTION_KEYS)
PLAIN_OPTION = obj({"text": text(75, plain=True), "value": string(150)}, _OPTION_KEYS)
OPTION_GROUP = obj({"label": text(75, plain=True), "options": items(PLAIN_OPTION, 100)})
CONFIRM = obj(
    {
        "title": text(100, plain=True),
        "text": text(300),
        "confirm": text(30, plain=True),
        "deny": text(30, plain=True),
    },
    {"style": STYLE},
)
DISPATCH = obj({}, {"trigger_actions_on": items(choice("on_enter_pressed", "on_character_entered"), 2)})
CONVERSATION_FILTER = obj(
    {},
    {
        "include": items(choice("im", "mpim", "private", "public"), 4),
        "exclude_external_shared_channels": FLAG,
        "exclude_bot_users": FLAG,
    },
)

# --- elements -----------------------------------------------------------------------------------------------

_FOCUS: dict[str, Rule] = {"action_id": ACTION_ID, "focus_on_load": FLAG}
_HINTED: dict[str, Rule] = {**_FOCUS, "placeholder": text(150, plain=True)}
_PICK: dict[str, Rule] = {**_HINTED, "confirm": CONFIRM}
_SEVERAL: dict[str, Rule] = {**_PICK, "max_selected_items": WHOLE}
_OPTIONS: dict[str, Rule] = {"options": items(PLAIN_OPTION, 100), "option_groups": items(OPTION_GROUP, 100)}
_IDS = items(string(255), 100)
_CONVERSATIONS: dict[str, Rule] = {"default_to_current_conversation": FLAG, "filter": CONVERSATION_FILTER}
_TYPED: dict[str, Rule] = {**_HINTED, "initial_value": string(3000, least=0), "dispatch_action_config": DISPATCH}
_EXTERNAL: dict[str, Rule] = {"min_query_length": WHOLE}

ELEMENTS: dict[str, Shape] = {
    "button": Shape(
        {"text": text(75, plain=True)},
        {
            "action_id": ACTION_ID,
            "value": string(2000, least=0),
            "url": URL,
            "style": STYLE,
            "confirm": CONFIRM,
            "accessibility_label": string(75),
            "visible_to_user_ids": _IDS,
        },
    ),
    "overflow": Shape({"options": items(PLAIN_OPTION, 5)}, {"action_id": ACTION_ID, "confirm": CONFIRM}),
    "image": Shape({"alt_text": string(2000)}, {"image_url": URL, "slack_file": OBJECT}, ("image_url", "slack_file")),
    "checkboxes": Shape(
        {"options": items(OPTION, 10)}, {**_FOCUS, "initial_options": items(OPTION, 10), "confirm": CONFIRM}
    ),
    "radio_buttons": Shape({"options": items(OPTION, 10)}, {**_FOCUS, "initial_option": OPTION, "confirm": CONFIRM}),
    "static_select": Shape({}, {**_PICK, **_OPTIONS, "initial_option": PLAIN_OPTION}, ("options", "option_groups")),
    "external_select": Shape({}, {**_PICK, **_EXTERNAL, "initial_option": PLAIN_OPTION}),
    "users_select": Shape({}, {**_PICK, "initial_user": string(255)}),
    "channels_select": Shape({}, {**_PICK, "initial_channel": string(255), "response_url_enabled": FLAG}),
    "conversations_select": Shape(
        {}, {**_PICK, **_CONVERSATIONS, "initial_conversation": string(255), "response_url_enabled": FLAG}
    ),
    "multi_static_select": Shape(
        {}, {**_SEVERAL, **_OPTIONS, "initial_options": items(PLAIN_OPTION, 100)}, ("options", "option_groups")
    ),
    "multi_external_select": Shape({}, {**_SEVERAL, **_EXTERNAL, "initial_options": items(PLAIN_OPTION, 100)}),
    "multi_users_select": Shape({}, {**_SEVERAL, "initial_users": _IDS}),
    "multi_channels_select": Shape({}, {**_SEVERAL, "initial_channels": _IDS}),
    "multi_conversations_select": Shape({}, {**_SEVERAL, **_CONVERSATIONS, "initial_conversations": _IDS}),
    "datepicker": Shape({}, {**_PICK, "initial_date": string(10, least=10)}),
    "timepicker": Shape({}, {**_PICK, "initial_time": string(5, least=5), "timezone": string(64)}),
    "datetimepicker": Shape({}, {**_FOCUS, "confirm": CONFIRM, "initial_date_time": WHOLE}),
    "plain_text_input": Shape({}, {**_TYPED, "multiline": FLAG, "min_length": WHOLE, "max_length": WHOLE}),
    "email_text_input": Shape({}, _TYPED),
    "url_text_input": Shape({}, _TYPED),
    "number_input": Shape({"is_decimal_allowed": FLAG}, {**_TYPED, "min_value": string(255), "max_value": string(255)}),
    "rich_text_input": Shape({}, {**_HINTED, "initial_value": OBJECT, "dispatch_action_config": DISPATCH}),
    "file_input": Shape({}, {"action_id": ACTION_ID, "filetypes": items(string(20), 100), "max_files": WHOLE}),
}

_SELECTS = ("static_select", "external_select", "users_select", "channels_select", "conversations_select")
_MULTI = tuple(f"multi_{name}" for name in _SELECTS)
_CHOICES = (*_SELECTS, "checkboxes", "radio_buttons", "datepicker", "timepicker")
_TYPING = ("plain_text_input", "email_text_input", "url_text_input", "number_input", "rich_text_input")
IN_ACTIONS = ("button", "overflow", "datetimepicker", *_CHOICES)
IN_SECTION = ("button", "overflow", "image", *_CHOICES, *_MULTI)
IN_INPUT = (*_TYPING, "datetimepicker", "file_input", *_CHOICES, *_MULTI)

# --- blocks -------------------------------------------------------------------------------------------------


def _in_context(value: Any, at: str) -> Problems:
    kind = value.get("type") if isinstance(value, dict) else None
    yield from element("image")(value, at) if kind == "image" else text(3000)(value, at)


_RICH = items(obj({"type": string(40), "elements": kind_of(list, "an array")}, dict.fromkeys(
    ("style", "indent", "offset", "border"), anything)), 500)  # fmt: skip
_CELL = obj({"type": choice("raw_text", "raw_number", "rich_text")}, dict.fromkeys(("text", "elements"), anything))

BLOCKS: dict[str, Shape] = {
    "section": Shape(
        {},
        {
            "text": text(3000),
            "fields": items(text(2000), 10),
            "accessory": element(*IN_SECTION),
            "expand": FLAG,
        },
        ("text", "fields"),
    ),
    "header": Shape({"text": text(150, plain=True)}, {}),
    "divider": Shape({}, {}),
    "context": Shape({"elements": items(_in_context, 10)}, {}),
    "actions": Shape({"elements": items(element(*IN_ACTIONS), 25)}, {}),
    "image": Shape(
        {"alt_text": string(2000)},
        {"image_url": URL, "slack_file": OBJECT, "title": text(2000, plain=True)},
        ("image_url", "slack_file"),
    ),
    "input": Shape(
        {"label": text(2000, plain=True), "element": element(*IN_INPUT)},
        {"hint": text(2000, plain=True), "optional": FLAG, "dispatch_action": FLAG},
    ),
    "rich_text": Shape({"elements": _RICH}, {}),
    "markdown": Shape({"text": string(MARKDOWN_CHARACTERS)}, {}),
    "table": Shape({"rows": items(items(_CELL, 20), 100)}, {"column_settings": kind_of(list, "an array")}),
    "alert": Shape({"text": text(200)}, {"level": choice("default", "info", "warning", "error", "success")}),
}
ONLY_ON: dict[str, tuple[Surface, ...]] = {
    "markdown": ("message",),
    "table": ("message",),
    "alert": ("modal",),
}
VIEWS: dict[str, Shape] = {
    "modal": Shape(
        {"type": anything, "title": text(24, plain=True), "blocks": anything},
        {
            "submit": text(24, plain=True),
            "close": text(24, plain=True),
            "private_metadata": string(3000, least=0),
            "callback_id": string(255, least=0),
            "clear_on_close": FLAG,
            "notify_on_close": FLAG,
            "external_id": string(255, least=0),
            "submit_disabled": FLAG,
        },
    ),
    "home": Shape(
        {"type": anything, "blocks": anything},
        {
            "private_metadata": string(3000, least=0),
            "callback_id": string(255, least=0),
            "external_id": string(255, least=0),
        },
    ),
}


def _block(block: Any, surface: Surface, at: str) -> Problems:
    kind = block.get("type") if isinstance(block, dict) else None
    if not isinstance(kind, str) or kind not in BLOCKS:
        yield Problem(f"{at}/type", f"unsupported type: {kind!r}")
        return
    if surface not in ONLY_ON.get(kind, (surface,)):
        yield Problem(f"{at}/type", f"{kind} blocks are not allowed on this surface: {surface}")
    shape = _typed(BLOCKS[kind])
    yield from _shape(block, shape._replace(optional={**shape.optional, "block_id": string(255)}), at)


def _typed(shape: Shape) -> Shape:
    return shape._replace(required={"type": anything, **shape.required})


def _shape(value: Any, shape: Shape, at: str) -> Problems:
    if not isinstance(value, dict):
        yield Problem(at, "must be an object")
        return
    rules = {**shape.optional, **shape.required}
    for key in shape.required:
        if key not in value:
            yield Problem(f"{at}/{key}", "is required")
    if shape.any_of and not any(key in value for key in shape.any_of):
        yield Problem(at, f"must have one of: {', '.join(shape.any_of)}")
    for key, inside in value.items():
        if key in rules:
            yield from rules[key](inside, f"{at}/{key}")
        else:
            yield Problem(f"{at}/{key}", "is not an allowed key here")


def _unique(blocks: list[dict[str, Any]], at: str) -> Problems:
    block_ids = [block["block_id"] for block in blocks if "block_id" in block]
    for block_id in _twice(block_ids):
        yield Problem(at, f"block_id {block_id!r} is used more than once")
    for index, block in enumerate(blocks):
        action_ids = [each["action_id"] for each in walking.objects(block) if "action_id" in each]
        for action_id in _twice(action_ids):
            yield Problem(f"{at}/{index}", f"action_id {action_id!r} is used more than once")


def _twice(names: list[Any]) -> list[str]:
    counted = Counter(name for name in names if isinstance(name, str))
    return [name for name, times in counted.items() if times > 1]


def _totals(blocks: list[dict[str, Any]], at: str) -> Problems:
    if too_long(blocks):
        yield Problem(at, f"must be no more than {MESSAGE_CHARACTERS} characters in total")
    markdown = [block for block in blocks if block.get("type") == "markdown"]
    if walking.characters(markdown) > MARKDOWN_CHARACTERS:
        yield Problem(at, f"markdown blocks must be no more than {MARKDOWN_CHARACTERS} characters together")
    if sum(block.get("type") == "table" for block in blocks) > 1:
        yield Problem(at, "only one table is allowed in a message")
