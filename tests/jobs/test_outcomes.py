"""The loop that notices outcomes that stay away: claims by lease, takes over, overlooks nothing, in time with many."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update
from sqlmodel import col

from bot.clock import MovableClock
from bot.context import Context
from bot.desk import missing, outcomes, settling
from bot.desk.desk import Desk
from bot.desk.missing import CLAIM_LEASE
from bot.desk.once import Submission
from bot.desk.outcomes import Came, Landed, Taken
from bot.desk.policies import Policies
from bot.desk.tx import Tx
from bot.jobs import outcomes as job
from bot.rules.actors import SYSTEM, TIMER, source
from bot.settings import Settings
from store import audit
from store.contract_models import Expected, OutcomeCame, Trigger
from store.database import Database
from store.models import Case, Event
from store.rows import insert_rows
from tests.conftest import put_in_force

WINDOW = timedelta(minutes=10)
"""In which a refund's outcome has to come."""


def context_of(desk: Desk, clock: MovableClock) -> Context:
    return Context(desk, clock, desk.policies, Settings())


@pytest.fixture
def context(desk: Desk, clock: MovableClock) -> Context:
    return context_of(desk, clock)


def _write(tx: Tx, numbers: Sequence[int]) -> None:
    events = [
        {"id": n, "workflow": "refund", "digest": str(n), "content": {"refund_id": f"re_{n}"}, "received_at": tx.now}
        for n in numbers
    ]
    triggers = [
        {
            "event_id": n,
            "workflow": "refund",
            "identity": f"re_{n}",
            "digest": str(n),
            "received_at": tx.now,
            "source": "monitors",
            "subject": f"cus_{n}",
            "state": "delivered",
            "policy_digest": tx.policy.digest,
            "contract_version": 1,
            "last_seen_at": tx.now,
        }
        for n in numbers
    ]
    insert_rows(tx.session, Event, events)
    insert_rows(tx.session, Trigger, triggers)


async def came(desk: Desk, numbers: Sequence[int]) -> None:
    """Refunds came in."""
    await desk.run(_write, numbers, actor=SYSTEM)


async def delivered(desk: Desk, numbers: Sequence[int], *, workflow: str = "refund") -> None:
    """Events were taken by their receiver."""

    def end(tx: Tx, these: Sequence[int]) -> None:
        outcomes.expect(tx, [Landed(n, workflow, tx.policy) for n in these])

    await desk.run(end, numbers, actor=SYSTEM)


async def called_back(desk: Desk, number: int, state: str = "completed") -> Taken:
    content = {"refund_id": f"re_{number}", "state": state}
    answer = await desk.run_joined(outcomes.take, Submission((Came(source("monitors"), "refund", content),)))
    assert isinstance(answer, tuple)
    return answer[0]


async def expected(desk: Desk) -> dict[str, int]:
    """How many events there are in each state of waiting."""
    states = select(col(Expected.state), func.count()).group_by(col(Expected.state))
    return await desk.read(lambda session: {state: count for state, count in session.execute(states)})


async def cases(desk: Desk) -> int:
    counted = select(func.count()).select_from(Case)
    return await desk.read(lambda session: int(session.execute(counted).scalar_one()))


async def test_nothing_is_missed_before_its_time(context: Context, clock: MovableClock) -> None:
    await came(context.desk, [1])
    await delivered(context.desk, [1])
    clock.advance(WINDOW - timedelta(seconds=1))
    assert await job.tick(context) == 0
    assert await context.desk.read(missing.next_due) == clock.now() + timedelta(seconds=1)
    clock.advance(timedelta(seconds=1))
    assert await job.tick(context) == 1
    assert await context.desk.read(missing.next_due) is None


async def test_looking_for_what_is_due_writes_nothing(context: Context) -> None:
    await came(context.desk, [1])
    await delivered(context.desk, [1])
    commits = []
    context.desk.on_commit = lambda _: commits.append(1)
    assert await job.tick(context) == 0
    assert commits == []


async def test_what_is_claimed_is_taken_over_when_the_lease_ends(context: Context, clock: MovableClock) -> None:
    await came(context.desk, [1])
    await delivered(context.desk, [1])
    clock.advance(WINDOW)
    assert len(await context.desk.run(missing.claim_due, 10, actor=TIMER)) == 1
    assert await job.tick(context) == 0  # the one who claimed it may still be at it
    clock.advance(CLAIM_LEASE)
    assert await job.tick(context) == 1


