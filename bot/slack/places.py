"""Channels and threads: may the bot read them, may this person, and what was said there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.desk.commands import Reply
from bot.rules.refusals import Refused
from bot.slack.client import error_of
from bot.slack.words import said

log = logging.getLogger(__name__)

INVITE = "I am not in that channel. If it is private, type `/invite @Pointsman` there and try again."
NOT_YOURS = "That conversation is private and you are not in it."
REPLIES = 200
"""Of one look; Slack advises no more."""
MOST = 2_000
"""So much of a thread is kept with its case."""
PATIENCE = 1.0
"""Seconds for one question to Slack while Slack waits for an answer itself."""


async def enter(client: AsyncWebClient, channel: str, user: str) -> None:
    """Makes sure that the bot is in the channel and that the person may see it; a public one is joined. Raises
    `Refused` that says how to invite the bot."""
    try:
        where = (await client.conversations_info(channel=channel))["channel"]
        if where.get("is_private") or where.get("is_im") or where.get("is_mpim"):
            await _must_be_member(client, channel, user)
        elif not where.get("is_member"):
            await client.conversations_join(channel=channel)
    except SlackApiError as fault:
        if error_of(fault) == "is_archived":
            raise Refused("archived", "That channel is archived, so no case can live there.") from None
        if error_of(fault) in ("channel_not_found", "not_in_channel", "method_not_supported_for_channel_type"):
            raise Refused("not_in_channel", INVITE) from None
        raise


async def _must_be_member(client: AsyncWebClient, channel: str, user: str) -> None:
    cursor = ""
    while True:
        answer = await client.conversations_members(channel=channel, limit=1000, cursor=cursor or None)
        if user in answer["members"]:
            return
        cursor = (answer.get("response_metadata") or {}).get("next_cursor") or ""
        if not cursor:
            raise Refused("not_a_member", NOT_YOURS)


@dataclass(frozen=True, slots=True)
class Thread:
    """A thread as far as it was read: its root, and what was said, the root first. `is_cut`: there is more."""

    root: str
    said: tuple[Reply, ...]
    is_cut: bool = False


async def thread(client: AsyncWebClient, channel: str, ts: str, *, most: int = MOST) -> Thread:
    """The thread that a message is in, with what was said there so far. What Slack does not give now, and what is
    beyond `most`, is left out: the case is opened all the same."""
    messages, is_cut = await _said(client, channel, ts, most)
    root = str(messages[0].get("thread_ts") or ts) if messages else ts
    if root != ts and len(messages) <= 1:
        messages, is_cut = await _said(client, channel, root, most)
    return Thread(root, tuple(_reply(message) for message in messages if message.get("user")), is_cut)


async def _said(client: AsyncWebClient, channel: str, ts: str, most: int) -> tuple[list[Mapping[str, Any]], bool]:
    """The messages of a thread, each once (Slack gives the root with every page), and whether there are more."""
    found: dict[str, Mapping[str, Any]] = {}
    cursor: str | None = None
    while len(found) < most:
        try:
            limit = min(REPLIES, most)
            answer = await client.conversations_replies(channel=channel, ts=ts, limit=limit, cursor=cursor)
        except SlackApiError as fault:
            log.warning("a thread could not be read", extra={"channel": channel, "error": error_of(fault)})
            return list(found.values()), True
        found.update((str(message["ts"]), message) for message in answer["messages"])
        cursor = (answer.get("response_metadata") or {}).get("next_cursor") or None
        if cursor is None:
            return list(found.values()), False
    return list(found.values()), True


async def root_of(client: AsyncWebClient, channel: str, ts: str) -> str:
    """The root of the thread that a message is in; the message itself where Slack does not say so soon."""
    try:
        asked = client.conversations_replies(channel=channel, ts=ts, limit=1)
        messages = (await asyncio.wait_for(asked, PATIENCE))["messages"]
    except (SlackApiError, TimeoutError) as fault:
        log.warning("a thread could not be read", extra={"channel": channel, "because": repr(fault)})
        return ts
    return str(messages[0].get("thread_ts") or ts) if messages else ts


def _reply(message: Mapping[str, Any]) -> Reply:
    ts = str(message["ts"])
    at = datetime.fromtimestamp(float(ts), UTC)
    return Reply(author=str(message["user"]), text=said(str(message.get("text") or "")), message_ts=ts, at=at)


def title_of(text: str) -> str:
    """A title for a case about a message: its first line."""
    first = next((line.strip() for line in said(text).splitlines() if line.strip()), "")
    return first[:200]
