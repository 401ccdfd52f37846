"""More comes in than can be written: senders are asked to wait, and what was answered with 202 is there."""

from __future__ import annotations

import asyncio
import threading

import pytest
from sqlmodel import Session

from bot.rules.pressure import LONGEST_RETRY
from tests.web.conftest import Door, report


async def test_past_a_limit_senders_wait_and_nothing_that_was_accepted_is_lost(
    plain_door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.rules.pressure.MOST_WAITING", 40)
    goes_on = threading.Event()
    blocked = asyncio.wrap_future(plain_door.desk.database.write(lambda _: goes_on.wait(20)))
    waiting = [asyncio.create_task(plain_door.post(report(f"Refund {number} failed"))) for number in range(40)]
    async with asyncio.timeout(10):
        while plain_door.desk.load().waiting < 40:
            await plain_door.ask("GET", "/healthz")
    late = await plain_door.post([report(f"Late {number}") for number in range(3)])
    assert late.status == 429
    assert 1 <= int(late.headers["Retry-After"]) <= LONGEST_RETRY
    assert "nothing of this was taken in" in late.problem["detail"]
    assert (await plain_door.ask("GET", "/healthz")).status == 200
    goes_on.set()
    await blocked
    answers = await asyncio.gather(*waiting)
    assert {answer.status for answer in answers} == {202}
    assert (await plain_door.accepted())["cases"] == len({answer.json["case"] for answer in answers}) == 40
    assert plain_door.desk.load().waiting == 0
    assert (await plain_door.post(report("And on"))).status == 202


async def test_a_write_that_fails_waits_no_longer(plain_door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(session: Session, *_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr("bot.desk.intake.report_many", fails)
        await asyncio.gather(*(plain_door.post(report(f"Refund {number}")) for number in range(5)))
    assert plain_door.desk.load().waiting == 0
