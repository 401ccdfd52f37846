"""The loop that fires timers: claims by lease, takes over, survives a restart, and forgets nothing."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update
from sqlmodel import col

from bot.clock import MovableClock
from bot.context import Context
from bot.desk import clocks, escalations, intake, timers
from bot.desk.desk import Desk
from bot.desk.intake import Report
from bot.desk.once import Submission
from bot.desk.policies import Policies
from bot.desk.timers import CLAIM_LEASE
from bot.jobs import timers as job
from bot.rules.actors import TIMER, source
from bot.settings import Settings
from store import audit
from store.models import Case, Owed, Timer

HOUR = timedelta(hours=1)


def context_of(desk: Desk, clock: MovableClock) -> Context:
    return Context(desk, clock, desk.policies, Settings())


@pytest.fixture
def context(desk: Desk, clock: MovableClock) -> Context:
    return context_of(desk, clock)


async def opened(desk: Desk, count: int = 1) -> None:
    """P2 cases: due to be acknowledged in two hours."""
    reports = tuple(
        Report(by=source("monitors"), workflow="lead-routing", failure_mode="other", title=f"Lead {number} is lost")
        for number in range(count)
    )
    await desk.run_joined(intake.report, Submission(reports))


async def breached(desk: Desk) -> int:
    passed = select(func.count()).where(col(Case.response_breached_at).is_not(None))
    return await desk.read(lambda session: int(session.execute(passed).scalar_one()))


async def test_nothing_is_fired_before_its_time(context: Context, clock: MovableClock) -> None:
    await opened(context.desk)
    assert await job.tick(context) == 0
    due_at = await context.desk.read(timers.next_due)
    assert due_at == clock.now() + HOUR  # the first reminder
    clock.advance(HOUR)
    assert await job.tick(context) == 1


async def test_looking_for_what_is_due_writes_nothing(context: Context) -> None:
    await opened(context.desk)
    commits = []
    context.desk.on_commit = lambda _: commits.append(1)
    assert await job.tick(context) == 0
    assert commits == []


async def test_what_was_due_while_the_process_was_down_is_fired_at_the_next_start(
    desk: Desk, clock: MovableClock
) -> None:
    await opened(desk, 5)
    clock.advance(timedelta(days=2))
    restarted = Desk(desk.database, clock, Policies())
    assert await job.tick(context_of(restarted, clock)) >= 10
    assert await breached(desk) == 5


async def test_what_is_claimed_is_taken_over_when_the_lease_ends(context: Context, clock: MovableClock) -> None:
    await opened(context.desk)
    clock.advance(2 * HOUR)
    assert len(await context.desk.run(timers.claim_due, 10, actor=TIMER)) == 1
    assert await job.tick(context) == 0  # the one who claimed it may still be at it
    clock.advance(CLAIM_LEASE)
    assert await job.tick(context) == 1
    assert await breached(context.desk) == 1


async def test_replicas_share_what_is_due_and_nothing_is_done_twice(desk: Desk, clock: MovableClock) -> None:
    await opened(desk, 600)
    clock.advance(2 * HOUR)
    replicas = [context_of(Desk(desk.database, clock, desk.policies), clock) for _ in range(4)]
    assert sum(await asyncio.gather(*(job.tick(replica) for replica in replicas))) == 600
    pages = select(func.count()).where(col(Owed.kind) == "page")
    assert await desk.read(lambda session: session.execute(pages).scalar_one()) == 600


async def test_one_that_fired_it_already_leaves_the_late_one_nothing(context: Context, clock: MovableClock) -> None:
    await opened(context.desk)
    clock.advance(2 * HOUR)
    late = await context.desk.run(timers.claim_due, 10, actor=TIMER)
    clock.advance(CLAIM_LEASE)
    await job.tick(context)
    assert (await context.desk.run(escalations.fire, late, actor=TIMER)).count == 0


async def test_two_thousand_that_are_due_at_once_all_fire(sqlite_desk: Desk, clock: MovableClock) -> None:
    await opened(sqlite_desk, 1_000)
    clock.advance(timedelta(days=3))  # both windows of each have passed
    assert await job.tick(context_of(sqlite_desk, clock)) == 2_000
    assert await breached(sqlite_desk) == 1_000
    left = select(func.count()).where(col(Timer.due_at) <= clock.now())
    assert await sqlite_desk.read(lambda session: session.execute(left).scalar_one()) == 0


async def test_a_timer_of_a_case_whose_policy_cannot_be_read_is_put_off_and_logged(
    context: Context, clock: MovableClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await opened(context.desk, 3)
    clock.advance(2 * HOUR)
    fails = {1}

    def breaks(tx: object, case: Case, kind: str) -> object:
        if case.id in fails:
            raise LookupError("its policy is gone")
        return ladder(tx, case, kind)

    ladder: Any = clocks.ladder
    monkeypatch.setattr("bot.desk.clocks.ladder", breaks)
    assert await job.tick(context) == 2
    assert "a timer could not be fired and was put off" in caplog.text
    fails.clear()
    clock.advance(timedelta(seconds=2))
    assert await job.tick(context) == 1
    assert await breached(context.desk) == 3


async def test_the_chains_hold_after_a_busy_day(context: Context, clock: MovableClock) -> None:
    await opened(context.desk, 50)
    for _ in range(24):
        clock.advance(HOUR)
        await job.tick(context)
    assert await context.desk.read(lambda session: list(audit.verify(session))) == []


async def test_a_timer_that_stands_still_is_never_due(context: Context, clock: MovableClock) -> None:
    await opened(context.desk)
    await context.desk.run(
        lambda tx, _: tx.session.execute(update(Timer).values(due_at=None)).close(), None, actor=TIMER
    )
    clock.advance(timedelta(days=300))
    assert await context.desk.read(timers.next_due) is None
    assert await job.tick(context) == 0
