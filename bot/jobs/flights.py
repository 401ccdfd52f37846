"""Requests that are under way in this process, as tasks: started, counted, and waited for at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

STOPS_WITHIN = 10.0
"""Seconds: what takes longer is cancelled, and taken over when its lease ends."""


class Flights:
    """What is under way. `len` is how much that is."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, work: Coroutine[Any, Any, None], *, over: Callable[[], None] | None = None) -> None:
        """Begins it, and does not wait for it; `over` is called at its end."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if over:
            task.add_done_callback(lambda _: over())

    async def drain(self, tick: Callable[[], Awaitable[int]]) -> None:
        """Ticks until nothing is due any more, and waits for what is under way."""
        while await tick() or self._tasks:
            await asyncio.gather(*self._tasks)

    async def stop(self, within: float = STOPS_WITHIN) -> None:
        """Waits for what is under way, so many seconds; what is late is cancelled."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=within)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
