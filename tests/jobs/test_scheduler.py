"""The metronome: woken by commits and by the clock, one tick of a loop at a time, and nothing lost with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import delete, false
from sqlmodel import Session

from bot.clock import MovableClock
from bot.context import Context
from bot.desk import timers
from bot.desk.desk import Desk
from bot.jobs import scheduler as module
from bot.jobs import timers as job
from bot.jobs.scheduler import Loop, Scheduler
from bot.rules.actors import SYSTEM
from bot.settings import Settings
from store.models import Case, Timer
from tests.jobs.test_timers import breached, opened

HEEDED = ("timers",)
SOON = 5.0
"""Seconds after which a test gives up."""


class Work:
    """A loop that is watched."""

    def __init__(self, desk: Desk, *, due: int = 0) -> None:
        self.desk = desk
        self.due = due
        self.writes = True
        self.ticks = 0
        self.at_once = 0
        self.most_at_once = 0
        self.next_at: datetime | None = None
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.faults: list[Exception] = []

    async def tick(self) -> int:
        self.ticks += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.go_on.wait()
            if self.faults:
                raise self.faults.pop()
            if self.writes:
                await nothing(self.desk)
            done, self.due = self.due, 0
            return done
        finally:
            self.at_once -= 1

    def next_due(self, session: Session) -> datetime | None:
        return self.next_at


async def nothing(desk: Desk) -> None:
    """A commit that may bring work."""
    await desk.run(lambda tx, _: tx.session.execute(delete(Timer).where(false())) and None, None, actor=SYSTEM)


async def turn(desk: Desk) -> None:
    """A round trip through the threads of the database: whatever can go on has gone on."""
    for _ in range(3):
        await desk.read(lambda session: None)


async def until(desk: Desk, holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON):
        while not holds():
            await turn(desk)


async def quiet(work: Work) -> int:
    """The count of ticks once no more come."""
    before = -1
    async with asyncio.timeout(SOON):
        while before != work.ticks:
            before = work.ticks
            await turn(work.desk)
    return before


async def all_breached(desk: Desk, count: int) -> None:
    async with asyncio.timeout(SOON):
        while await breached(desk) < count:
            await turn(desk)


@pytest.fixture(autouse=True)
def _out_of_breath(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop that is wanted ticks at once."""
    monkeypatch.setattr(module, "BREATH", 0)
    monkeypatch.setattr(module, "RESTS", 0)


@pytest.fixture
def context(sqlite_desk: Desk, clock: MovableClock) -> Context:
    return Context(sqlite_desk, clock, sqlite_desk.policies, Settings())


@pytest.fixture
async def work(context: Context) -> AsyncIterator[Work]:
    """A loop that runs, after its first look."""
    work = Work(context.desk)
    scheduler = Scheduler(context, [Loop("work", work.tick, work.next_due, HEEDED)])
    await scheduler.start()
    await until(context.desk, lambda: work.ticks == 1)
    yield work
    work.go_on.set()
    await scheduler.stop()


async def test_a_commit_wakes_the_loop_at_once(context: Context, work: Work) -> None:
    before = await quiet(work)
    await nothing(context.desk)
    await until(context.desk, lambda: work.ticks > before)
    assert await quiet(work) == before + 1


async def test_a_commit_that_wrote_to_other_tables_wakes_it_not(context: Context, work: Work) -> None:
    before = await quiet(work)
    await context.desk.run(lambda tx, _: tx.record("case.noted"), None, actor=SYSTEM)
    assert await quiet(work) == before


async def test_a_tick_that_finds_nothing_does_not_wake_itself(work: Work) -> None:
    before = await quiet(work)
    await turn(work.desk)
    assert work.ticks == before


async def test_what_a_look_in_vain_wrote_is_work_for_others_and_not_for_itself(context: Context, work: Work) -> None:
    other = Work(context.desk)
    other.writes = False
    scheduler = Scheduler(
        context, [Loop("work", work.tick, work.next_due, HEEDED), Loop("other", other.tick, other.next_due, HEEDED)]
    )
    await scheduler.start()
    await until(context.desk, lambda: other.ticks >= 2)
    await quiet(other)
    before, theirs = await quiet(work), other.ticks
    await nothing(context.desk)
    await until(context.desk, lambda: other.ticks == theirs + 2)
    assert await quiet(work) == before + 1
    await scheduler.stop()


