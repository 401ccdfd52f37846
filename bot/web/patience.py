"""Clients that are slow, by accident or on purpose: a request's head and its body have to be there within a time, so
that nobody holds connections by sending a byte now and then."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from aiohttp import web

from bot.web.problems import Problem, kind

HEAD_WITHIN = 30.0
"""Seconds from the connection to the end of its first request's head. Between two requests it may rest as long as
aiohttp keeps a connection that is idle."""
BODY_WITHIN = 30.0
LOOKS_EVERY = 5.0
HEARD: web.AppKey[WeakSet[Any]] = web.AppKey("HEARD", WeakSet)
"""The connections on which a whole head came."""


async def body_of(request: web.Request) -> bytes:
    """The bytes of the body. Raises `Problem` 408 where they do not come in time."""
    try:
        async with asyncio.timeout(BODY_WITHIN):
            return await request.read()
    except TimeoutError:
        detail = f"the body did not come within {BODY_WITHIN:.0f} s"
        raise Problem(HTTPStatus.REQUEST_TIMEOUT, detail, kind=kind("slow"), headers={"Connection": "close"}) from None


class Patience:
    """Ends connections of a server on which no request came."""

    def __init__(self, runner: web.AppRunner) -> None:
        self._runner = runner
        self._since: WeakKeyDictionary[Any, float] = WeakKeyDictionary()
        self._watching = asyncio.create_task(self._watch(), name="patience")

    async def stop(self, _: float = 0.0) -> None:
        """Looks no more."""
        self._watching.cancel()

    async def _watch(self) -> None:
        while True:
            self.look()
            await asyncio.sleep(LOOKS_EVERY)

    def look(self) -> int:
        """Ends those that are open for too long and have said nothing whole; how many those were."""
        now, ended = asyncio.get_running_loop().time(), 0
        for connection in self._runner.server.connections if self._runner.server else ():
            transport = connection.transport
            if transport is None or transport in self._runner.app[HEARD]:
                continue
            if now - self._since.setdefault(transport, now) >= HEAD_WITHIN:
                transport.abort()
                ended += 1
        return ended
