"""Rows that nobody needs any more go, and no others."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, insert, select
from sqlmodel import Session, col

from bot.clock import MovableClock
from bot.desk import intake
from bot.desk.desk import Desk
from bot.desk.intake import Report
from bot.desk.once import Submission
from bot.desk.pruning import prune_messages, prune_requests
from bot.jobs import prune
from bot.rules.actors import SYSTEM, source
from store.models import AuditEntry, Owed, SeenRequest

REPORT = Report(by=source("monitors"), workflow="refund", title="Refund R-1 failed")


async def _remember(desk: Desk, count: int, at: datetime, name: str = "old") -> None:
    rows = [{"key": f"{name}:{number}", "at": at, "digest": "", "answer": None} for number in range(count)]
    await _insert(desk, SeenRequest, rows)


async def _owed(desk: Desk, state: str, at: datetime) -> None:
    row = {"kind": "line", "key": f"{state}:{at}", "channel": "C0OPS", "state": state}
    await _insert(desk, Owed, [{**row, "payload": {}, "created_at": at, "not_before_at": at}])


async def _insert(desk: Desk, model: Any, rows: list[dict[str, Any]]) -> None:
    def work(session: Session) -> None:
        session.execute(insert(model), rows)

    await asyncio.wrap_future(desk.database.write(work))


def _keys(session: Session) -> set[str]:
    return set(session.execute(select(col(SeenRequest.key))).scalars())


def _messages(session: Session) -> set[str]:
    return set(session.execute(select(col(Owed.key))).scalars())


async def test_requests_are_kept_for_seven_days(desk: Desk, clock: MovableClock) -> None:
    now = clock.now()
    await _remember(desk, 1, now - timedelta(days=7, seconds=1), "over")
    await _remember(desk, 1, now - timedelta(days=7), "just")
    assert await prune.tick(desk) == 1
    assert await desk.read(_keys) == {"just:0"}


async def test_thousands_go_in_small_steps(desk: Desk, clock: MovableClock) -> None:
    await _remember(desk, 1201, clock.now() - timedelta(days=8))
    assert await desk.run(prune_requests, 500, actor=SYSTEM) == 500
    assert await prune.tick(desk) == 701
    assert await prune.tick(desk) == 0


async def test_a_repeat_is_answered_as_the_first_until_its_request_goes(desk: Desk, clock: MovableClock) -> None:
    submission = Submission((REPORT,), key="exceptions:monitors:k-1", digest="d")
    first = await desk.run_joined(intake.report, submission)
    clock.advance(timedelta(days=6))
    await prune.tick(desk)
    assert await desk.run_joined(intake.report, submission) == first
    clock.advance(timedelta(days=2))
    await prune.tick(desk)
    [again] = await desk.run_joined(intake.report, submission)  # type: ignore[misc]
    assert again.occurrence == 2


async def test_messages_that_left_or_need_not_go_after_thirty_days(desk: Desk, clock: MovableClock) -> None:
    old, recent = clock.now() - timedelta(days=31), clock.now() - timedelta(days=29)
    states = ("dead", "owed", "sending", "sent", "cancelled")
    for at in (old, recent):
        for state in states:
            await _owed(desk, state, at)
    assert await prune.tick(desk) == 2
    kept = {f"{state}:{recent}" for state in states} | {f"{state}:{old}" for state in ("dead", "owed", "sending")}
    assert await desk.read(_messages) == kept


async def test_messages_all_old_go_too(desk: Desk, clock: MovableClock) -> None:
    await _owed(desk, "sent", clock.now() - timedelta(days=31))
    assert await desk.run(prune_messages, 500, actor=SYSTEM) == 1


async def test_what_goes_leaves_no_entry(desk: Desk, clock: MovableClock) -> None:
    await _remember(desk, 10, clock.now() - timedelta(days=8))
    entries = await desk.read(_entries)
    await prune.tick(desk)
    assert await desk.read(_entries) == entries


def _entries(session: Session) -> int:
    count: int = session.execute(select(func.count()).select_from(AuditEntry)).scalar_one()
    return count
