"""Text from people and systems, as it is kept: bounded, without what no database or message can hold."""

from __future__ import annotations

import unicodedata

LONGEST_TITLE = 200
LONGEST_TEXT = 40_000
"""Slack's own limit for the text of a message."""


def clean(text: str, *, most: int = LONGEST_TEXT) -> str:
    """The text without control characters (line breaks and tabs stay) and lone surrogates, cut at `most` characters."""
    kept = "".join(
        each for each in text[: 2 * most] if each in "\n\t" or unicodedata.category(each) not in ("Cc", "Cs")
    )
    kept = kept.strip()
    return kept if len(kept) <= most else kept[: most - 1] + "…"


def clean_line(text: str, *, most: int = LONGEST_TITLE) -> str:
    """The text as one line."""
    return clean(" ".join(text[: 4 * most].split()), most=most)


def storable(text: str) -> str:
    """What a system answered, whole, without the characters that PostgreSQL cannot keep."""
    return text.replace("\0", "\ufffd").encode(errors="replace").decode()