async def test_one_whose_outcome_came_meanwhile_is_left_alone(context: Context, clock: MovableClock) -> None:
    await came(context.desk, [1])
    await delivered(context.desk, [1])
    clock.advance(WINDOW)
    due = await context.desk.run(missing.claim_due, 10, actor=TIMER)
    await called_back(context.desk, 1)
    assert (await context.desk.run(missing.miss, due, actor=TIMER)).count == 0
    assert await cases(context.desk) == 0


async def test_replicas_share_what_is_due_and_nothing_is_a_case_twice(desk: Desk, clock: MovableClock) -> None:
    await came(desk, range(1, 601))
    await delivered(desk, range(1, 601))
    clock.advance(WINDOW)
    replicas = [context_of(Desk(desk.database, clock, desk.policies), clock) for _ in range(4)]
    assert sum(await asyncio.gather(*(job.tick(replica) for replica in replicas))) == 600
    assert (await cases(desk), await expected(desk)) == (600, {"missing": 600})
    assert await desk.read(lambda session: list(audit.verify(session))) == []


async def test_an_outcome_that_was_kept_while_the_delivery_ended_is_not_missed(
    context: Context, clock: MovableClock
) -> None:
    """Both were written at the same moment, before there was an event to lock: neither saw the other."""
    await came(context.desk, [1])
    assert (await called_back(context.desk, 1)).status == "early"
    hide = update(OutcomeCame).values(key="elsewhere")
    await context.desk.run(lambda tx, _: tx.session.execute(hide).close(), None, actor=SYSTEM)
    await delivered(context.desk, [1])
    show = update(OutcomeCame).values(key="re_1")
    await context.desk.run(lambda tx, _: tx.session.execute(show).close(), None, actor=SYSTEM)
    clock.advance(WINDOW)
    assert await job.tick(context) == 0
    assert (await cases(context.desk), await expected(context.desk)) == (0, {"done": 1})


async def test_an_outcome_and_the_end_of_its_delivery_at_once_find_each_other(desk: Desk, clock: MovableClock) -> None:
    numbers = range(1, 41)
    await came(desk, numbers)
    other = Desk(desk.database, clock, desk.policies)
    both = [work for n in numbers for work in (called_back(desk, n), delivered(other, [n]))]
    await asyncio.gather(*both)
    assert await expected(desk) == {"done": 40}


async def test_one_that_cannot_become_a_case_holds_up_no_other(
    context: Context, clock: MovableClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await came(context.desk, [1, 2, 3])
    await delivered(context.desk, [1, 2, 3])
    clock.advance(WINDOW)
    said = settling.missing

    def breaks(waits: settling.Awaited, *rest: Any) -> Any:
        if waits.event_id == 2:
            raise LookupError("its policy is gone")
        return said(waits, *rest)

    monkeypatch.setattr("bot.desk.missing.missing", breaks)
    assert await job.tick(context) == 2
    assert "could not become a case and was put off" in caplog.text
    monkeypatch.undo()
    clock.advance(CLAIM_LEASE)
    assert await job.tick(context) == 1


async def test_a_window_in_business_time_runs_in_the_hours_of_the_role_that_a_missing_outcome_goes_to(
    sqlite_database: Database, clock: MovableClock, policy_files: dict[str, str]
) -> None:
    file = "workflows/renewal-notice.yml"
    contract = policy_files[file].replace("within: 15m", "within: 3bh")
    put_in_force(sqlite_database, policy_files | {file: contract}, at=clock.now())
    desk = Desk(sqlite_database, clock, Policies())
    await came(desk, [1])
    await delivered(desk, [1], workflow="renewal-notice")
    assert await desk.read(missing.next_due) == clock.now() + timedelta(hours=4)  # from 10:00 in Berlin, over lunch


async def test_a_thousand_that_pass_in_one_second_are_cases_and_the_others_wait(
    sqlite_desk: Desk, clock: MovableClock
) -> None:
    for start in range(1, 20_001, 5_000):
        await came(sqlite_desk, range(start, start + 5_000))
    await delivered(sqlite_desk, range(1, 1_001))
    clock.advance(timedelta(seconds=30))
    for start in range(1_001, 20_001, 1_900):
        await delivered(sqlite_desk, range(start, start + 1_900))
    clock.advance(WINDOW - timedelta(seconds=30))
    assert await job.tick(context_of(sqlite_desk, clock)) == 1_000
    assert await expected(sqlite_desk) == {"missing": 1_000, "waiting": 19_000}
