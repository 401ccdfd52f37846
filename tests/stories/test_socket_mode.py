"""The same by Socket Mode: the service connects to Slack, needs no address, and connects again by itself."""

from __future__ import annotations

import pytest

from bot.sandbox.workspace import BOT_USER
from tests.stories.company import FAY, SUPPORT, ZOE
from tests.stories.stage import Stage

pytestmark = pytest.mark.parametrize("socket_mode", [True], ids=["socket"])


async def test_a_case_from_its_opening_to_its_end(stage: Stage) -> None:
    assert stage.slack.request_url is None
    ref = await stage.report(failure_mode="outcome_missing", event={"refund_id": "re_1"})
    stage.completes("re_1")
    await stage.advance(minutes=16)
    await stage.press_in_dm(FAY, "Acknowledge")
    assert "You have it now, until" in stage.told(FAY)
    assert "In progress" in await stage.type(ZOE, f"/case show {ref}")
    await stage.press(FAY, "Resolve", on=ref)
    wrong = await stage.fill_in(ZOE, reason="fixed") if stage.slack.views(ZOE) else None
    assert wrong is None
    assert (await stage.fill_in(FAY, reason="fixed")).ok
    assert stage.case(ref).state == "resolved"


async def test_a_thread_becomes_a_case(stage: Stage) -> None:
    root = await stage.say(ZOE, SUPPORT, "A customer was charged twice.")
    await stage.say(ZOE, SUPPORT, f"<@{BOT_USER}> open Charged twice", thread=root.ts)
    assert stage.card("C-1").thread_ts == root.ts


async def test_a_connection_that_slack_ends_is_made_again(stage: Stage) -> None:
    ref = await stage.report()
    await stage.slack.sockets.disconnect("refresh_requested")
    await stage.slack.until(lambda: stage.slack.sockets.connected, timeout=15)
    await stage.press(FAY, "Acknowledge", on=ref)
    assert stage.case(ref).acknowledged_by == FAY
