"""Sees what a service does at its desk: by this a story knows what it still may do without a wait for it."""

from __future__ import annotations

import asyncio
from typing import Any

from bot.desk import outbox
from bot.main import Service
from bot.rules.actors import Actor


class Watch:
    """Stands beside the desk of a service. `happened` is set after each command."""

    def __init__(self, service: Service, happened: asyncio.Event) -> None:
        self.service = service
        self._happened = happened
        self._run = service.desk.run
        self._wakes = 0
        self._looked = 0
        self._taken = 0
        service.desk.run = self._watched  # type: ignore[method-assign]

    async def _watched(self, act: Any, command: Any, *, actor: Actor) -> Any:
        began = self._wakes
        try:
            result = await self._run(act, command, actor=actor)
            if act is outbox.claim_owed:
                self._looked, self._taken = began, self._taken + len(result)
            return result
        finally:
            self._happened.set()

    def wake(self) -> int:
        """Makes it look for what is due; gives how many messages it took so far."""
        self._wakes += 1
        self.service.clock_moved()
        return self._taken

    def has_looked(self) -> bool:
        """Whether its outbox has looked for messages since it was woken."""
        return self._looked == self._wakes

    def has_taken(self, since: int) -> bool:
        """Whether it has taken a message since then."""
        return self._taken > since
