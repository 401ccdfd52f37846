"""How a listener is bound to Bolt: it gets the edge, and nothing that it raises goes through Bolt."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from slack_bolt import BoltResponse
from slack_bolt.context.ack.async_ack import AsyncAck

from bot.rules.refusals import Refused
from bot.slack.asking import Asker, Body
from bot.slack.edge import Edge
from bot.slack.guard import Told

log = logging.getLogger(__name__)

Listener = Callable[[Edge, AsyncAck, Body], Awaitable[BoltResponse | None]]
Listeners = Mapping[str, Listener]


def bound(edge: Edge, listener: Listener, asker_of: Callable[[Body], Asker]) -> Callable[..., Awaitable[Any]]:
    """The listener as Bolt calls it. A request that cannot be read is acknowledged, and the person is told."""

    async def handle(ack: AsyncAck, body: dict[str, Any]) -> BoltResponse | None:
        try:
            return await listener(edge, ack, body)
        except Refused as refused:
            await ack()
            edge.guard.track(edge.tell(asker_of(body), Told(refused.text)))
        except Exception:
            log.exception("a request from Slack could not be read")
            await ack()
        return None

    return handle
