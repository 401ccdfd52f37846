"""The Bolt app: built, mounted on the one HTTP server or connected by Socket Mode, and stopped."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from http import HTTPStatus

from aiohttp import web
from slack_bolt import BoltResponse
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.logger.messages import warning_client_prioritized_and_token_skipped
from slack_sdk.errors import SlackApiError
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient

from bot.context import Context
from bot.slack.asking import of_click, of_command, of_event, of_shortcut, of_submission
from bot.slack.client import error_of, is_passing, without_token
from bot.slack.directory import PATIENCE, Directory
from bot.slack.edge import Edge
from bot.slack.links import Links
from bot.slack.listeners import (
    buttons,
    events,
    forms,
    postmortems,
    proposals,
    quarantine,
    resolving,
    runs,
    shortcuts,
    slashes,
)
from bot.slack.listeners.binding import Listeners, bound

log = logging.getLogger(__name__)

PATH = "/slack/events"
ACTIONS: Listeners = {
    **buttons.ACTIONS,
    **resolving.ACTIONS,
    **shortcuts.ACTIONS,
    **proposals.ACTIONS,
    **quarantine.ACTIONS,
    **postmortems.ACTIONS,
    **runs.ACTIONS,
}
VIEWS: Listeners = {
    **forms.VIEWS,
    **resolving.VIEWS,
    **shortcuts.VIEWS,
    **quarantine.VIEWS,
    **postmortems.VIEWS,
    **runs.VIEWS,
}
SHORTCUTS = shortcuts.SHORTCUTS
COMMANDS = slashes.COMMANDS
EVENTS = events.EVENTS

REACHES_WITHIN = 5.0
"""Seconds that the start of the service waits for Slack."""
BODY_WITHIN = 10.0
"""Seconds in which a request has to be there whole: Slack gives up on us after three."""
STOPPING = 10.0
"""Seconds that requests under way are given at the end."""


class SlackFault(Exception):
    """Slack does not take our tokens; the text says which and what to do."""


class SlackEdge:
    """The product's side that faces Slack. `app` is Bolt's; `guard` has what is under way."""

    def __init__(self, context: Context, client: AsyncWebClient) -> None:
        self.edge = Edge(context, client, Directory(context, client), Links(client))
        self._identity: AuthorizeResult | None = None
        self._socket: AsyncSocketModeHandler | None = None
        self.app = self._build()

    @property
    def is_connected(self) -> bool:
        """Whether Socket Mode has a connection now."""
        socket = self._socket
        session = socket.client.current_session if socket else None
        return session is not None and not session.closed

    def mount(self, http: web.Application) -> None:
        """Adds `POST /slack/events` to the server, for everything from Slack in HTTP mode."""
        http.router.add_post(PATH, self._handle)

    async def reach(self, app_token: str | None) -> None:
        """Asks Slack who we are and, with an app token, connects by Socket Mode, as far as that is not done yet. Raises
        `SlackFault` as these do; `TimeoutError`, `OSError` or aiohttp's errors where Slack is not there."""
        async with asyncio.timeout(REACHES_WITHIN):
            if self._identity is None:
                await self.identify()
            if app_token and self._socket is None:
                await self.connect(app_token)

    def is_reached(self, app_token: str | None) -> bool:
        """Whether there is nothing left to reach for; a connection that breaks later is made again by itself."""
        return self._identity is not None and (app_token is None or self._socket is not None)

    async def identify(self) -> str:
        """Our bot's user id. Slack is asked who we are, which also says whose users are ours. Raises `SlackFault`, or
        `ConnectionError` for a Slack that cannot say it now."""
        try:
            answer = await self.edge.client.auth_test()
        except SlackApiError as fault:
            said = error_of(fault)
            if is_passing(fault):
                raise ConnectionError(f"Slack says {said}") from None
            raise SlackFault(f"SLACK_BOT_TOKEN: Slack says {said}; install the app and copy its bot token") from None
        self.edge.directory.team = str(answer["team_id"])
        self._identity = AuthorizeResult(
            enterprise_id=None,
            team_id=str(answer["team_id"]),
            bot_user_id=str(answer["user_id"]),
            bot_id=str(answer["bot_id"]),
            bot_token=self.edge.client.token,
        )
        return str(answer["user_id"])

    async def connect(self, app_token: str) -> None:
        """Connects by Socket Mode. Raises `SlackFault` for a token that Slack refuses (Bolt would try for ever),
        and `ConnectionError` for a Slack that cannot say it now."""
        client = self.edge.client
        try:
            await client.apps_connections_open(app_token=app_token)
        except SlackApiError as fault:
            if is_passing(fault):
                raise ConnectionError(f"Slack says {error_of(fault)}") from None
            raise SlackFault(
                f"SLACK_APP_TOKEN: Slack says {error_of(fault)}; it needs an app-level token with connections:write"
            ) from None
        socket = AsyncSocketModeHandler(self.app, app_token)
        try:
            await socket.client.connect()  # type: ignore[no-untyped-call]
        except BaseException:
            await socket.client.close()  # type: ignore[no-untyped-call]
            raise
        self._socket = socket

    async def stop(self, within: float = STOPPING) -> None:
        """Closes the connection and waits for the requests that are under way."""
        if self._socket:
            await self._socket.client.close()  # type: ignore[no-untyped-call]
        await self.edge.guard.drain(within)

    async def _handle(self, request: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(BODY_WITHIN):
                body = await request.read()
        except TimeoutError:
            return web.json_response({"error": "the body did not come"}, status=HTTPStatus.REQUEST_TIMEOUT)
        if not self._is_signed(body, request.headers):
            return web.json_response({"error": "invalid request"}, status=HTTPStatus.UNAUTHORIZED)
        answer = await self.app.async_dispatch(await to_bolt_request(request))
        return await to_aiohttp_response(answer)

    def _is_signed(self, body: bytes, headers: Mapping[str, str]) -> bool:
        """Whether Slack signed it. Asked first: Bolt reads a body before it asks who sent it."""
        secret = self.edge.context.settings.slack_signing_secret
        if secret is None:
            return False
        try:
            return SignatureVerifier(secret.get_secret_value()).is_valid_request(body, dict(headers))
        except (ValueError, TypeError):
            return False

    async def _authorize(self, team_id: str | None) -> AuthorizeResult:
        """Who we are, for Bolt. A click does not wait for Slack to say so: without it, nobody is known to be ours."""
        if self._identity is None:
            try:
                await asyncio.wait_for(self.identify(), PATIENCE)
            except Exception:
                log.warning("Slack does not say who we are", exc_info=True)
        return self._identity or AuthorizeResult(enterprise_id=None, team_id=team_id, bot_token=self.edge.client.token)

    def _build(self) -> AsyncApp:
        """Bolt's app. What is pressed most comes first: Bolt asks its listeners one after the other."""
        secret, edge = self.edge.context.settings.slack_signing_secret, self.edge

        async def authorize(team_id: str | None) -> AuthorizeResult:
            return await self._authorize(team_id)

        logger = logging.getLogger("slack_bolt")
        logger.addFilter(_without_advice)
        app = AsyncApp(
            client=without_token(edge.client),
            authorize=authorize,
            signing_secret=secret.get_secret_value() if secret else None,
            process_before_response=True,
            logger=logger,
            name="pointsman",  # without one Bolt reads the source of every module on the stack, for its logs
        )
        app.error(_misunderstood)
        for action_id, listener in ACTIONS.items():
            app.action(action_id)(bound(edge, listener, of_click))
        for callback_id, listener in VIEWS.items():
            app.view(callback_id)(bound(edge, listener, of_submission))
        for command, listener in COMMANDS.items():
            app.command(command)(bound(edge, listener, of_command))
        for event, listener in EVENTS.items():
            app.event(event)(bound(edge, listener, of_event))
        for callback_id, listener in SHORTCUTS.items():
            app.shortcut(callback_id)(bound(edge, listener, of_shortcut))
        return app


async def _misunderstood(error: Exception) -> BoltResponse:
    """What comes of a request that is signed and is not of the form that Slack gives: nobody is helped by its coming
    again. What a listener does is told to the person by our own guard."""
    log.error("a request of Slack's is not understood", exc_info=error)
    return BoltResponse(status=HTTPStatus.BAD_REQUEST if isinstance(error, _NOT_ITS_FORM) else 500, body="")


_NOT_ITS_FORM = (LookupError, TypeError, AttributeError, ValueError)


def _without_advice(record: logging.LogRecord) -> bool:
    """Bolt reads SLACK_BOT_TOKEN from the environment by itself, and then warns that it will not use it."""
    return record.getMessage() != warning_client_prioritized_and_token_skipped()
