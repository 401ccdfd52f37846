"""Where messages are found: their addresses, asked once, since they never change."""

from __future__ import annotations

import logging

from slack_sdk.web.async_client import AsyncWebClient

log = logging.getLogger(__name__)
REMEMBERED = 10_000


class Links:
    """The addresses of messages."""

    def __init__(self, client: AsyncWebClient) -> None:
        self._client = client
        self._known: dict[tuple[str, str], str] = {}

    async def of(self, channel: str, ts: str | None) -> str | None:
        """The message's address; None as long as it is not posted, or Slack does not say."""
        if ts is None:
            return None
        known = self._known.get((channel, ts))
        if known:
            return known
        try:
            answer = await self._client.chat_getPermalink(channel=channel, message_ts=ts)
        except Exception as fault:
            log.warning("no link to a message", extra={"channel": channel, "because": repr(fault)})
            return None
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[channel, ts] = str(answer["permalink"])
        return self._known[channel, ts]
