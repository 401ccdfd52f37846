"""Much at once: one card for one failure, and many cards at the pace that Slack takes."""

from __future__ import annotations

import asyncio

import pytest

from bot.sandbox.workspace import Message
from tests.stories.company import BEN, BILLING, FAY, REVOPS
from tests.stories.conftest import on_both_engines
from tests.stories.stage import Stage

SAME = {"workflow": "refund", "failure_mode": "delivery_failed", "title": "Billing does not answer"}
slack_counts = pytest.mark.parametrize("limits", [True], ids=["limits"])


@on_both_engines
async def test_three_hundred_of_the_same_are_one_case_and_one_card(stage: Stage) -> None:
    answers = await asyncio.gather(stage.post([SAME] * 280), *(stage.post(SAME) for _ in range(20)))
    assert {status for status, _ in answers} == {202}
    await stage.settle()
    assert len(stage.cases()) == 1
    (card,) = stage.cards(BILLING)
    assert "seen 300 times" in card.shown
    assert len(stage.slack.called("chat.postMessage")) == 1


@slack_counts
async def test_thirty_different_ones_leave_at_slack_s_pace(stage: Stage) -> None:
    status, _ = await stage.post([SAME | {"title": f"Refund {n} was not taken", "subject": str(n)} for n in range(30)])
    assert status == 202
    await stage.settle()
    assert len(stage.cards(BILLING)) == 30
    assert [call for call in stage.slack.calls if call.status == 429] == []


@slack_counts
async def test_a_page_does_not_stand_behind_the_cards_that_wait(stage: Stage) -> None:
    many = [SAME | {"title": f"Refund {n} was not taken", "subject": str(n)} for n in range(30)]
    await stage.post(many)
    await stage.settle()
    began = stage.clock.now()
    await stage.post(many)
    urgent = {"workflow": "renewal-notice", "failure_mode": "delivery_failed", "title": "No notice for acc_1"}
    await stage.post(urgent)
    await stage.settle()
    (told,) = stage.slack.dms(BEN)
    assert float(told.ts) - began.timestamp() < 5
    assert (stage.clock.now() - began).total_seconds() > 15
    assert all("seen 2 times" in card.shown for card in stage.cards(BILLING))


async def test_a_source_may_not_send_faster_than_its_rate_and_reads_when_to_try_again(stage: Stage) -> None:
    status, problem = await stage.post(SAME, token="not-a-token")
    assert status == 401
    assert "connectors.yml" in problem["detail"]


async def test_a_storm_after_the_case_is_closed_opens_the_next_one(stage: Stage) -> None:
    first = await stage.report(**SAME)
    await stage.type(FAY, f"/case fail {first} billing will not be back today")
    status, answer = await stage.post([SAME] * 50)
    assert status == 202
    await stage.settle()
    assert {result["case"] for result in answer["results"]} == {"C-2"}
    assert len(stage.cards(BILLING)) == 2


@slack_counts
async def test_a_storm_is_some_cards_a_minute_and_one_line_of_how_many_wait(stage: Stage) -> None:
    many = [SAME | {"title": f"Refund {n} was not taken", "subject": str(n), "priority": "P3"} for n in range(44)]
    notices = {"workflow": "renewal-notice", "failure_mode": "schema_drift", "title": "Of no known form"}
    began = stage.clock.now().timestamp()
    await stage.post([*many, SAME | {"title": "The urgent one", "subject": "u", "priority": "P1"}])
    await stage.post([notices | {"dedup_key": f"n-{n}"} for n in range(5)])
    await stage.settle()
    assert "wait" in _storm_lines(stage, BILLING)[0].shown
    await stage.advance(seconds=15)
    cards = stage.cards(BILLING)
    assert (len(cards), len(stage.cards(REVOPS))) == (45, 5)
    assert sum(float(card.ts) - began < 60 for card in cards) <= 40
    assert "The urgent one" in "".join(card.shown for card in cards[:5])
    (line,) = _storm_lines(stage, BILLING)
    assert float(line.ts) < float(cards[-15].ts)
    assert "refund" in line.shown
    assert "are here now" in line.shown
    assert 1 <= len(stage.slack.called("chat.update")) <= 8
    assert _storm_lines(stage, REVOPS) == []


def _storm_lines(stage: Stage, channel: str) -> list[Message]:
    said = stage.slack.messages(channel)
    return [each for each in said if "`/case list" in each.shown or "At most" in each.shown]
