"""Reads what is inside blocks: elements, words, live text. Pure, and works on anything that parsed as JSON."""

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]
_TEXT_KEYS = ("text", "title", "label", "hint", "description", "alt_text", "placeholder")


def objects(node: Any) -> Iterator[Json]:
    """Every JSON object inside, outermost first, in the order of reading."""
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from objects(value)
    elif isinstance(node, list):
        for item in node:
            yield from objects(item)


def texts(blocks: list[Json]) -> list[str]:
    """The words a reader sees, one entry for each text object (also rich text and markdown blocks)."""
    return [each["text"] for each in objects(blocks) if isinstance(each.get("text"), str)]


def live_texts(blocks: list[Json]) -> list[str]:
    """Only the words in which mentions work: mrkdwn objects, markdown blocks, mentions of rich text."""
    found = []
    for each in objects(blocks):
        if each.get("type") in ("mrkdwn", "markdown"):
            found.append(str(each.get("text", "")))
        elif each.get("type") == "user" and "user_id" in each:
            found.append(f"<@{each['user_id']}>")
    return found


def characters(blocks: list[Json]) -> int:
    """How many characters of text the blocks carry, as Slack's limit for a whole message counts them."""
    return sum(len(each[key]) for each in objects(blocks) for key in _TEXT_KEYS if isinstance(each.get(key), str))


def elements(blocks: list[Json]) -> Iterator[tuple[Json, Json]]:
    """Every interactive element with its block: of actions, sections' accessories and inputs."""
    for block in blocks:
        inside = [block.get("accessory"), block.get("element"), *(block.get("elements") or [])]
        for element in inside:
            if isinstance(element, dict) and "action_id" in element:
                yield block, element


def button_texts(blocks: list[Json]) -> list[str]:
    """The words on the buttons, in order."""
    return [el["text"]["text"] for _, el in elements(blocks) if el["type"] == "button"]
