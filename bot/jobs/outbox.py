"""Sends what is owed: claims, hands each message to the sender of its kind, and writes down what came of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlmodel import Session

from bot import tracing
from bot.clock import Clock
from bot.desk import outbox, pace
from bot.desk.desk import Desk
from bot.desk.outbox import EDITS, Claimed, ClaimOwed, NotSent, Sent, Undelivered
from bot.jobs.flights import STOPS_WITHIN
from bot.logs import bound
from bot.rules.actors import SYSTEM
from bot.rules.pacing import pause

log = logging.getLogger(__name__)

Sender = Callable[[Claimed], Awaitable[Mapping[str, Any]]]
MOST_AT_ONCE = 64
SENDER_TIMEOUT = 20.0
"""Seconds that a sender may take; less than the lease, so that nobody takes over while it still sends."""


class Outbox:
    """One sender loop of this process. Any number of processes may run one on the same database."""

    def __init__(self, desk: Desk, clock: Clock, senders: Mapping[str, Sender]) -> None:
        self._desk = desk
        self._clock = clock
        self._senders = senders
        self._kinds = tuple(senders)
        self._flying: set[asyncio.Task[None]] = set()

    async def tick(self) -> int:
        """Starts to send all that may leave now, and returns how many messages that were. It does not wait for
        slow ones: a page does not stand behind a card that Slack takes its time with."""
        count = 0
        while len(self._flying) < MOST_AT_ONCE and (claimed := await self._claim()):
            for message in claimed:
                task = asyncio.create_task(self._send(message))
                self._flying.add(task)
                task.add_done_callback(self._flying.discard)
            count += len(claimed)
        return count

    async def drain(self) -> None:
        """Sends until nothing may leave any more, and waits for what is under way."""
        while await self.tick() or self._flying:
            await asyncio.gather(*self._flying)

    async def stop(self, within: float = STOPS_WITHIN) -> None:
        """Waits for what is under way, so many seconds; what is left then is taken over when its lease ends."""
        if self._flying:
            _, late = await asyncio.wait(self._flying, timeout=within)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def next_due(self, session: Session) -> datetime | None:
        """When there may be something to send again."""
        due = outbox.next_due(session, kinds=self._kinds) if self._kinds else None
        now = self._clock.now()
        free = min(pace.empty(session, now).until.values(), default=None)
        return due if due is None or free is None or due > now else free

    async def _claim(self) -> list[Claimed]:
        if not self._kinds:
            return []
        command = ClaimOwed(self._kinds)
        now = self._clock.now()
        found = await self._desk.read(lambda session: outbox.find_owed(session, now, command))
        if not found:
            return []
        return await self._desk.run(outbox.claim_owed, replace(command, among=found), actor=SYSTEM)

    async def _send(self, message: Claimed) -> None:
        case = f"C-{message.case_id}" if message.case_id else None
        about: dict[str, Any] = {"case": case, "message": message.id}
        with bound(**about), tracing.span(f"send {message.kind}", within=message.trace, **about):
            await self._send_one(message)

    async def _send_one(self, message: Claimed) -> None:
        try:
            result = await asyncio.wait_for(self._senders[message.kind](message), SENDER_TIMEOUT)
        except Undelivered as fault:
            await self._put_back(message, fault)
            return
        except TimeoutError:
            await self._put_back(message, Undelivered("no answer in time", unknown=True, is_away=True))
            return
        except Exception:
            log.exception("a sender failed", extra={"outbox_id": message.id, "kind": message.kind})
            await self._put_back(message, Undelivered("a fault of our own, see the log", unknown=True))
            return
        away_since = await self._desk.run(outbox.sent, Sent(message, result), actor=SYSTEM)
        if away_since:
            log.warning("Slack is back", extra={"away_since": away_since.isoformat()})

    async def _put_back(self, message: Claimed, fault: Undelivered) -> None:
        wait = fault.retry_after or pause(message.attempts)
        again_at = self._clock.now() + wait
        log.warning(
            "a message was not sent",
            extra={
                "outbox_id": message.id,
                "kind": message.kind,
                "because": fault.because,
                "permanent": fault.permanent,
            },
        )
        holds = _held_back(message, fault.scope) if fault.retry_after else None
        command = NotSent(message, fault.because, fault.permanent, fault.unknown, again_at, fault.is_away, holds)
        if await self._desk.run(outbox.not_sent, command, actor=SYSTEM):
            log.error("Slack is away: what is owed waits for it", extra={"because": fault.because})


def _held_back(message: Claimed, scope: str) -> str | None:
    """The bucket that Slack's answer to this message is about."""
    if scope == "channel":
        return f"channel:{message.channel}"
    if scope == "kind":
        return "updates" if message.kind in ("card", *EDITS) else "pages" if message.kind == "page" else "posts"
    return None
