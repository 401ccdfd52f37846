"""Sees what a service does: by this a story knows when it need not wait for it any longer."""

from __future__ import annotations

import asyncio
from typing import Any

from bot.jobs.outbox import Outbox
from bot.main import Service
from bot.rules.actors import Actor


class Watch:
    """Stands beside a service. `happened` is set whenever it has done something."""

    service: Service

    def __init__(self, happened: asyncio.Event) -> None:
        self._happened = happened
        self._wakes = 0
        self._looked = 0
        self._taken = 0

    def outbox(self, *given: Any) -> Outbox:
        """An outbox whose looks for messages are seen."""
        return _Watched(self, *given)

    def beside(self, service: Service) -> None:
        """Sees every command at the desk of the service."""
        run, run_joined = service.desk.run, service.desk.run_joined

        async def seen(act: Any, command: Any, *, actor: Actor) -> Any:
            try:
                return await run(act, command, actor=actor)
            finally:
                self._happened.set()

        async def seen_joined(act: Any, command: Any) -> Any:
            try:
                return await run_joined(act, command)
            finally:
                self._happened.set()

        self.service = service
        service.desk.run = seen  # type: ignore[method-assign]
        service.desk.run_joined = seen_joined  # type: ignore[method-assign]

    async def look(self, outbox: Outbox) -> int:
        """Lets the outbox look once."""
        began = self._wakes
        try:
            taken = await Outbox.tick(outbox)
            self._looked, self._taken = began, self._taken + taken
            return taken
        finally:
            self._happened.set()

    def wake(self, tables: frozenset[str]) -> int:
        """Makes the service look for what is due, and for what anybody wrote to these tables; gives how many messages
        it took so far."""
        self._wakes += 1
        self.service.clock_moved()
        self.service.desk.on_commit(tables)
        return self._taken

    def has_looked(self) -> bool:
        """Whether its outbox has looked for messages since it was woken."""
        return self._looked == self._wakes

    def has_taken(self, since: int) -> bool:
        """Whether it has taken a message since then."""
        return self._taken > since


class _Watched(Outbox):
    def __init__(self, watch: Watch, *given: Any) -> None:
        super().__init__(*given)
        self._watch = watch

    async def tick(self) -> int:
        """Seen by the watch."""
        return await self._watch.look(self)
