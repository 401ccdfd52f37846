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
from bot.jobs import prune
from bot.rules.actors import source
from store.models import AuditEntry, Owed, SeenRequest
from tests.conftest import change_in_force

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
    steps: list[int] = []
    desk.on_commit = lambda _: steps.append(1)
    assert await prune.tick(desk) == 1201
    assert len(steps) == 3
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
    assert await prune.tick(desk) == 1


async def test_what_goes_leaves_no_entry(desk: Desk, clock: MovableClock) -> None:
    await _remember(desk, 10, clock.now() - timedelta(days=8))
    entries = await desk.read(_entries)
    await prune.tick(desk)
    assert await desk.read(_entries) == entries


def _entries(session: Session) -> int:
    count: int = session.execute(select(func.count()).select_from(AuditEntry)).scalar_one()
    return count


async def test_the_policy_says_how_long(sqlite_desk: Desk, clock: MovableClock, policy_files: dict[str, str]) -> None:
    kept = "defaults:\n  retention: {messages: 2d, requests: 60d}\n"
    files = policy_files | {"team.yml": policy_files["team.yml"].replace("defaults:\n", kept)}
    change_in_force(sqlite_desk.database, files, at=clock.now())
    await _owed(sqlite_desk, "sent", clock.now() - timedelta(days=3))
    await _remember(sqlite_desk, 1, clock.now() - timedelta(days=59))
    assert await prune.tick(sqlite_desk) == 1
    assert await sqlite_desk.read(_keys) == {"old:0"}


async def test_a_direct_message_about_an_open_case_stays_to_be_edited(desk: Desk, clock: MovableClock) -> None:
    await desk.run_joined(intake.report, Submission((REPORT,)))
    old = clock.now() - timedelta(days=31)
    for case_id in (1, None):
        row = {"kind": "page", "key": f"page:{case_id}", "channel": "U0FAY", "state": "sent", "case_id": case_id}
        await _insert(desk, Owed, [{**row, "payload": {}, "created_at": old, "not_before_at": old}])
    assert await prune.tick(desk) == 1
    assert "page:1" in await desk.read(_messages)
