"""How events and interactions reach the app: signatures, retries, Socket Mode, what is in the payloads."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.workspace import AppSettings, SlackStandIn

from .conftest import (
    ADA,
    BEN,
    PUBLIC,
    REVOPS,
    SHARED,
    STRANGER,
    HttpApp,
    Time,
    build,
    button,
    card,
    client_of,
)  # fmt: skip


async def ignore() -> None:
    """A listener that only acknowledges."""


def listen(bolt: AsyncApp) -> list[dict[str, Any]]:
    """Keep the bodies of all events that the stand-in can send."""
    seen: list[dict[str, Any]] = []

    async def keep(body: dict[str, Any]) -> None:
        seen.append(body)

    for name in ("message", "app_mention", "reaction_added", "member_joined_channel", "app_home_opened"):
        bolt.event(name)(keep)
    return seen


async def test_request_is_signed_with_the_secret(slack: SlackStandIn, bolt: AsyncApp, http_app: HttpApp) -> None:
    bolt.event("message")(ignore)
    await slack.post(ADA, REVOPS, "hello ✓")
    await slack.settle()
    headers = {name.lower(): value for name, value in http_app.headers[0].items()}
    assert SignatureVerifier(slack.app.signing_secret).is_valid_request(http_app.bodies[0], headers)
    assert not SignatureVerifier("another secret").is_valid_request(http_app.bodies[0], headers)


async def test_event_is_retried_three_times_with_its_id(slack: SlackStandIn, http_app: HttpApp) -> None:
    http_app.fail_with = [500, 500, 500, 500, 500]
    await slack.post(ADA, REVOPS, "hello")
    await slack.settle()
    numbers = [headers.get("X-Slack-Retry-Num") for headers in http_app.headers]
    assert numbers == [None, "1", "2", "3"]
    assert http_app.headers[1]["X-Slack-Retry-Reason"] == "http_error"
    assert len({json.loads(body)["event_id"] for body in http_app.bodies}) == 1


async def test_retry_ends_when_the_app_answers(slack: SlackStandIn, bolt: AsyncApp, http_app: HttpApp) -> None:
    bolt.event("message")(ignore)
    http_app.fail_with = [503]
    await slack.post(ADA, REVOPS, "hello")
    await slack.settle()
    assert [attempt for _, attempt, _ in slack.delivery.attempts] == [0, 1]


async def test_click_is_never_retried(slack: SlackStandIn, client: AsyncWebClient, http_app: HttpApp) -> None:
    ts = (await client.chat_postMessage(channel=REVOPS, text="x", blocks=card(button("Go", "go"))))["ts"]
    await slack.settle()
    http_app.fail_with, http_app.bodies = [500], []
    reply = await slack.click(ADA, channel=REVOPS, ts=ts, text="Go")
    assert not reply.ok
    assert len(http_app.bodies) == 1


async def test_app_that_does_not_answer_in_time_is_told_to_the_person(time: Time) -> None:
    async with build(time, ack_seconds=0.05) as slack:
        ts = (await client_of(slack).chat_postMessage(channel=REVOPS, text="x", blocks=card(button("Go", "go"))))["ts"]
        silent = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
        slack.request_url = f"http://127.0.0.1:{silent.sockets[0].getsockname()[1]}/"
        reply = await slack.click(ADA, channel=REVOPS, ts=ts, text="Go")
        assert reply.error == "The app did not answer in time"
        silent.close()


async def test_event_says_where_it_comes_from(slack: SlackStandIn, bolt: AsyncApp, http_app: HttpApp) -> None:
    seen = listen(bolt)
    await slack.post(STRANGER, SHARED, "hello from outside")
    await slack.settle()
    assert seen[0]["is_ext_shared_channel"]
    assert seen[0]["team_id"] == slack.workspace.team.id
    assert seen[0]["event"]["team"] == "T0OTHER"
    assert seen[0]["authorizations"][0]["user_id"] == slack.app.bot_user


async def test_strangers_click_carries_their_own_team(
    slack: SlackStandIn, client: AsyncWebClient, http_app: HttpApp
) -> None:
    ts = (await client.chat_postMessage(channel=SHARED, text="x", blocks=card(button("Go", "go"))))["ts"]
    await slack.settle()
    http_app.bodies.clear()
    await slack.click(STRANGER, channel=SHARED, ts=ts, text="Go")
    assert "T0OTHER" in http_app.bodies[0]


@pytest.mark.usefixtures("http_app")
async def test_channels_without_the_bot_are_not_heard(slack: SlackStandIn, bolt: AsyncApp) -> None:
    seen = listen(bolt)
    await slack.post(ADA, PUBLIC, f"<@{slack.app.bot_user}> hello?")
    await slack.join(BEN, PUBLIC)
    await slack.join(slack.app.bot_user, PUBLIC)
    await slack.settle()
    assert [(body["event"]["type"], body["event"]["user"]) for body in seen] == [
        ("member_joined_channel", slack.app.bot_user)
    ]


@pytest.mark.usefixtures("http_app")
async def test_edits_deletions_reactions_and_the_home_are_heard(slack: SlackStandIn, bolt: AsyncApp) -> None:
    seen = listen(bolt)
    message = await slack.post(ADA, REVOPS, "hello")
    await slack.settle()
    for act in (
        slack.edit(ADA, REVOPS, message.ts, "hello!"),
        slack.react(BEN, REVOPS, message.ts, "eyes"),
        slack.delete(ADA, REVOPS, message.ts),
        slack.open_home(BEN),
    ):
        await act
        await slack.settle()
    kinds = [body["event"].get("subtype") or body["event"]["type"] for body in seen]
    assert kinds == ["message", "message_changed", "reaction_added", "message_deleted", "app_home_opened"]
    assert seen[1]["event"]["previous_message"]["text"] == "hello"
    assert seen[2]["event"]["item"] == {"type": "message", "channel": REVOPS, "ts": message.ts}


async def test_events_not_subscribed_to_are_not_sent(time: Time) -> None:
    async with build(time, app=AppSettings(events=frozenset({"reaction_added"}))) as slack:
        slack.request_url = "http://127.0.0.1:9/"
        await slack.post(ADA, REVOPS, "hello")
        await slack.settle()
        assert not slack.delivery.attempts


async def test_socket_needs_the_app_token(slack: SlackStandIn) -> None:
    with pytest.raises(SlackApiError, match="not_allowed_token_type"):
        await client_of(slack).apps_connections_open(app_token=slack.app.bot_token)
    with pytest.raises(SlackApiError, match="invalid_auth"):
        await client_of(slack).apps_connections_open(app_token="xapp-other")


async def test_each_envelope_goes_to_one_connection(slack: SlackStandIn, client: AsyncWebClient) -> None:
    async with aiohttp.ClientSession() as session:
        sockets = [await connect(slack, client, session) for _ in range(2)]
        hellos = [await socket.receive_json() for socket in sockets]
        assert [hello["num_connections"] for hello in hellos] == [1, 2]
        waiting = [asyncio.create_task(socket.receive_json()) for socket in sockets]
        await slack.post(ADA, REVOPS, "hello")
        done, left = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        envelope = done.pop().result()
        assert (envelope["type"], envelope["accepts_response_payload"]) == ("events_api", False)
        assert envelope["payload"]["event"]["text"] == "hello"
        # The acknowledgement may come over another connection than the envelope went.
        for socket in sockets:
            await socket.send_json({"envelope_id": envelope["envelope_id"]})
        await slack.settle()
        assert not any(task.done() for task in left)
        for task in left:
            task.cancel()


async def connect(
    slack: SlackStandIn, client: AsyncWebClient, session: aiohttp.ClientSession
) -> aiohttp.ClientWebSocketResponse:
    opened = await client.apps_connections_open(app_token=slack.app.app_token)
    return await session.ws_connect(opened["url"])


async def test_ticket_is_good_once(slack: SlackStandIn, client: AsyncWebClient) -> None:
    async with aiohttp.ClientSession() as session:
        url = (await client.apps_connections_open(app_token=slack.app.app_token))["url"]
        await session.ws_connect(url)
        with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
            await session.ws_connect(url)


async def test_app_that_is_asked_to_reconnect_goes_on(
    slack: SlackStandIn, bolt: AsyncApp, socket_app: AsyncSocketModeHandler
) -> None:
    seen = listen(bolt)
    before = len(slack.called("apps.connections.open"))
    await slack.sockets.disconnect()
    await slack.until(lambda: len(slack.called("apps.connections.open")) > before and slack.sockets.connected)
    await slack.post(ADA, REVOPS, "still there?")
    await slack.until(lambda: seen)
    assert seen[0]["event"]["text"] == "still there?"


async def test_dropped_connection_is_gone(slack: SlackStandIn, client: AsyncWebClient) -> None:
    async with aiohttp.ClientSession() as session:
        socket = await connect(slack, client, session)
        await socket.receive_json()
        slack.sockets.drop()
        assert slack.sockets.connected == 0
        assert (await socket.receive()).type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)


@pytest.mark.usefixtures("http_app")
async def test_step_of_a_slack_workflow_is_run_and_completed(slack: SlackStandIn, bolt: AsyncApp) -> None:
    @bolt.function("open_case")
    async def open_case(inputs: dict[str, Any], complete: Any) -> None:
        await complete({"case": inputs["title"]})

    execution = await slack.run_step(ADA, "open_case", {"title": "Renewals"})
    done = await slack.until(lambda: slack.workspace.executions[execution].get("outputs"))
    assert done == {"case": "Renewals"}
