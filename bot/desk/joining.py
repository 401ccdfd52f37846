"""Commands of one set-based function, gathered in the event loop and written together.

One batch is under way at a time, and what comes meanwhile is the next one. So a batch is as large as the load makes
it, the loop and the writer do not take the interpreter from each other, and a command that fails takes no other with
it: its batch is written again one by one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence, Sized
from contextlib import suppress
from typing import Generic, TypeVar

from bot.rules.pressure import Load
from store.database import CommitUnknown
from store.written import Written

C = TypeVar("C", bound=Sized)
R = TypeVar("R")
Waiter = tuple[C, "asyncio.Future[R]", float]
"""A command, its answer, and when it came by the event loop's time."""

ENOUGH = 500
"""A batch is closed by the command that makes it so large, in what its commands bring (`len`)."""


class Joining(Generic[C, R]):
    """`write(commands)` writes them in one transaction and gives one result for each; `on_commit` is called after it,
    with the tables that it wrote to.
    To be used in one event loop."""

    def __init__(
        self, write: Callable[[list[C]], Written[Sequence[R]]], on_commit: Callable[[frozenset[str]], None]
    ) -> None:
        self._write = write
        self._on_commit = on_commit
        self._waiting: deque[Waiter[C, R]] = deque()
        self._is_busy = False
        self._brought = 0
        self._under_way_since: float | None = None

    def load(self, now: float) -> Load:
        """What waits for its commit, and for how long the first of it has."""
        waiting = self._waiting[0][2] if self._waiting else now
        since = waiting if self._under_way_since is None else self._under_way_since
        return Load(self._brought, now - since)

    async def run(self, command: C) -> R:
        """The command's result, after its commit."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[R] = loop.create_future()
        self._waiting.append((command, answer, loop.time()))
        self._brought += len(command)
        if not self._is_busy:
            self._is_busy = True
            loop.call_soon(self._next_batch, loop)
        return await answer

    def _next_batch(self, loop: asyncio.AbstractEventLoop) -> None:
        batch: list[Waiter[C, R]] = []
        brought = 0
        while self._waiting and brought < ENOUGH:
            batch.append(self._waiting.popleft())
            brought += len(batch[-1][0])
        self._is_busy = bool(batch)
        self._under_way_since = batch[0][2] if batch else None
        if batch:
            self._hand_over(loop, batch)

    def _hand_over(self, loop: asyncio.AbstractEventLoop, batch: list[Waiter[C, R]]) -> None:
        try:
            written = self._write([command for command, _, _ in batch])
        except RuntimeError as closed:
            _fail(batch, closed)
            self._is_busy = False
            self._done(batch)
            return

        def settle(_: object) -> None:
            with suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits any more
                loop.call_soon_threadsafe(self._settle, loop, batch, written)

        written.add_done_callback(settle)

    def _settle(self, loop: asyncio.AbstractEventLoop, batch: list[Waiter[C, R]], done: Written[Sequence[R]]) -> None:
        """Answers those who wait, and then goes on: what answering them brings is in the next batch."""
        fault = done.exception()
        if fault is None:
            self._on_commit(done.tables)
            for (_, answer, _), result in zip(batch, done.result(), strict=True):
                if not answer.done():
                    answer.set_result(result)
        elif len(batch) == 1 or isinstance(fault, CommitUnknown):
            _fail(batch, fault)
        else:
            for each in batch:
                self._hand_over(loop, [each])
            return
        self._done(batch)
        loop.call_soon(self._next_batch, loop)

    def _done(self, batch: Sequence[Waiter[C, R]]) -> None:
        self._brought -= sum(len(command) for command, _, _ in batch)


def _fail(batch: Sequence[Waiter[C, R]], fault: BaseException) -> None:
    for _, answer, _ in batch:
        if not answer.done():
            answer.set_exception(fault)
