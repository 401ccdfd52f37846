"""A small workspace, a client and a real Bolt app for the tests of the stand-in."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.workspace import (
    BOT_USER,
    AppSettings,
    Channel,
    Command,
    Shortcut,
    SlackStandIn,
    User,
    Usergroup,
)

ADA, BEN, GUEST, STRANGER, GONE = "U0ADA", "U0BEN", "U0GUEST", "U0STRANGER", "U0GONE"
REVOPS, SECRET, PUBLIC, SHARED, OLD = "C0REVOPS", "C0SECRET", "C0PUBLIC", "C0SHARED", "C0OLD"


@dataclass
class Time:
    """Seconds that only a test moves."""

    at: float = 1_000.0

    def __call__(self) -> float:
        return self.at


def build(time: Time, **settings: Any) -> SlackStandIn:
    """A workspace with every kind of user and channel; `settings` as SlackStandIn takes them."""
    app = settings.pop("app", None) or AppSettings(
        commands=(Command("/case", "Cases"),),
        shortcuts=(Shortcut("message", "case.open", "Open a case"), Shortcut("global", "case.new", "New case")),
    )
    return SlackStandIn(
        users=[
            User(ADA, "ada", "Ada Lovelace", email="ada@acme.test"),
            User(BEN, "ben", "Ben Hur"),
            User(GUEST, "guest", is_restricted=True),
            User(STRANGER, "mallory", team_id="T0OTHER"),
            User(GONE, "gone", deleted=True),
        ],
        channels=[
            Channel(REVOPS, "revops"),
            Channel(SECRET, "secret", [ADA], is_private=True),
            Channel(PUBLIC, "public", [ADA]),
            Channel(SHARED, "shared", [ADA, STRANGER, BOT_USER], is_ext_shared=True),
            Channel(OLD, "old", is_archived=True),
        ],
        usergroups=[Usergroup("S0ONCALL", "oncall", (ADA,))],
        app=app,
        monotonic=time,
        retry_delays=(0.0, 0.0, 0.0),
        **settings,
    )


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
async def slack(time: Time) -> AsyncIterator[SlackStandIn]:
    async with build(time) as running:
        yield running


@pytest.fixture
def client(slack: SlackStandIn) -> AsyncWebClient:
    return client_of(slack)


def client_of(slack: SlackStandIn, token: str | None = None) -> AsyncWebClient:
    """A client of the stand-in that never retries by itself."""
    return AsyncWebClient(token or slack.app.bot_token, base_url=slack.api_url, retry_handlers=[])


@dataclass
class HttpApp:
    """A Bolt app behind HTTP: the headers and bodies of what it got, and a way to break it."""

    bolt: AsyncApp
    url: str = ""
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)
    fail_with: list[int] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        self.headers.append(dict(request.headers))
        self.bodies.append(await request.text())
        if self.fail_with:
            return web.Response(status=self.fail_with.pop(0))
        return await to_aiohttp_response(await self.bolt.async_dispatch(await to_bolt_request(request)))


@pytest.fixture
def bolt(slack: SlackStandIn) -> AsyncApp:
    return AsyncApp(client=client_of(slack), signing_secret=slack.app.signing_secret, process_before_response=True)


@pytest.fixture
async def http_app(slack: SlackStandIn, bolt: AsyncApp) -> AsyncIterator[HttpApp]:
    app, server = HttpApp(bolt), web.Application()
    server.router.add_post("/slack/events", app.handle)
    runner = web.AppRunner(server, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    slack.request_url = app.url = f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events"
    yield app
    await runner.cleanup()


@pytest.fixture
async def socket_app(slack: SlackStandIn, bolt: AsyncApp) -> AsyncIterator[AsyncSocketModeHandler]:
    handler = AsyncSocketModeHandler(bolt, slack.app.app_token, web_client=client_of(slack))
    await handler.connect_async()  # type: ignore[no-untyped-call]
    await slack.until(lambda: slack.sockets.connected)
    yield handler
    await handler.close_async()  # type: ignore[no-untyped-call]


def button(text: str, action_id: str, value: str = "") -> dict[str, Any]:
    """A button element."""
    return {
        "type": "button",
        "text": {"type": "plain_text", "text": text},
        "action_id": action_id,
        "value": value,
    }


def card(*elements: dict[str, Any]) -> list[dict[str, Any]]:
    """Blocks of a message with a line of text and these elements."""
    section = {"type": "section", "text": {"type": "mrkdwn", "text": "*Case 1*"}}
    return [section, {"type": "actions", "block_id": "case", "elements": list(elements)}]


def form(*extra: dict[str, Any], **values: Any) -> dict[str, Any]:
    """A modal with one input for a reason."""
    return {
        "type": "modal",
        "callback_id": "resolve",
        "title": {"type": "plain_text", "text": "Resolve"},
        "submit": {"type": "plain_text", "text": "Resolve"},
        "blocks": [text_input("reason"), *extra],
        **values,
    }


def text_input(name: str, **values: Any) -> dict[str, Any]:
    """An input block for a text, its block_id and action_id both `name`."""
    return {
        "type": "input",
        "block_id": name,
        "label": {"type": "plain_text", "text": name.capitalize()},
        "element": {"type": "plain_text_input", "action_id": name, **values},
    }
