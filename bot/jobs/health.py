"""Asks the connectors' health paths, each about once a minute."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Mapping

from sqlmodel import Session

from bot.desk import health
from bot.desk.desk import Desk
from bot.desk.health import AT_ONCE, DueHealth, HeardHealth
from bot.jobs.credentials import with_secrets
from bot.rules.actors import TIMER
from bot.settings import SettingsFault
from runbooks.calls import Caller
from runbooks.connectors import MissingVariable
from runbooks.filling import Filled

log = logging.getLogger(__name__)

MOST_READ = 1024


class HealthChecks:
    """The loop of this process. Any number of processes may run one on the same database: each connector is asked by
    the one that claims it."""

    def __init__(self, desk: Desk, caller: Caller, environment: Mapping[str, str]) -> None:
        self._desk = desk
        self._caller = caller
        self._environment = environment

    async def tick(self) -> int:
        """Asks all that are due, at once, and returns how many that were."""
        is_in_step, some_are_due = await self._desk.read(self._left)
        if not is_in_step:
            await self._desk.run(health.bring_in_step, None, actor=TIMER)
        if is_in_step and not some_are_due:
            return 0
        claimed = await self._desk.run(health.claim, AT_ONCE, actor=TIMER)
        await asyncio.gather(*map(self._look, claimed))
        return len(claimed)

    def _left(self, session: Session) -> tuple[bool, bool]:
        policy, now = self._desk.policies.in_force(session), self._desk.clock.now()
        return health.is_in_step(session, policy), health.some_are_due(session, now)

    async def _look(self, due: DueHealth) -> None:
        """One that cannot be asked is left to the end of its lease, and holds up no other."""
        try:
            await self._desk.run(health.heard, await self._ask(due), actor=TIMER)
        except Exception:
            log.exception("a health path could not be asked", extra={"connector": due.connector.name})

    async def _ask(self, due: DueHealth) -> HeardHealth:
        share = random.random()  # noqa: S311
        try:
            resolved = with_secrets(due.connector, self._environment)
        except (MissingVariable, SettingsFault) as fault:
            return HeardHealth(due, None, str(fault), share, fault=True)
        answer = await self._caller.send(
            due.connector,
            resolved,
            Filled("GET", due.connector.health or "/", {}, None),
            timeout=due.connector.timeout.seconds,
            headers={},
            most=MOST_READ,
        )
        because = answer.error if answer.status is None else f"it answered {answer.status}"
        return HeardHealth(due, answer.status, because, share)
