"""What the page in the browser asks for and is told."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.workspace import SlackStandIn

from .conftest import ADA, BEN, GONE, REVOPS, SECRET, button, card, form

Json = dict[str, Any]
NOT_IN_THREADS = "/case is not supported in threads. Sorry!"


class Browser:
    """One page, acting as one user."""

    def __init__(self, session: aiohttp.ClientSession, user: str) -> None:
        self.session, self.user = session, user

    async def get(self, path: str, **query: str) -> Json:
        async with self.session.get(path, params={"as": self.user, **query}) as answer:
            found: Json = await answer.json()
        return found

    async def act(self, kind: str, **values: Any) -> Json:
        body = {"as": self.user, "kind": kind, **values}
        async with self.session.post("/ui/act", json=body) as answer:
            found: Json = await answer.json()
        return found

    async def listen(self) -> aiohttp.ClientWebSocketResponse:
        return await self.session.ws_connect(f"/ui/socket?as={self.user}")


@pytest.fixture
async def ada(slack: SlackStandIn) -> AsyncIterator[Browser]:
    async with aiohttp.ClientSession(slack.url) as session:
        yield Browser(session, ADA)


@pytest.fixture
def ben(ada: Browser) -> Browser:
    return Browser(ada.session, BEN)


async def test_workspace_is_described(slack: SlackStandIn, ada: Browser) -> None:
    told = await ada.get("/ui/workspace")
    assert told["app"]["commands"] == [{"command": "/case", "description": "Cases", "usage_hint": ""}]
    assert {shortcut["type"] for shortcut in told["app"]["shortcuts"]} == {"message", "global"}
    assert ADA in {user["id"] for user in told["users"]}
    assert REVOPS in {channel["id"] for channel in told["channels"]}


async def test_conversations_are_those_of_the_user(ada: Browser, ben: Browser, slack: SlackStandIn) -> None:
    told = (await ben.get("/ui/conversations"))["conversations"]
    assert SECRET not in {each["id"] for each in told}
    assert [(each["kind"], each["with"]) for each in told if each["kind"] == "app"] == [("app", slack.app.bot_user)]


async def test_unread_is_counted_until_it_is_read(ada: Browser, ben: Browser) -> None:
    await ada.act("message", channel=REVOPS, text="Are you there, @ben?")
    await ada.act("message", channel=REVOPS, text="Hello?")
    assert await counts(ben) == (2, 1)
    await ben.act("read", channel=REVOPS)
    assert await counts(ben) == (0, 0)
    assert await counts(ada) == (0, 0)


async def counts(browser: Browser) -> tuple[int, int]:
    told = (await browser.get("/ui/conversations"))["conversations"]
    line = next(each for each in told if each["id"] == REVOPS)
    return line["unread"], line["mentions"]


async def test_what_is_typed_is_escaped_but_names_are_mentions(slack: SlackStandIn, ada: Browser) -> None:
    await ada.act("message", channel=REVOPS, text="1 < 2 & <!channel> @ben <https://a.test/x|there> @nobody")
    text = "1 &lt; 2 &amp; &lt;!channel&gt; <@U0BEN> <https://a.test/x|there> @nobody"
    assert slack.messages(REVOPS)[0].text == text


async def test_thread_and_channel_are_read_apart(slack: SlackStandIn, ada: Browser) -> None:
    root = await ada.act("message", channel=REVOPS, text="root")
    await ada.act("message", channel=REVOPS, text="reply", thread_ts=root["ts"])
    top = (await ada.get("/ui/messages", channel=REVOPS))["messages"]
    thread = (await ada.get("/ui/messages", channel=REVOPS, thread_ts=root["ts"]))["messages"]
    assert [(message["text"], message["reply_count"]) for message in top] == [("root", 1)]
    assert [message["text"] for message in thread] == ["root", "reply"]


async def test_ephemeral_is_seen_by_one(client: AsyncWebClient, ada: Browser, ben: Browser) -> None:
    await client.chat_postEphemeral(channel=REVOPS, user=ADA, text="psst")
    mine = (await ada.get("/ui/messages", channel=REVOPS))["messages"]
    theirs = (await ben.get("/ui/messages", channel=REVOPS))["messages"]
    assert [(message["text"], message["ephemeral"]) for message in mine] == [("psst", True)]
    assert theirs == []


async def test_private_channel_is_not_shown_to_others(ben: Browser) -> None:
    told = await ben.get("/ui/messages", channel=SECRET)
    assert told == {"ok": False, "error": "There is no such channel."}


async def test_page_is_told_what_happens(client: AsyncWebClient, ben: Browser) -> None:
    socket = await ben.listen()
    posted = await client.chat_postMessage(channel=REVOPS, text="Card", blocks=card(button("Go", "go")))
    message, line = await socket.receive_json(), await socket.receive_json()
    assert (message["type"], message["message"]["blocks"][1]["block_id"]) == ("message", "case")
    assert (line["type"], line["conversation"]["unread"]) == ("conversation", 1)
    await client.chat_update(channel=REVOPS, ts=posted["ts"], text="Done")
    assert (await socket.receive_json())["message"]["text"] == "Done"
    await client.reactions_add(channel=REVOPS, timestamp=posted["ts"], name="eyes")
    assert (await socket.receive_json())["reactions"][0]["name"] == "eyes"
    await client.chat_delete(channel=REVOPS, ts=posted["ts"])
    assert (await socket.receive_json()) == {"type": "message_deleted", "channel": REVOPS, "ts": posted["ts"]}


@pytest.mark.usefixtures("http_app")
async def test_click_opens_a_form_that_is_submitted_on_the_page(
    bolt: AsyncApp, client: AsyncWebClient, ada: Browser
) -> None:
    @bolt.action("go")
    async def go(ack: Any, body: Json, client: AsyncWebClient) -> None:
        await client.views_open(trigger_id=body["trigger_id"], view=form())
        await ack()

    @bolt.view("resolve")
    async def resolve(ack: Any) -> None:
        await ack(response_action="errors", errors={"reason": "Say more."})

    ts = (await client.chat_postMessage(channel=REVOPS, text="Card", blocks=card(button("Go", "go", "1"))))["ts"]
    socket = await ada.listen()
    action = {"block_id": "case", "action_id": "go", "type": "button", "value": "1"}
    assert await ada.act("block_action", channel=REVOPS, ts=ts, action=action) == {"ok": True}
    opened = await socket.receive_json()
    assert opened["type"] == "view_opened"
    values = {"reason": {"reason": {"type": "plain_text_input", "value": "x"}}}
    answer = await ada.act("view_submit", view_id=opened["view"]["id"], state_values=values)
    assert answer == {"ok": True, "response_action": "errors", "errors": {"reason": "Say more."}}
    await ada.act("view_close", view_id=opened["view"]["id"])
    assert await socket.receive_json() == {"type": "view_closed", "view_id": opened["view"]["id"]}


async def test_home_is_asked_of_the_app(slack: SlackStandIn, client: AsyncWebClient, ada: Browser) -> None:
    assert (await ada.get("/ui/home"))["view"] is None
    await client.views_publish(user_id=ADA, view={"type": "home", "blocks": card()[:1]})
    assert (await ada.get("/ui/home"))["view"]["blocks"][0]["type"] == "section"


@pytest.mark.parametrize(
    ("kind", "values", "error"),
    [
        ("dance", {}, "This page asked for something unknown."),
        ("message", {"channel": "C0NONE", "text": "x"}, "There is no such channel."),
        ("message", {"text": "x"}, "'channel' is missing"),
        ("command", {"channel": REVOPS, "text": "/case", "thread_ts": "1.0"}, NOT_IN_THREADS),
        ("command", {"channel": REVOPS, "text": "/case"}, "The app could not be reached or answered with an error"),
        ("delete", {"channel": REVOPS, "ts": "1.0"}, "This message is not there any more."),
        ("block_action", {"channel": REVOPS, "ts": "1.0", "action": {}}, "That is not there any more."),
        ("view_submit", {"view_id": "V0NONE"}, "That is not there any more."),
    ],
)  # fmt: skip
async def test_what_cannot_be_done_is_told(ada: Browser, kind: str, values: Json, error: str) -> None:
    assert await ada.act(kind, **values) == {"ok": False, "error": error}


async def test_deactivated_user_cannot_act(ada: Browser) -> None:
    told = await Browser(ada.session, GONE).act("message", channel=REVOPS, text="boo")
    assert "not an active user" in told["error"]


async def test_pages_of_others_are_refused(ada: Browser) -> None:
    async with ada.session.post("/ui/act", data={"kind": "message"}) as answer:
        assert answer.status == 415
    with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
        await ada.session.ws_connect(f"/ui/socket?as={ADA}", headers={"Origin": "https://evil.test"})


async def test_demo_can_tell_all_pages(slack: SlackStandIn, ada: Browser) -> None:
    socket = await ada.listen()
    slack.push({"type": "clock", "now": 5})
    assert await socket.receive_json() == {"type": "clock", "now": 5}


async def test_page_itself_is_served(ada: Browser) -> None:
    async with ada.session.get("/") as answer:
        assert answer.content_type == "text/html"
