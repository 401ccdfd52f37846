"""Channels and threads: may the bot read them, may this person, and what was said there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
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


async def thread(client: AsyncWebClient, channel: str, ts: str) -> tuple[str, list[Reply]]:
    """The root of the thread that a message is in, and what was said there so far, the root first. What Slack does
    not give now is left out: the case is opened all the same."""
    try:
        found = await client.conversations_replies(channel=channel, ts=ts, limit=REPLIES)
        messages = found["messages"]
        root = str(messages[0].get("thread_ts") or ts) if messages else ts
        if root != ts and len(messages) <= 1:
            messages = (await client.conversations_replies(channel=channel, ts=root, limit=REPLIES))["messages"]
    except SlackApiError as fault:
        log.warning("a thread could not be read", extra={"channel": channel, "error": error_of(fault)})
        return ts, []
    return root, [_reply(message) for message in messages if message.get("user")]


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