async def test_a_tick_that_did_something_wakes_the_others(context: Context, work: Work) -> None:
    before = await quiet(work)
    work.due = 3
    await nothing(context.desk)
    await until(context.desk, lambda: work.ticks >= before + 2)
    assert work.due == 0


async def test_never_two_ticks_at_once_and_a_wake_during_one_runs_it_again(context: Context, work: Work) -> None:
    before = await quiet(work)
    work.go_on.clear()
    for _ in range(20):
        await nothing(context.desk)
    await until(context.desk, lambda: work.ticks == before + 1)
    await nothing(context.desk)
    work.go_on.set()
    await until(context.desk, lambda: work.ticks == before + 2)
    assert work.most_at_once == 1


async def test_a_tick_that_raises_is_logged_and_tried_again(
    context: Context, work: Work, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "RETRY_AFTER", timedelta(milliseconds=20))
    before = await quiet(work)
    work.faults = [ZeroDivisionError()]
    await nothing(context.desk)
    await until(context.desk, lambda: work.ticks >= before + 2)
    [fault] = [record for record in caplog.records if record.message == "a loop failed"]
    assert fault.__dict__["reference"].startswith("fault:")
    assert fault.__dict__["loop"] == "work"


async def test_it_wakes_when_the_next_thing_is_due(context: Context, work: Work, clock: MovableClock) -> None:
    await quiet(work)
    work.next_at = clock.now() + timedelta(milliseconds=300)
    await nothing(context.desk)
    before = work.ticks + 1
    await until(context.desk, lambda: work.ticks == before)
    assert await quiet(work) == before
    clock.advance(timedelta(seconds=1))
    await until(context.desk, lambda: work.ticks > before)
    assert work.ticks == before + 1


async def test_a_loop_without_a_next_time_hears_of_no_commit_and_is_swept(context: Context) -> None:
    often, seldom = Work(context.desk), Work(context.desk)
    scheduler = Scheduler(context, [Loop("often", often.tick, every=0.05), Loop("seldom", seldom.tick, every=3600)])
    await scheduler.start()
    await nothing(context.desk)
    await until(context.desk, lambda: often.ticks >= 3)
    await scheduler.stop()
    assert seldom.ticks == 1


async def test_stopping_waits_for_the_tick_that_runs(context: Context) -> None:
    work = Work(context.desk, due=1)
    work.go_on.clear()
    scheduler = Scheduler(context, [Loop("work", work.tick, work.next_due, HEEDED)])
    await scheduler.start()
    await until(context.desk, lambda: work.ticks == 1)
    stopping = asyncio.create_task(scheduler.stop())
    await turn(context.desk)
    assert not stopping.done()
    work.go_on.set()
    await stopping
    assert (work.due, work.ticks, work.at_once) == (0, 1, 0)


async def test_stopping_cancels_what_does_not_end(context: Context) -> None:
    work = Work(context.desk)
    work.go_on.clear()
    scheduler = Scheduler(context, [Loop("work", work.tick, work.next_due, HEEDED)])
    await scheduler.start()
    await until(context.desk, lambda: work.ticks == 1)
    await scheduler.stop(within=0.05)
    assert work.at_once == 0


async def test_stopping_twice_or_before_the_start_is_harmless(context: Context) -> None:
    work = Work(context.desk)
    scheduler = Scheduler(context, [Loop("work", work.tick, work.next_due, HEEDED)])
    await scheduler.stop()
    await scheduler.stop()
    await nothing(context.desk)
    assert await quiet(work) == 0


async def test_moving_the_clock_fires_what_is_due_by_it(context: Context, clock: MovableClock) -> None:
    await opened(context.desk, 3)
    scheduler = Scheduler(context, [Loop("timers", lambda: job.tick(context), timers.next_due, ("timers",))])
    await scheduler.start()
    clock.advance(timedelta(hours=2))
    scheduler.clock_moved()
    await all_breached(context.desk, 3)
    assert await breached(context.desk) == 3
    await scheduler.stop()


async def test_what_became_due_while_nothing_ran_is_done_at_the_start(context: Context, clock: MovableClock) -> None:
    await opened(context.desk, 3)
    clock.advance(timedelta(days=1))
    scheduler = Scheduler(context, [Loop("timers", lambda: job.tick(context), timers.next_due, ("timers",))])
    await scheduler.start()
    await all_breached(context.desk, 3)
    await scheduler.stop()
    case = await context.desk.read(lambda session: session.get_one(Case, 1))
    assert case.response_breached_at == clock.now()
