"""Is it alive, is it able to work, and its figures. These need no credential and tell nothing of any case."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any

from aiohttp import web
from sqlalchemy.exc import SQLAlchemyError

from bot.context import Context
from bot.desk.outages import SLACK, since
from bot.desk.pulse import beat
from bot.rules.actors import SYSTEM
from bot.web.answers import answer
from store.database import CommitUnknown, Stale
from store.queries.depths import depths

Reasons = Callable[[], list[str]]
PATIENCE = 3.0
"""Seconds: a database that takes longer than this for the smallest write does not work."""
ASKS_EVERY = 2.0
READS_EVERY = 3.0
"""Seconds: however often it is asked, the database is asked no more often."""


class Health:
    """`reasons` says what outside of the database keeps the service from working."""

    def __init__(self, context: Context, reasons: Reasons) -> None:
        self._context = context
        self._reasons = reasons
        self._asked: asyncio.Task[list[str]] | None = None
        self._fresh_until = 0.0
        self._read: asyncio.Task[None] | None = None
        self._read_until = 0.0
        self._slack_away: datetime | None = None

    def count(self, request: web.Request, status: int) -> None:
        """Counts an answer. Addresses that are not ours are one, so that nobody can make the counters grow."""
        resource = request.match_info.route.resource
        method, path = (request.method, resource.canonical) if resource else ("", "")
        self._context.metrics.answers.labels(method, path, str(status)).inc()

    async def alive(self, _: web.Request) -> web.Response:
        """The process answers: its event loop runs. Where that is blocked, nobody answers."""
        return answer({"status": "ok"})

    async def ready(self, _: web.Request) -> web.Response:
        """200, or 503 with the reasons. A Slack that is away is none: all else goes on, and it is in `notes`."""
        reasons = [*self._reasons(), *await self._of_database()]
        said: dict[str, Any] = {"status": "not ready" if reasons else "ok", "reasons": reasons}
        if self._slack_away:
            said["notes"] = [f"Slack is away since {self._slack_away.isoformat(timespec='seconds')}"]
        return answer(said, status=503 if reasons else 200)

    async def _of_database(self) -> list[str]:
        """What it said a moment ago, or says now. One question is under way at a time, and nobody waits long for it."""
        now = asyncio.get_running_loop().time()
        if self._asked is None or (self._asked.done() and now >= self._fresh_until):
            self._fresh_until = now + ASKS_EVERY
            self._asked = asyncio.create_task(self._ask())
        done, _ = await asyncio.wait({self._asked}, timeout=PATIENCE)
        if not done:
            return ["the database takes no writes in time"]
        reasons = self._asked.result()
        if reasons:
            self._fresh_until = now
        return reasons

    async def _ask(self) -> list[str]:
        desk = self._context.desk
        try:
            await desk.read(self._context.policies.in_force)
            self._slack_away = await desk.read(lambda session: since(session, SLACK))
        except SQLAlchemyError:
            return ["the database does not answer"]
        except LookupError as fault:
            return [str(fault)]
        try:
            await desk.run(beat, None, actor=SYSTEM)
        except (SQLAlchemyError, CommitUnknown, Stale, RuntimeError):
            return ["the database takes no writes"]
        return []

    async def metrics(self, _: web.Request) -> web.Response:
        """Prometheus' text format, version 0.0.4."""
        now = asyncio.get_running_loop().time()
        if self._read is None or (self._read.done() and now >= self._read_until):
            self._read_until = now + READS_EVERY
            self._read = asyncio.create_task(self._read_depths())
        await asyncio.wait({self._read}, timeout=PATIENCE)
        headers = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        return web.Response(body=self._context.metrics.text(), headers=headers)

    async def _read_depths(self) -> None:
        metrics, at = self._context.metrics, self._context.clock.now()
        try:
            metrics.show(await self._context.desk.read(lambda session: depths(session, at)), at)
        except SQLAlchemyError:
            metrics.hide()
