"""A metronome: APScheduler wakes the loops that claim what is due. It owns no business timer, so that nothing is lost
with it: what a wake misses the next one finds, and a sweep comes every few seconds whatever happens."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from sqlmodel import Session

from bot.clock import SystemClock
from bot.context import Context
from store.ids import new_key

log = logging.getLogger(__name__)

SWEEP_EVERY = 10.0
RETRY_AFTER = timedelta(seconds=1)
BREATH = 0.01
"""Seconds between two ticks of a loop, so that a storm of commits does not become a storm of looks."""
RESTS = 16
"""After a look in vain, this many times as long as it took: with much waiting, all loops together look for no more than
half of the time."""
LONGEST_REST = 1.0
STOPS_WITHIN = 10.0
UNKNOWN = datetime.min.replace(tzinfo=UTC)
STUCK = 300.0
"""Seconds after which a tick counts as one that never ends. No tick waits for slow systems for as long."""


@dataclass(frozen=True, slots=True)
class Loop:
    """Work that runs by itself. `tick` does what is due and returns how much that was. `next_due` says when there may
    be more, and `heeds` names the tables by whose rows it finds work: a commit that wrote to one of them wakes it.
    A loop without these runs only `every` so many seconds."""

    name: str
    tick: Callable[[], Awaitable[int]]
    next_due: Callable[[Session], datetime | None] | None = None
    heeds: Sequence[str] = ()
    every: float = SWEEP_EVERY


@dataclass(slots=True)
class _Run:
    """One tick. What it commits itself wakes the others when it is over, and itself only if it did something. Two loops
    that write although they find nothing would keep each other awake; their rests leave that little."""

    is_over: bool = False
    written: set[str] = field(default_factory=set)


_run: ContextVar[_Run | None] = ContextVar("_run", default=None)


@dataclass(slots=True)
class _Driven:
    """A loop, and what drives it."""

    loop: Loop
    wanted: asyncio.Event = field(default_factory=asyncio.Event)
    since: float | None = None
    """When the tick that runs began, by the event loop's time."""
    due_at: datetime | None = UNKNOWN
    """When it has something to do, as far as it knows; None: nothing that a clock would bring."""

    async def want(self) -> None:
        """Wakes it. A coroutine, so that APScheduler calls it in the event loop and not in a thread."""
        self.wanted.set()


class Scheduler:
    """Runs loops: at once after a commit, at the time when the next thing is due, and in a sweep. Never two ticks of
    one loop at once; a wake during a tick makes it run again."""

    def __init__(self, context: Context, loops: Sequence[Loop]) -> None:
        self._context = context
        self._driven = [_Driven(loop) for loop in loops]
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False
        self._is_waking = False
        self._written: set[str] = set()
        self._machine = SystemClock()
        self._metronome = AsyncIOScheduler(
            timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )

    async def start(self) -> None:
        """Starts all loops; each looks at once for what became due while nothing ran."""
        logging.getLogger("apscheduler").setLevel(logging.WARNING)
        for driven in self._driven:
            self._metronome.add_job(driven.want, "interval", seconds=driven.loop.every)
            driven.wanted.set()
        self._metronome.start()
        self._tasks = [asyncio.create_task(self._drive(driven), name=driven.loop.name) for driven in self._driven]
        self._context.desk.on_commit = self.wake

    def stopped(self) -> list[str]:
        """The loops that do nothing any more: not started, ended, or stuck in one tick."""
        if not self._tasks:
            return [driven.loop.name for driven in self._driven]
        long_ago = asyncio.get_running_loop().time() - STUCK
        return [
            driven.loop.name
            for driven, task in zip(self._driven, self._tasks, strict=True)
            if task.done() or (driven.since is not None and driven.since < long_ago)
        ]

    async def stop(self, within: float = STOPS_WITHIN) -> None:
        """Starts no more ticks and waits for those that run, so many seconds; then they are cancelled. What they had
        claimed is taken over when its lease ends."""
        self._stopping = True
        self._context.desk.on_commit = lambda tables: None
        if self._metronome.running:
            self._metronome.shutdown(wait=False)
        for driven in self._driven:
            driven.wanted.set()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=within)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def wake(self, tables: frozenset[str]) -> None:
        """These tables were written to: what is owed may be due now. Whoever waits for the commit is answered first."""
        run = _run.get()
        if run is not None and not run.is_over:
            run.written |= tables
            return
        self._written |= tables
        if not self._is_waking:
            self._is_waking = True
            asyncio.get_running_loop().call_later(BREATH, self._wake_who_heeds)

    def clock_moved(self) -> None:
        """The clock was put forward: all that is due by it now is done now."""
        now = self._context.clock.now()
        for driven in self._driven:
            if driven.loop.next_due and driven.due_at is not None and driven.due_at <= now:
                driven.wanted.set()

    def _wake_who_heeds(self) -> None:
        self._is_waking = False
        written, self._written = self._written, set()
        for driven in self._driven:
            if not written.isdisjoint(driven.loop.heeds):
                driven.wanted.set()

    def _hand_on(self, driven: _Driven, written: set[str]) -> None:
        """What a tick wrote is work for others, also where it found none for itself."""
        for other in self._driven:
            if other is not driven and not written.isdisjoint(other.loop.heeds):
                other.wanted.set()

    async def _drive(self, driven: _Driven) -> None:
        while True:
            await driven.wanted.wait()
            if self._stopping:
                return
            driven.wanted.clear()
            rest = BREATH
            try:
                rest = await self._run_once(driven)
            except Exception:
                log.exception("a loop failed", extra={"loop": driven.loop.name, "reference": new_key("fault")[:18]})
                self._arm(driven, self._context.clock.now() + RETRY_AFTER)
            await asyncio.sleep(rest)

    async def _run_once(self, driven: _Driven) -> float:
        """One tick; how many seconds the loop rests after it."""
        run, start = _Run(), asyncio.get_running_loop().time()
        token, driven.since, driven.due_at = _run.set(run), start, UNKNOWN
        try:
            count = await driven.loop.tick()
        finally:
            run.is_over, driven.since = True, None
            _run.reset(token)
            self._hand_on(driven, run.written)
        if count:
            if driven.loop.next_due:
                driven.wanted.set()
            return BREATH
        if driven.loop.next_due:
            await self._arm_for_next(driven, driven.loop.next_due)
        return min(max(BREATH, RESTS * (asyncio.get_running_loop().time() - start)), LONGEST_REST)

    async def _arm_for_next(self, driven: _Driven, next_due: Callable[[Session], datetime | None]) -> None:
        """Sets the wake for what is due next. What is due already although the tick found nothing to do (others have
        claimed it) is looked at again in a second."""
        driven.due_at = due_at = await self._context.desk.read(next_due)
        if due_at is not None:
            now = self._context.clock.now()
            self._arm(driven, due_at if due_at > now else now + RETRY_AFTER)

    def _arm(self, driven: _Driven, due_at: datetime) -> None:
        if self._stopping:
            return
        wait = due_at - self._context.clock.now()
        at = self._machine.now() + wait
        self._metronome.add_job(driven.want, "date", run_date=at, id=driven.loop.name, replace_existing=True)
