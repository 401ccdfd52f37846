"""The Bolt app: built, mounted on the one HTTP server or connected by Socket Mode, and stopped."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_bolt.context.async_context import AsyncBoltContext
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.context import Context
from bot.slack.asking import of_click, of_command, of_event, of_shortcut, of_submission
from bot.slack.client import error_of
from bot.slack.directory import Directory
from bot.slack.edge import Edge
from bot.slack.links import Links
from bot.slack.listeners import buttons, events, forms, shortcuts, slashes
from bot.slack.listeners.binding import Listeners, bound

log = logging.getLogger(__name__)

PATH = "/slack/events"
ACTIONS: Listeners = {**buttons.ACTIONS, **shortcuts.ACTIONS}
VIEWS: Listeners = {**forms.VIEWS, **shortcuts.VIEWS}
SHORTCUTS = shortcuts.SHORTCUTS
COMMANDS = slashes.COMMANDS
EVENTS = events.EVENTS

STOPPING = 10.0
"""Seconds that requests under way are given at the end."""


class SlackFault(Exception):
    """Slack does not take our tokens; the text says which and what to do."""


class SlackEdge:
    """The product's side that faces Slack. `app` is Bolt's; `guard` has what is under way."""

    def __init__(self, context: Context, client: AsyncWebClient) -> None:
        self.edge = Edge(context, client, Directory(context, client), Links(client))
        self.app = _app(context, client, self.edge)
        self._socket: AsyncSocketModeHandler | None = None

    @property
    def is_connected(self) -> bool:
        """Whether Socket Mode has a connection now."""
        socket = self._socket
        session = socket.client.current_session if socket else None
        return session is not None and not session.closed

    def mount(self, http: web.Application) -> None:
        """Adds `POST /slack/events` to the server, for everything from Slack in HTTP mode."""
        http.router.add_post(PATH, self._handle)

    async def identify(self) -> str:
        """Our bot's user id. Slack is asked who we are, which also says whose users are ours. Raises `SlackFault`."""
        try:
            answer = await self.edge.client.auth_test()
        except SlackApiError as fault:
            raise SlackFault(
                f"SLACK_BOT_TOKEN: Slack says {error_of(fault)}; install the app and copy the token"
            ) from None
        self.edge.directory.team = str(answer["team_id"])
        return str(answer["user_id"])

    async def connect(self, app_token: str) -> None:
        """Connects by Socket Mode. Raises `SlackFault` for a token that Slack refuses (Bolt would try for ever)."""
        client = self.edge.client
        try:
            await client.apps_connections_open(app_token=app_token)
        except SlackApiError as fault:
            raise SlackFault(
                f"SLACK_APP_TOKEN: Slack says {error_of(fault)}; it needs an app-level token with connections:write"
            ) from None
        self._socket = AsyncSocketModeHandler(self.app, app_token)
        await self._socket.client.connect()  # type: ignore[no-untyped-call]

    async def stop(self) -> None:
        """Closes the connection and waits for the requests that are under way."""
        if self._socket:
            await self._socket.client.close()  # type: ignore[no-untyped-call]
        await self.edge.guard.drain(STOPPING)

    async def _handle(self, request: web.Request) -> web.Response:
        answer = await self.app.async_dispatch(await to_bolt_request(request))
        return await to_aiohttp_response(answer)


def _app(context: Context, client: AsyncWebClient, edge: Edge) -> AsyncApp:
    secret = context.settings.slack_signing_secret
    app = AsyncApp(
        client=client,
        signing_secret=secret.get_secret_value() if secret else None,
        process_before_response=True,
        logger=logging.getLogger("slack_bolt"),
    )
    app.middleware(_whose(edge))
    for event, listener in EVENTS.items():
        app.event(event)(bound(edge, listener, of_event))
    for command, listener in COMMANDS.items():
        app.command(command)(bound(edge, listener, of_command))
    for callback_id, listener in SHORTCUTS.items():
        app.shortcut(callback_id)(bound(edge, listener, of_shortcut))
    for action_id, listener in ACTIONS.items():
        app.action(action_id)(bound(edge, listener, of_click))
    for callback_id, listener in VIEWS.items():
        app.view(callback_id)(bound(edge, listener, of_submission))
    return app


def _whose(edge: Edge) -> Callable[..., Awaitable[Any]]:
    """Learns whose workspace it is from Bolt's own auth.test, where nobody asked before."""

    async def learn(context: AsyncBoltContext, next: Callable[[], Awaitable[Any]]) -> Any:
        found = context.authorize_result
        if edge.directory.team is None and found is not None:
            edge.directory.team = found.team_id
        return await next()

    return learn
