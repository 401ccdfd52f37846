"""Two services on one PostgreSQL, none of them the leader: everything happens once."""

from __future__ import annotations

import asyncio

import pytest

from tests.stories.company import BEN, BILLING, FAY, GUS
from tests.stories.stage import Stage

LOST = {"failure_mode": "outcome_missing", "title": "No callback for refund re_1"}
pytestmark = pytest.mark.parametrize("engine_name", ["postgres"], indirect=True)


@pytest.fixture
async def stage(stage: Stage) -> Stage:
    """A stage on which two services run."""
    await stage.start()
    return stage


async def test_one_card_and_each_telling_once(stage: Stage) -> None:
    ref = await stage.report(**LOST)
    await stage.advance(minutes=50)
    assert len(stage.cards(BILLING)) == 1
    assert (len(stage.dms(FAY)), len(stage.dms(BEN))) == (1, 1)
    keys = stage.keys()
    assert len(keys) == len(set(keys))
    assert len(stage.thread(ref)) == 5
    assert stage.actions(ref).count("case.escalated") == 2
    assert stage.broken() == []


async def test_the_same_failure_reported_to_both_is_one_case(stage: Stage) -> None:
    body = {"workflow": "refund", "title": "Billing does not answer"}
    headers = {"Authorization": "Bearer token-of-monitors"}

    async def send(url: str) -> int:
        async with stage.http.post(f"{url}/v1/exceptions", json=body, headers=headers) as response:
            return response.status

    urls = [watch.service.url for watch in stage.watches]
    assert set(await asyncio.gather(*(send(url) for url in urls * 15))) == {202}
    await stage.settle()
    (case,) = stage.cases()
    assert case.occurrences == 30
    assert len(stage.cards(BILLING)) == 1


async def test_clicks_that_reach_both_are_won_by_one(stage: Stage) -> None:
    ref = await stage.report(**LOST)
    card = stage.card(ref)
    clicks = []
    for user, watch in zip((FAY, GUS), stage.watches, strict=True):
        stage.slack.request_url = f"{watch.service.url}/slack/events"
        clicks.append(asyncio.ensure_future(stage.slack.click(user, card, text="Acknowledge")))
        await asyncio.sleep(0)
    assert all(reply.ok for reply in await asyncio.gather(*clicks))
    await stage.settle()
    assert stage.actions(ref).count("case.acknowledged") == 1
    assert sorted([stage.told(FAY), stage.told(GUS)], key=lambda told: "was taken by" in told)[1].startswith("C-1 was")
