"""Failing on purpose, and Slack's rate limits."""

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError

from bot.sandbox.workspace import SlackStandIn

from .conftest import ADA, PUBLIC, REVOPS, Time, build, client_of


async def test_next_calls_fail_as_told_and_then_work(slack: SlackStandIn) -> None:
    client = client_of(slack)
    slack.faults.fail_next("chat.postMessage", "channel_not_found", times=2)
    for _ in range(2):
        with pytest.raises(SlackApiError, match="channel_not_found"):
            await client.chat_postMessage(channel=REVOPS, text="x")
    await client.chat_postMessage(channel=REVOPS, text="x")
    assert len(slack.messages(REVOPS)) == 1
    assert [call.answer["ok"] for call in slack.called("chat.postMessage")] == [False, False, True]


async def test_injected_rate_limit_says_when_to_come_back(slack: SlackStandIn) -> None:
    slack.faults.fail_next("*", "ratelimited", retry_after=7)
    with pytest.raises(SlackApiError) as refused:
        await client_of(slack).auth_test()
    assert refused.value.response.status_code == 429
    assert refused.value.response.headers["Retry-After"] == "7"


async def test_down_is_500_for_everything(slack: SlackStandIn) -> None:
    slack.faults.down()
    with pytest.raises(SlackApiError) as refused:
        await client_of(slack).chat_postMessage(channel=REVOPS, text="x")
    assert refused.value.response.status_code == 500
    slack.faults.down(False)
    assert (await client_of(slack).auth_test())["ok"]


async def test_cut_after_the_work_leaves_the_message(slack: SlackStandIn) -> None:
    slack.faults.drop_after("chat.postMessage")
    with pytest.raises(aiohttp.ClientError):
        await client_of(slack).chat_postMessage(channel=REVOPS, text="x")
    assert len(slack.messages(REVOPS)) == 1
    assert slack.calls[-1].status == 0


async def test_cut_before_the_work_leaves_nothing(slack: SlackStandIn) -> None:
    slack.faults.drop_before("chat.postMessage")
    with pytest.raises(aiohttp.ClientError):
        await client_of(slack).chat_postMessage(channel=REVOPS, text="x")
    assert slack.messages(REVOPS) == []


async def test_post_to_one_channel_is_limited_to_one_a_second(time: Time) -> None:
    async with build(time, limits=True) as slack:
        client = client_of(slack)
        for _ in range(5):
            await client.chat_postMessage(channel=REVOPS, text="burst")
        with pytest.raises(SlackApiError) as refused:
            await client.chat_postMessage(channel=REVOPS, text="one more")
        assert refused.value.response["error"] == "ratelimited"
        assert refused.value.response.headers["Retry-After"] == "1"
        await client.chat_postMessage(channel=ADA, text="another channel is free")
        time.at += 1
        await client.chat_postMessage(channel=REVOPS, text="one more")


async def test_updates_are_limited_for_the_whole_workspace(time: Time) -> None:
    async with build(time, limits=True) as slack:
        client = client_of(slack)
        await client.conversations_join(channel=PUBLIC)
        posted = [await client.chat_postMessage(channel=channel, text="x") for channel in (REVOPS, PUBLIC)]
        for number in range(50):
            card = posted[number % 2]
            await client.chat_update(channel=card["channel"], ts=card["ts"], text=str(number))
        with pytest.raises(SlackApiError, match="ratelimited"):
            await client.chat_update(channel=REVOPS, ts=posted[0]["ts"], text="51")
        time.at += 2
        await client.chat_update(channel=REVOPS, ts=posted[0]["ts"], text="51")


async def test_until_waits_for_a_change(slack: SlackStandIn) -> None:
    with pytest.raises(TimeoutError):
        await slack.until(lambda: slack.messages(REVOPS), timeout=0.01)
    await slack.post(ADA, REVOPS, "now")
    assert (await slack.until(lambda: slack.messages(REVOPS)))[0].text == "now"
