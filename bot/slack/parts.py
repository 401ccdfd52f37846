"""The parts of Block Kit that the cards and forms are made of, within Slack's limits (docs.slack.dev, Block Kit)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from bot.slack.words import clean, cut, has_instants, paragraph

Block = dict[str, Any]

SECTION = 3000
FIELD = 2000
HEADER = 150
BUTTON = 75
OPTION = 75
OPTIONS = 100
VIEW_TITLE = 24
CONFIRM_TITLE = 100
CONFIRM_TEXT = 300
CONFIRM_BUTTON = 30
BLOCKS = 50
MESSAGE = 12_000
TEXT = 3000
"""Of the plain-text fallback; Slack takes 4,000 before it shortens by itself."""


def plain(text: str, most: int = SECTION) -> Block:
    """Text from anywhere, shown as it is: nothing in it is formatted or linked."""
    return {"type": "plain_text", "text": clean(text, most) or "–", "emoji": False}


def mrkdwn(text: str, most: int = SECTION) -> Block:
    """Text of ours; what it holds from outside is escaped. `verbatim`: Slack links nothing by itself."""
    return {"type": "mrkdwn", "text": cut(text, most) or "–", "verbatim": True}


def header(text: str) -> Block:
    """A title in large letters."""
    return {"type": "header", "text": plain(text, HEADER)}


def section(text: str, *, accessory: Block | None = None) -> Block:
    """A paragraph, with one element at its right."""
    block: Block = {"type": "section", "text": mrkdwn(text)}
    return block | {"accessory": accessory} if accessory else block


def outside(text: str, most: int) -> Block:
    """A paragraph of text from outside."""
    return {"type": "section", "text": plain(text, most)}


def detail(text: str, most: int) -> Block:
    """A paragraph that may be the desk's words: from outside, but for the instants in it."""
    return section(paragraph(text, most)) if has_instants(text) else outside(text, most)


def fields(texts: Sequence[str]) -> Block:
    """Up to ten short texts in two columns."""
    return {"type": "section", "fields": [mrkdwn(text, FIELD) for text in texts[:10]]}


def context(*texts: str) -> Block:
    """Small print."""
    return {"type": "context", "elements": [mrkdwn(text) for text in texts[:10]]}


def divider() -> Block:
    """A line."""
    return {"type": "divider"}


def actions(elements: Sequence[Block], *, block_id: str | None = None) -> Block:
    """A row of buttons and menus."""
    block: Block = {"type": "actions", "elements": list(elements)}
    return block | {"block_id": block_id} if block_id else block


def button(
    text: str, action_id: str, value: str, *, style: str | None = None, asks: tuple[str, str] | None = None
) -> Block:
    """A button; `style` is primary or danger. `asks`: a title and a text that Slack shows first, to be said yes to."""
    element: Block = {"type": "button", "action_id": action_id, "text": plain(text, BUTTON), "value": value}
    if asks:
        element["confirm"] = _asking(*asks, yes=text)
    return element | {"style": style} if style else element


def _asking(title: str, text: str, *, yes: str) -> Block:
    """Slack's own question before a button takes effect."""
    return {
        "title": plain(title, CONFIRM_TITLE),
        "text": plain(text, CONFIRM_TEXT),
        "confirm": plain(yes, CONFIRM_BUTTON),
        "deny": plain("Cancel", CONFIRM_BUTTON),
    }


def option(text: str, value: str) -> Block:
    """One choice of a menu."""
    return {"text": plain(text, OPTION), "value": value}


def select(action_id: str, choices: Sequence[tuple[str, str]], *, placeholder: str, chosen: str | None = None) -> Block:
    """A menu of (value, text); what is beyond a hundred is not shown."""
    shown = [option(text, value) for value, text in choices[:OPTIONS]]
    element: Block = {
        "type": "static_select",
        "action_id": action_id,
        "placeholder": plain(placeholder, 150),
        "options": shown,
    }
    first = next((each for each in shown if each["value"] == chosen), None)
    return element | {"initial_option": first} if first else element


def radio(action_id: str, choices: Sequence[tuple[str, str]]) -> Block:
    """Up to ten choices to see at once; the first is chosen."""
    shown = [option(text, value) for value, text in choices[:10]]
    return {"type": "radio_buttons", "action_id": action_id, "options": shown, "initial_option": shown[0]}


def checkboxes(action_id: str, choices: Sequence[tuple[str, str]]) -> Block:
    """Up to ten boxes to tick; none is ticked."""
    return {"type": "checkboxes", "action_id": action_id, "options": [option(text, value) for value, text in choices]}


def text_input(action_id: str, *, lines: bool = False, start: str = "", most: int = SECTION) -> Block:
    """A field to write in."""
    element: Block = {"type": "plain_text_input", "action_id": action_id, "multiline": lines, "max_length": most}
    return element | {"initial_value": clean(start, most)} if start else element


def labelled(
    block_id: str, label: str, element: Block, *, hint: str = "", optional: bool = False, dispatches: bool = False
) -> Block:
    """A field of a form. `dispatches`: a choice in it is told at once."""
    block: Block = {
        "type": "input",
        "block_id": block_id,
        "label": plain(label, 150),
        "element": element,
        "optional": optional,
    }
    if hint:
        block["hint"] = plain(hint, 300)
    return block | {"dispatch_action": True} if dispatches else block


def modal(title: str, blocks: Sequence[Block], *, callback_id: str = "", submit: str = "", metadata: str = "") -> Block:
    """A modal view."""
    view: Block = {
        "type": "modal",
        "title": plain(title, VIEW_TITLE),
        "close": plain("Cancel" if submit else "Close", VIEW_TITLE),
        "blocks": list(blocks),
        "callback_id": callback_id,
        "private_metadata": metadata,
    }
    return view | {"submit": plain(submit, VIEW_TITLE)} if submit else view


def within_budget(blocks: Sequence[Block], *, most: int = BLOCKS, characters: int = MESSAGE) -> list[Block]:
    """As many of the first blocks as one message may hold, and a line that says how many are left out."""
    kept: list[Block] = []
    left = characters - 200
    for block in blocks:
        left -= sum(map(len, _texts(block)))
        if left < 0 or len(kept) == most - 1:
            break
        kept.append(block)
    if len(kept) == len(blocks) - 1 and len(blocks) <= most and left >= 0:
        return list(blocks)
    hidden = len(blocks) - len(kept)
    return [*kept, context(f"… and {hidden} more that do not fit here")] if hidden else kept


def _texts(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for value in node.values():
            yield from _texts(value)
    elif isinstance(node, list):
        for item in node:
            yield from _texts(item)
