"""Edits of direct messages: one for many changes, none missed while a message is on its way, never before a page."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlmodel import Session, col

from bot.clock import MovableClock
from bot.desk import cases, intake
from bot.desk.commands import Acknowledge, SetPriority
from bot.desk.desk import Desk
from bot.desk.intake import Report
from bot.desk.once import Submission
from bot.desk.outbox import Claimed
from bot.desk.pages import shown
from bot.desk.telling import direct
from bot.jobs.outbox import Outbox
from bot.rules.actors import SYSTEM, person, source
from bot.rules.saying import What
from store.models import Case, Owed

KINDS = ("card", "line", "notice", "page", "page_update")
ADA = person("U0ADA")


class Post:
    """A sender that keeps what it sent; `while_sending` is awaited while a page or an edit of one is on its way."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.sent: list[Claimed] = []
        self.while_sending: Any = None

    async def __call__(self, message: Claimed) -> Mapping[str, Any]:
        self.sent.append(message)
        place = {"channel": message.channel, "ts": f"1.{len(self.sent)}"}
        if not message.kind.startswith("page"):
            return place | ({"ts": f"0.{message.case_id}"} if message.kind == "card" else {})
        case = await self._desk.read(lambda session: session.get_one(Case, message.case_id))
        if self.while_sending:
            doing, self.while_sending = self.while_sending, None
            await doing()
        return {"channel": "D1", "ts": message.payload.get("ts", place["ts"]), "shown": shown(case)}

    @property
    def kinds(self) -> list[str]:
        return [message.kind for message in self.sent]


@pytest.fixture
def post(desk: Desk) -> Post:
    return Post(desk)


@pytest.fixture
def outbox(desk: Desk, clock: MovableClock, post: Post) -> Outbox:
    return Outbox(desk, clock, dict.fromkeys(KINDS, post))


async def opened(desk: Desk, title: str = "It failed") -> int:
    report = Report(by=source("monitors"), workflow="lead-routing", failure_mode="other", title=title)
    [reported] = await desk.run_joined(intake.report, Submission((report,)))  # type: ignore[misc]
    return int(reported.case.removeprefix("C-"))


async def tell(desk: Desk, case_id: int) -> None:
    await desk.run(
        lambda tx, _: direct(tx, tx.session.get_one(Case, case_id), "U0BEN", What.ESCALATED), None, actor=SYSTEM
    )


async def acknowledge(desk: Desk, case_id: int) -> None:
    await desk.run(cases.acknowledge, Acknowledge(case_id), actor=ADA)


async def is_true(desk: Desk, case_id: int) -> bool:
    def query(session: Session) -> bool:
        mine = select(col(Owed.result)).where(col(Owed.kind) == "page", col(Owed.case_id) == case_id)
        result = session.execute(mine).scalar_one() or {}
        return bool(result["shown"] == shown(session.get_one(Case, case_id)))

    return await desk.read(query)


async def test_many_changes_are_one_edit(desk: Desk, outbox: Outbox, post: Post) -> None:
    case_id = await opened(desk)
    await outbox.drain()
    await tell(desk, case_id)
    await outbox.drain()
    for priority in ("P1", "P3", "P4"):
        await desk.run(cases.set_priority, SetPriority(case_id, priority), actor=ADA)
    await outbox.drain()
    assert post.kinds.count("page_update") == 1
    assert await is_true(desk, case_id)


@pytest.mark.parametrize("on_its_way", ["page", "page_update"])
async def test_a_change_while_it_is_on_its_way_is_not_missed(
    desk: Desk, outbox: Outbox, post: Post, on_its_way: str
) -> None:
    case_id = await opened(desk)
    await outbox.drain()
    await tell(desk, case_id)
    if on_its_way == "page_update":
        await outbox.drain()
        await desk.run(cases.set_priority, SetPriority(case_id, "P1"), actor=ADA)
    post.while_sending = lambda: acknowledge(desk, case_id)
    await outbox.drain()
    assert post.kinds.count("page_update") == (1 if on_its_way == "page" else 2)
    assert await is_true(desk, case_id)


async def test_a_change_and_back_while_an_edit_is_on_its_way_is_not_missed(
    desk: Desk, outbox: Outbox, post: Post
) -> None:
    case_id = await opened(desk)
    await outbox.drain()
    await tell(desk, case_id)
    await outbox.drain()
    before = await desk.read(lambda session: session.get_one(Case, case_id).priority)
    await desk.run(cases.set_priority, SetPriority(case_id, "P1"), actor=ADA)
    post.while_sending = lambda: desk.run(cases.set_priority, SetPriority(case_id, before), actor=ADA)
    await outbox.drain()
    assert await is_true(desk, case_id)


async def test_the_page_and_the_click_that_meet_leave_a_true_message(
    desk: Desk, outbox: Outbox, clock: MovableClock
) -> None:
    for number in range(8):
        case_id = await opened(desk, f"It failed {number}")
        await tell(desk, case_id)
        await asyncio.gather(outbox.drain(), acknowledge(desk, case_id))
        clock.advance(timedelta(minutes=1))
        await outbox.drain()
        assert await is_true(desk, case_id)


async def test_a_page_leaves_before_every_edit_of_one(desk: Desk, outbox: Outbox, post: Post) -> None:
    first = await opened(desk)
    await outbox.drain()
    await tell(desk, first)
    await outbox.drain()
    await acknowledge(desk, first)
    await tell(desk, first)
    del post.sent[:]
    await outbox.drain()
    assert post.kinds[0] == "page"
    assert post.kinds[-1] == "page_update"
