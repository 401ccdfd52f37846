"""The facts of something that happened, in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.rules import closing
from bot.slack.words import Names, date, mention, quote, spoken

NOTE = 2000
WINDOWS = {"response": "acknowledged", "resolution": "resolved"}


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts of something that happened, in words. What is missing is left out, never a fault."""

    given: Mapping[str, Any]
    names: Names

    def who(self, key: str) -> str:
        """A person by name."""
        return self.names.person(self.given.get(key))

    def role(self, key: str) -> str:
        """A role by title."""
        return self.names.role(self.given.get(key))

    def people(self, *, wake: bool = False) -> str:
        """The people who are told; with `wake` they are mentioned."""
        users = [str(user) for user in self.given.get("people") or ()]
        return ", ".join(map(mention, users)) if wake else self.names.persons(users)

    def at(self, key: str) -> str:
        """An instant."""
        value = self.given.get(key)
        return date(datetime.fromisoformat(value) if isinstance(value, str) else value) if value else "a later time"

    def word(self, key: str) -> str:
        """A name of ours."""
        return spoken(str(self.given.get(key) or ""))

    def text(self, key: str, before: str = "", most: int = 500) -> str:
        """Text from outside, led in by `before`; nothing where there is none."""
        value = str(self.given.get(key) or "").strip()
        return f"{before}{quote(value, most)}" if value else ""

    def reason(self) -> str:
        """Why it was resolved."""
        given = str(self.given.get("reason") or "")
        return quote(closing.REASONS.get(given, given), 500)

    def window(self) -> str:
        """What the window is for."""
        return WINDOWS.get(str(self.given.get("window")), "resolved")


Sentence = Callable[[Facts], str]
