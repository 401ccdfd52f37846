"""A service that dies at the n-th thing it does: right after the desk has committed it, or after Slack has done it, and
before anybody hears of it. What it does from then on has no effect, until a new one takes over."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from slack_sdk.web.async_client import AsyncWebClient

from bot.desk.desk import Desk

Doing = Callable[..., Awaitable[Any]]
FRUITLESS = ("ask_refused", "bring_in_step", "keep_people", "propose")
"""Commands of the start, which leave nothing to the outside."""


def places(count: int) -> range:
    """Where to die: at each place, or at every third, which is enough to see that nothing has changed."""
    return range(1, count + 1, 1 if os.environ.get("AT_EVERY_PLACE") else 3)


class Fate:
    """Counts what is done, and kills whoever does the `n`-th thing; `death` is set then. The dead stay dead; who comes
    after them lives."""

    def __init__(self, n: int) -> None:
        self.left = n
        self.death = asyncio.Event()
        self._seen: list[object] = []
        self._dead: list[object] = []

    @contextmanager
    def rules(self) -> Iterator[None]:
        """All services are mortal."""
        run, joined, call = Desk.run, Desk.run_joined, AsyncWebClient.api_call
        with (
            patch.object(Desk, "run", self._mortal(run)),
            patch.object(Desk, "run_joined", self._mortal(joined)),
            patch.object(AsyncWebClient, "api_call", self._mortal(call)),
        ):
            yield

    def _mortal(self, do: Doing) -> Doing:
        async def done(who: object, what: Any, *given: Any, **named: Any) -> Any:
            self._still_lives(who)
            result = await do(who, what, *given, **named)
            self._still_lives(who)
            if _counts(what, result):
                self._strike()
            self._still_lives(who)
            return result

        return done

    def _still_lives(self, who: object) -> None:
        """As if the process were gone: not an error that anybody could handle."""
        if who not in self._seen:
            self._seen.append(who)
        if who in self._dead:
            raise asyncio.CancelledError

    def _strike(self) -> None:
        self.left -= 1
        if self.left == 0:
            self.death.set()
            self._dead = list(self._seen)


def _counts(what: Any, result: Any) -> bool:
    """Whether it left something behind that another service has to know of."""
    if isinstance(what, str):
        return what.startswith("chat.")
    return what.__name__ not in FRUITLESS and bool(result is None or result)
