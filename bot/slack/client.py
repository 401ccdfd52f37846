"""The Web API client, and what its errors mean: decided here, where the answer is read."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackRequestError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.desk.outbox import Undelivered

TIMEOUT = aiohttp.ClientTimeout(total=15, connect=5)

PERMANENT = frozenset(
    {
        "is_archived",
        "msg_too_long",
        "invalid_blocks",
        "invalid_blocks_format",
        "msg_blocks_too_long",
        "no_text",
        "user_disabled",
        "user_not_found",
        "user_not_visible",
        "cannot_dm_bot",
        "messages_tab_disabled",
        "restricted_action_read_only_channel",
        "restricted_action_thread_locked",
    }
)
"""What no repeat and no invitation mends. All else is tried again: a missing channel or token comes back."""

BAD_BLOCKS = frozenset({"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long"})
GONE = frozenset({"message_not_found", "cant_update_message", "edit_window_closed"})
"""Of chat.update: the message can be edited no more; it is posted anew."""
LOCKED_OUT = frozenset({"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired"})
"""Slack is there, and not for us: to people that is the same."""
LIMITED = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded"})
NOT_A_MEMBER = frozenset({"not_in_channel", "channel_not_found"})
DEFAULT_WAIT = timedelta(seconds=30)


Heard = Callable[[str, str], None]
"""Is told of each call: its method, and whether it was `ok`, `limited`, `refused`, `failed` (by Slack itself) or
`unanswered`."""


class _Heard(AsyncWebClient):
    """A client that tells how its calls end."""

    def __init__(self, heard: Heard, **how: Any) -> None:
        super().__init__(**how)
        self._heard = heard

    async def api_call(self, api_method: str, **call: Any) -> AsyncSlackResponse:
        result = "unanswered"
        try:
            answer = await super().api_call(api_method, **call)
            result = "ok"
            return answer
        except SlackApiError as fault:
            said = undelivered(fault)
            result = "limited" if said.retry_after else "failed" if said.unknown else "refused"
            raise
        finally:
            self._heard(api_method, result)


def make_client(
    token: str | None, base_url: str, session: aiohttp.ClientSession, *, heard: Heard = lambda method, result: None
) -> AsyncWebClient:
    """A client that never repeats a call by itself: Slack has no idempotency key, so a post whose connection broke
    may have arrived, and only the outbox knows how to find out. All calls share the session's connections; give it
    `TIMEOUT`."""
    return _Heard(heard, token=token, base_url=base_url, session=session, retry_handlers=[])


def without_token(client: AsyncWebClient) -> AsyncWebClient:
    """The same client for Bolt, which then asks us who we are and not Slack, at a click of all times."""
    return AsyncWebClient(base_url=client.base_url, session=client.session, retry_handlers=[])


def error_of(fault: SlackApiError) -> str:
    """Slack's word for what went wrong; `http_502` and the like where it gave none."""
    try:
        word = fault.response["error"]
    except (TypeError, KeyError, ValueError):
        word = None
    return str(word) if word else f"http_{_status(fault)}"


async def delivered(call: Awaitable[AsyncSlackResponse], *, scope: str = "message") -> AsyncSlackResponse:
    """The answer of a call that posts. Raises `Undelivered`, which says whether and when to try again; `scope` is
    what a rate limit of this method holds back. `SlackApiError` passes where the caller can mend it: bad blocks, a
    message that is gone, a channel to join."""
    try:
        return await call
    except SlackApiError as fault:
        if error_of(fault) in BAD_BLOCKS | GONE | NOT_A_MEMBER:
            raise
        raise undelivered(fault, scope=scope) from None
    except (aiohttp.ClientConnectorError, SlackRequestError) as fault:
        raise Undelivered(f"Slack cannot be reached: {fault}", is_away=True) from None
    except (aiohttp.ClientError, TimeoutError, OSError, json.JSONDecodeError) as fault:
        because = f"the connection to Slack broke: {fault or type(fault).__name__}"
        raise Undelivered(because, unknown=True, is_away=True) from None


def undelivered(fault: SlackApiError, *, scope: str = "message") -> Undelivered:
    """What Slack's error means for the message. A server error may come after the message was taken."""
    error, status = error_of(fault), _status(fault)
    if status == 429 or error in LIMITED:
        return Undelivered(error, retry_after=_retry_after(fault), scope=scope)
    unknown = status >= 500 or error in ("internal_error", "fatal_error", "request_timeout")
    is_away = unknown or error in LOCKED_OUT or error.startswith(("service_unavailable", "http_"))
    return Undelivered(f"Slack says {error}", permanent=error in PERMANENT, unknown=unknown, is_away=is_away)


def is_passing(fault: SlackApiError) -> bool:
    """Whether Slack is in trouble or was asked too often, or what answers is not Slack at all: nothing is said of what
    was sent, and later it may work."""
    said, error = undelivered(fault), error_of(fault)
    return said.unknown or said.retry_after is not None or error.startswith(("service_unavailable", "http_"))


def _status(fault: SlackApiError) -> int:
    response = fault.response
    return int(getattr(response, "status_code", None) or getattr(response, "status", None) or 0)


def _retry_after(fault: SlackApiError) -> timedelta:
    headers = getattr(fault.response, "headers", None) or {}
    said = next((value for name, value in headers.items() if name.lower() == "retry-after"), "")
    return timedelta(seconds=int(said)) if str(said).isdigit() else DEFAULT_WAIT
