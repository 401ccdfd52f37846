"""Brings events and interactions to the app: signed HTTP requests, or Socket Mode when a socket is connected."""

import asyncio
import hashlib
import hmac
import json
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import aiohttp

from . import clock
from .socket_mode import Sockets

Json = dict[str, Any]
ACK_SECONDS = 3.0
ATTEMPTS_KEPT = 20_000
RETRY_DELAYS = (0.0, 1.0, 5.0)


@dataclass(frozen=True, slots=True)
class Reply:
    """What the app answered in time. `reason` is Slack's word for why it counts as failed, "" when it is ok."""

    body: Any = None
    reason: str = ""
    no_retry: bool = False
    status: int = 200

    @property
    def ok(self) -> bool:
        """Whether the app acknowledged in time."""
        return not self.reason

    @property
    def text(self) -> str:
        """The words of an immediate answer, "" when there are none."""
        return self.body if isinstance(self.body, str) else str((self.body or {}).get("text") or "")

    @property
    def blocks(self) -> list[Json]:
        """The blocks of an immediate answer."""
        return list(self.body.get("blocks") or []) if isinstance(self.body, dict) else []

    @property
    def error(self) -> str:
        """What Slack would show to the person, "" when the app acknowledged."""
        if self.reason == "http_timeout":
            return "The app did not answer in time"
        return "The app could not be reached or answered with an error" if self.reason else ""


class Delivery:
    """Sends to the app. Interactions are tried once, events up to three times more.

    `retry_delays` are the seconds before each of the retries (Slack's own: at once, 1 minute, 5 minutes).
    `woken` is called after each attempt.
    `attempts` holds the latest: event id, number of the attempt (0 is the first), and the app's reply.
    """

    def __init__(
        self,
        signing_secret: str,
        sockets: Sockets,
        woken: Callable[[], None],
        *,
        retry_delays: Sequence[float] = RETRY_DELAYS,
        ack_seconds: float = ACK_SECONDS,
    ) -> None:
        self.request_url: str | None = None
        self.attempts: deque[tuple[str, int, Reply]] = deque(maxlen=ATTEMPTS_KEPT)
        self._secret, self._sockets, self._woken = signing_secret, sockets, woken
        self._delays, self._ack_seconds = tuple(retry_delays), ack_seconds
        self._session: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def send_event(self, envelope: Json) -> None:
        """Begin to deliver an event; it is retried in the background. Nothing happens without an app."""
        if self.request_url is None and not self._sockets.was_connected:
            return
        task = asyncio.get_running_loop().create_task(self._event(envelope))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def send_interaction(self, payload: Json) -> Reply:
        """Deliver a click, a submission, a shortcut or a question for options, once."""
        if self._sockets.connected:
            return await self._over_socket("interactive", payload)
        return await self._over_http(urlencode({"payload": json.dumps(payload)}), "form")

    async def send_command(self, fields: dict[str, str]) -> Reply:
        """Deliver a slash command, once."""
        if self._sockets.connected:
            return await self._over_socket("slash_commands", dict(fields))
        return await self._over_http(urlencode(fields), "form")

    async def settle(self) -> None:
        """Wait until all events that were begun are delivered or given up."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def close(self) -> None:
        """Stop what is still under way and close the connections."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session:
            await self._session.close()

    async def _event(self, envelope: Json) -> None:
        reply, reason = Reply(), ""
        for attempt, delay in enumerate((0.0, *self._delays)):
            await asyncio.sleep(delay)
            reply = await self._try_event(envelope, attempt, reason)
            self.attempts.append((envelope["event_id"], attempt, reply))
            self._woken()
            if reply.ok or reply.no_retry:
                return
            reason = reply.reason

    async def _try_event(self, envelope: Json, attempt: int, reason: str) -> Reply:
        if self._sockets.connected:
            return await self._over_socket("events_api", envelope, attempt, reason)
        headers = {"X-Slack-Retry-Num": str(attempt), "X-Slack-Retry-Reason": reason} if attempt else {}
        return await self._over_http(json.dumps(envelope), "json", headers)

    async def _over_socket(self, kind: str, payload: Json, attempt: int = 0, reason: str = "") -> Reply:
        try:
            async with asyncio.timeout(self._ack_seconds):
                return Reply(await self._sockets.send(kind, payload, attempt, reason))
        except TimeoutError:
            return Reply(reason="http_timeout", status=0)
        except ConnectionError:
            return Reply(reason="connection_failed", status=0)

    async def _over_http(self, body: str, kind: str, extra: dict[str, str] | None = None) -> Reply:
        if self.request_url is None:
            return Reply(reason="connection_failed", status=0)
        content_type = "application/json" if kind == "json" else "application/x-www-form-urlencoded"
        headers = {"Content-Type": content_type, **signature(self._secret, body), **(extra or {})}
        try:
            async with asyncio.timeout(self._ack_seconds):
                session = self._open_session()
                async with session.post(self.request_url, data=body.encode(), headers=headers) as response:
                    return await _reply(response)
        except TimeoutError:
            return Reply(reason="http_timeout", status=0)
        except aiohttp.ClientError:
            return Reply(reason="connection_failed", status=0)

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(headers={"User-Agent": "Slackbot 1.0 (stand-in)"})
        return self._session


def signature(secret: str, body: str, at: float | None = None) -> dict[str, str]:
    """The headers that prove a request to be Slack's: HMAC-SHA256 over `v0:timestamp:body`.

    https://docs.slack.dev/authentication/verifying-requests-from-slack
    """
    timestamp = str(int(clock.wall() if at is None else at))
    digest = hmac.new(secret.encode(), f"v0:{timestamp}:{body}".encode(), hashlib.sha256).hexdigest()
    return {"X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": f"v0={digest}"}


async def _reply(response: aiohttp.ClientResponse) -> Reply:
    text = await response.text()
    no_retry = response.headers.get("X-Slack-No-Retry") == "1"
    if not 200 <= response.status < 300:
        return Reply(text, "http_error", no_retry, response.status)
    if response.content_type == "application/json" and text:
        return Reply(json.loads(text), status=response.status)
    return Reply(text, status=response.status)
