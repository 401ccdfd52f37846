"""A real Bolt app against the stand-in, over HTTP and in Socket Mode."""

import json
from typing import Any

import pytest
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.workspace import SlackStandIn

from .conftest import ADA, BEN, REVOPS, HttpApp, button, card, form


@pytest.fixture(params=["http_app", "socket_app"])
def connected(request: pytest.FixtureRequest) -> Any:
    """The Bolt app, connected once in each mode."""
    return request.getfixturevalue(request.param)


async def ignore() -> None:
    """A listener that only acknowledges."""


async def posted(client: AsyncWebClient, *elements: dict[str, Any]) -> str:
    answer = await client.chat_postMessage(channel=REVOPS, text="Case 1", blocks=card(*elements))
    return str(answer["ts"])


@pytest.mark.usefixtures("connected")
async def test_button_updates_its_card(slack: SlackStandIn, bolt: AsyncApp, client: AsyncWebClient) -> None:
    @bolt.action("case.acknowledge")
    async def acknowledge(ack: Any, body: dict[str, Any], client: AsyncWebClient, respond: Any) -> None:
        await client.chat_update(
            channel=body["channel"]["id"], ts=body["message"]["ts"], text=f"Taken by {body['user']['id']}"
        )
        await respond("It is yours.")
        await ack()

    ts = await posted(client, button("Acknowledge", "case.acknowledge", "1"))
    reply = await slack.click(ADA, channel=REVOPS, ts=ts, text="Acknowledge")
    assert reply.ok
    assert slack.message(REVOPS, ts).text == f"Taken by {ADA}"
    assert slack.message(REVOPS, ts).buttons == []
    assert [each.text for each in slack.ephemerals(ADA)] == ["It is yours."]


@pytest.mark.usefixtures("connected")
async def test_form_with_an_error_stays_open_and_then_closes(
    slack: SlackStandIn, bolt: AsyncApp, client: AsyncWebClient
) -> None:
    @bolt.action("case.resolve")
    async def resolve(ack: Any, body: dict[str, Any], client: AsyncWebClient) -> None:
        await client.views_open(trigger_id=body["trigger_id"], view=form())
        await ack()

    @bolt.view("resolve")
    async def submitted(ack: Any, view: dict[str, Any]) -> None:
        reason = view["state"]["values"]["reason"]["reason"]["value"]
        if reason == "no":
            await ack(response_action="errors", errors={"reason": "Say more."})
        else:
            await ack()

    ts = await posted(client, button("Resolve", "case.resolve"))
    await slack.click(ADA, channel=REVOPS, ts=ts, action_id="case.resolve")
    assert slack.views(ADA)[0].title == "Resolve"
    assert (await slack.submit(ADA, given={"reason": "no"})).errors == {"reason": "Say more."}
    assert len(slack.views(ADA)) == 1
    assert (await slack.submit(ADA, given={"reason": "It was fixed by hand."})).ok
    assert slack.views(ADA) == []


@pytest.mark.usefixtures("connected")
async def test_command_is_answered_at_once_and_later(slack: SlackStandIn, bolt: AsyncApp) -> None:
    @bolt.command("/case")
    async def case(ack: Any, command: dict[str, Any], respond: Any) -> None:
        await respond("And one more thing.")
        await ack(f"You said {command['text']}")

    reply = await slack.command(ADA, REVOPS, "/case list")
    assert reply.text == "You said list"
    assert [each.text for each in slack.ephemerals(ADA)] == ["And one more thing.", "You said list"]
    assert slack.ephemerals(BEN) == []


@pytest.mark.usefixtures("connected")
async def test_mention_arrives_as_two_events_with_one_ts(slack: SlackStandIn, bolt: AsyncApp) -> None:
    seen: list[dict[str, Any]] = []

    async def keep(body: dict[str, Any]) -> None:
        seen.append(body)

    bolt.event("app_mention")(keep)
    bolt.event("message")(keep)
    message = await slack.post(ADA, REVOPS, f"<@{slack.app.bot_user}> open a case")
    await slack.settle()
    assert sorted(body["event"]["type"] for body in seen) == ["app_mention", "message"]
    assert {body["event"]["ts"] for body in seen} == {message.ts}
    assert len({body["event_id"] for body in seen}) == 2


@pytest.mark.usefixtures("connected")
async def test_shortcut_on_a_message_brings_the_message(slack: SlackStandIn, bolt: AsyncApp) -> None:
    seen: list[dict[str, Any]] = []

    @bolt.shortcut("case.open")
    async def opened(ack: Any, shortcut: dict[str, Any]) -> None:
        seen.append(shortcut)
        await ack()

    bolt.event("message")(ignore)
    message = await slack.post(ADA, REVOPS, "The renewals are stuck")
    assert (await slack.shortcut(BEN, "case.open", channel=REVOPS, ts=message.ts)).ok
    assert seen[0]["type"] == "message_action"
    assert seen[0]["message"]["text"] == "The renewals are stuck"
    assert seen[0]["user"]["id"] == BEN


async def test_requests_are_signed_as_slack_signs_them(slack: SlackStandIn, bolt: AsyncApp, http_app: HttpApp) -> None:
    bolt.event("message")(ignore)
    await slack.post(ADA, REVOPS, "hello")
    await slack.settle()
    assert http_app.headers[0]["X-Slack-Signature"].startswith("v0=")
    assert json.loads(http_app.bodies[0])["event"]["text"] == "hello"
