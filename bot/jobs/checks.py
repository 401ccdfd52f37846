"""Asks the checks of cases that are closing, all that are due at once."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime

from sqlmodel import Session

from bot.desk import checks
from bot.desk.checks import Answer, Came, Claimed
from bot.desk.desk import Desk
from bot.jobs.checking import ask
from bot.jobs.flights import STOPS_WITHIN, Flights
from bot.rules.actors import SYSTEM
from bot.rules.closing import Found
from runbooks.calls import Caller

log = logging.getLogger(__name__)

AT_ONCE = 100


class Checks:
    """The loop of this process. Any number of processes may run one on the same database."""

    def __init__(self, desk: Desk, caller: Caller, environment: Mapping[str, str]) -> None:
        self._desk = desk
        self._caller = caller
        self._environment = environment
        self._flights = Flights()

    async def tick(self) -> int:
        """Starts all checks that are due and for which there is room, and returns how many those were. It does not
        wait for slow systems: what asks others does not stand behind them."""
        count = 0
        while claimed := await self._claim():
            for each in claimed:
                self._flights.start(self._carry_out(each))
            count += len(claimed)
        return count

    async def drain(self) -> None:
        """Carries on until no check is due, and waits for what is under way."""
        await self._flights.drain(self.tick)

    async def stop(self, within: float = STOPS_WITHIN) -> None:
        """Waits for what is under way, so many seconds; what is left then is asked again when its lease ends."""
        await self._flights.stop(within)

    def next_due(self, session: Session) -> datetime | None:
        """When the next check may be asked."""
        return checks.next_due(session)

    async def _claim(self) -> list[Claimed]:
        """Asked beside the writers first, so that looking costs them nothing."""
        now, room = self._desk.clock.now(), AT_ONCE - len(self._flights)
        if room <= 0 or not await self._desk.read(lambda session: checks.some_are_due(session, now)):
            return []
        return await self._desk.run(checks.claim, room, actor=SYSTEM)

    async def _carry_out(self, claimed: Claimed) -> None:
        try:
            answer = await self._ask(claimed)
        except Exception as fault:
            log.exception("a check could not be asked", extra={"check_id": claimed.id})
            answer = Answer(Found.UNKNOWN, f"a fault of our own ({type(fault).__name__}), see the log")
        try:
            await self._desk.run(checks.answered, Came(claimed, answer), actor=SYSTEM)
        except Exception:
            log.exception("the answer of a check could not be kept", extra={"check_id": claimed.id})

    async def _ask(self, claimed: Claimed) -> Answer:
        if claimed.is_held:
            because = f"{claimed.connector} cannot be asked now: it is left alone until it answers again"
            return Answer(Found.IMPOSSIBLE, because)
        policies, now = self._desk.policies, self._desk.clock.now()
        question = await self._desk.read(lambda session: checks.question_of(session, policies, claimed, now=now))
        return await ask(question, self._caller, self._environment)
