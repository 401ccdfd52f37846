"""Whose Home tab may be open, what it shows, and whose turn it is to be looked at again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bot.slack.asking import Asker

LATELY = timedelta(minutes=30)
"""Slack tells when somebody opens the tab, not when they leave it."""
AT_ONCE = 4
"""Of one look; with a look every three seconds that is less than views.publish takes (100 a minute, tier 4)."""
REMEMBERED = 500


@dataclass(slots=True)
class Home:
    """A tab that was opened: by whom, until when it is kept true, and what it shows."""

    asker: Asker
    until: datetime
    shown: Mapping[str, Any]


class Homes:
    """The tabs that were opened at this process lately. Each replica keeps those true that it was told of; after a
    restart a tab is kept true from the next time that it is opened."""

    def __init__(self) -> None:
        self._open: dict[str, Home] = {}
        self._held_until: datetime | None = None

    def opened(self, asker: Asker, shown: Mapping[str, Any], *, at: datetime) -> None:
        """Somebody sees this now; the one who opened theirs longest ago is forgotten when there are too many."""
        self.forget(asker.user)
        while len(self._open) >= REMEMBERED:
            del self._open[next(iter(self._open))]
        self._open[asker.user] = Home(asker, at + LATELY, shown)

    def forget(self, user: str) -> None:
        """The person's tab is kept true no longer."""
        self._open.pop(user, None)

    def acted(self, user: str) -> None:
        """The person did something: theirs is next."""
        home = self._open.pop(user, None)
        if home:
            self._open = {user: home, **self._open}

    def hold(self, until: datetime) -> None:
        """Slack wants none before then."""
        self._held_until = until

    def turn(self, *, at: datetime) -> list[Home]:
        """Those whose turn it is, at most `AT_ONCE`; they come last from then on."""
        if self._held_until and at < self._held_until:
            return []
        self._open = {user: home for user, home in self._open.items() if home.until > at}
        first = list(self._open)[:AT_ONCE]
        taken = [self._open.pop(user) for user in first]
        self._open.update(zip(first, taken, strict=True))
        return taken
