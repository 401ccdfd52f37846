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
from bot.desk import outbox
from bot.desk.desk import Desk
from bot.desk.outbox import Claimed, ClaimOwed, NotSent, Sent, Undelivered
from bot.jobs.flights import STOPS_WITHIN
from bot.logs import bound
from bot.rules.actors import SYSTEM
from bot.rules.pacing import Bucket, Kind, Limit, buckets, pause

log = logging.getLogger(__name__)

Sender = Callable[[Claimed], Awaitable[Mapping[str, Any]]]
MOST_AT_ONCE = 64
SENDER_TIMEOUT = 20.0
"""Seconds that a sender may take; less than the lease, so that nobody takes over while it still sends."""


class Pace:
    """The buckets of this process, and what it was told to wait for."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets: dict[str, Bucket] = {}
        self._held: dict[str, datetime] = {}

    def may_send(self, kind: Kind, channel: str) -> bool:
        """Whether a message of this kind may leave for this channel now; if so, its tokens are taken."""
        now = self._clock.now()
        wanted = {name: self._bucket(name, limit, now) for name, limit in buckets(kind, channel)}
        if any(self._free_at(name, bucket) > now for name, bucket in wanted.items()):
            return False
        for name, bucket in wanted.items():
            self._buckets[name] = bucket.spent(now)
        return True

    def hold(self, name: str, until: datetime) -> None:
        """Nothing takes a token from this bucket before `until`."""
        self._held[name] = max(until, self._held.get(name, until))

    def held(self) -> tuple[tuple[str, ...], bool]:
        """The channels without a token now, and whether updates are without one. Full buckets are forgotten."""
        now = self._clock.now()
        self._buckets = {name: bucket for name, bucket in self._buckets.items() if bucket.full_at > now}
        self._held = {name: until for name, until in self._held.items() if until > now}
        empty = self._empty(now)
        channels = tuple(name.removeprefix("channel:") for name in empty if name.startswith("channel:"))
        return channels, "updates" in empty

    def next_free_at(self) -> datetime | None:
        """When the first of what is held back may go on; None: nothing is."""
        empty = self._empty(self._clock.now())
        return min(empty.values(), default=None)

    def _empty(self, now: datetime) -> dict[str, datetime]:
        times = {name: self._free_at(name, bucket) for name, bucket in self._buckets.items()} | self._held
        return {name: at for name, at in times.items() if at > now}

    def _bucket(self, name: str, limit: Limit, now: datetime) -> Bucket:
        return self._buckets.get(name) or Bucket(limit, now)

    def _free_at(self, name: str, bucket: Bucket) -> datetime:
        return max(bucket.free_at(), self._held.get(name, bucket.free_at()))


class Outbox:
    """One sender loop of this process. Any number of processes may run one on the same database."""

    def __init__(self, desk: Desk, clock: Clock, senders: Mapping[str, Sender]) -> None:
        self._desk = desk
        self._clock = clock
        self._senders = senders
        self._kinds = tuple(senders)
        self._pace = Pace(clock)
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
        free = self._pace.next_free_at()
        return due if due is None or free is None or due > self._clock.now() else free

    async def _claim(self) -> list[Claimed]:
        if not self._kinds:
            return []
        held, updates_held = self._pace.held()
        command = ClaimOwed(self._pace.may_send, self._kinds, held, updates_held)
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
        if fault.retry_after:
            self._hold(message, fault.scope, again_at)
        log.warning(
            "a message was not sent",
            extra={
                "outbox_id": message.id,
                "kind": message.kind,
                "because": fault.because,
                "permanent": fault.permanent,
            },
        )
        command = NotSent(message, fault.because, fault.permanent, fault.unknown, again_at, fault.is_away)
        if await self._desk.run(outbox.not_sent, command, actor=SYSTEM):
            log.error("Slack is away: what is owed waits for it", extra={"because": fault.because})

    def _hold(self, message: Claimed, scope: str, until: datetime) -> None:
        if scope == "channel":
            self._pace.hold(f"channel:{message.channel}", until)
        elif scope == "kind":
            self._pace.hold(
                {"card": "updates", "page_update": "updates", "page": "pages"}.get(message.kind, "posts"), until
            )
