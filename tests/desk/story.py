"""A story told through the desk: what is opened, who does what, how time passes, and what can be seen of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

import pytest
from sqlalchemy import select
from sqlmodel import Session, col

from bot.clock import MovableClock
from bot.context import Context
from bot.desk import cases, intake, timers
from bot.desk.commands import Acknowledge, Outcome
from bot.desk.desk import Act, Desk
from bot.desk.intake import Report
from bot.desk.once import Submission
from bot.desk.tx import Tx
from bot.jobs import timers as job
from bot.rules.actors import SYSTEM, Actor, person, source
from bot.rules.refusals import Refused
from bot.settings import Settings
from store import audit
from store.models import Case, Note, Owed, Timer
from store.writing import change

C = TypeVar("C")
R = TypeVar("R")
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

ADA, BEN, CLEO = person("U0ADA"), person("U0BEN"), person("U0CLEO")
"""Of Revenue Ops; Ben is on call on Monday 2026-11-23 from 9:00 in Berlin on."""
DEE, ELI = person("U0DEE"), person("U0ELI")
"""Of Customer Success; Dee is on call."""
FAY, GUS = person("U0FAY"), person("U0GUS")
"""Of Billing; Fay is on call."""
STRANGER = person("U0NOBODY")
"""A colleague who has nothing to do with it."""


@dataclass(frozen=True)
class Story:
    """A desk with the example company's policy, on Monday 2026-11-23 at 9:00 UTC (10:00 in Berlin)."""

    desk: Desk
    clock: MovableClock

    @property
    def context(self) -> Context:
        return Context(self.desk, self.clock, self.desk.policies, Settings())

    async def opened(
        self, *, workflow: str = "lead-routing", mode: str = "other", title: str = "Lead lost", **more: Any
    ) -> int:
        """A case that a monitor reported. By default it is P2 and Revenue Ops owns it: two business hours to
        acknowledge, one business day to resolve, in Berlin's hours."""
        report = Report(by=source("monitors"), workflow=workflow, failure_mode=mode, title=title, **more)
        answer = await self.desk.run_joined(intake.report, Submission((report,)))
        assert isinstance(answer, tuple)
        return int(answer[0].case.removeprefix("C-"))

    async def do(self, act: Act[C, R], command: C, by: Actor = BEN) -> R:
        return await self.desk.run(act, command, actor=by)

    async def acknowledged(self, *, by: Actor = BEN, **more: Any) -> int:
        """A case that somebody has."""
        case_id = await self.opened(**more)
        await self.do(cases.acknowledge, Acknowledge(case_id), by)
        return case_id

    async def card_is_posted(self, case_id: int, ts: str) -> None:
        """The card is in its channel, as the message `ts`."""

        def post(tx: Tx, _: None) -> None:
            change(tx.session, cases.get_case(tx, case_id), card_ts=ts)

        await self.desk.run(post, None, actor=SYSTEM)

    async def tell_to_act(self, case_id: int, *people: str) -> None:
        """The people were paged."""

        def tell(tx: Tx, _: None) -> None:
            for each in people:
                tx.tell_to_act(case_id, each)

        await self.desk.run(tell, None, actor=SYSTEM)

    async def refused(self, act: Act[C, Outcome], command: C, by: Actor = BEN) -> Refused:
        with pytest.raises(Refused) as raised:
            await self.do(act, command, by)
        return raised.value

    async def pass_time(self, by: timedelta) -> int:
        """Time passes, and whatever is due meanwhile happens at its moment; returns how many timers were fired."""
        until, count = self.clock.now() + by, await self.tick()
        while (due_at := await self.desk.read(timers.next_due)) and due_at <= until:
            self.clock.advance(max(due_at - self.clock.now(), timedelta(0)))
            count += await self.tick()
        self.clock.advance(until - self.clock.now())
        return count

    async def tick(self) -> int:
        return await job.tick(self.context)

    async def case(self, case_id: int) -> Case:
        return await self.desk.read(lambda session: session.get_one(Case, case_id))

    async def timer(self, case_id: int, kind: str) -> Timer | None:
        return await self.desk.read(lambda session: session.get(Timer, (case_id, kind)))

    async def timers(self, case_id: int) -> dict[str, datetime | None]:
        """When each timer of the case is due."""
        wanted = select(col(Timer.kind), col(Timer.due_at)).where(col(Timer.case_id) == case_id)
        return await self.desk.read(lambda session: {kind: due_at for kind, due_at in session.execute(wanted)})

    async def owed(self, case_id: int, kind: str, *, state: str = "owed") -> list[Owed]:
        """What is owed about the case, in order."""
        wanted = select(Owed).where(col(Owed.case_id) == case_id, col(Owed.kind) == kind, col(Owed.state) == state)
        return await self.desk.read(lambda session: list(session.execute(wanted.order_by(col(Owed.id))).scalars()))

    async def said(self, case_id: int, what: str, *, kind: str = "line") -> list[dict[str, Any]]:
        """The facts of the messages that say this."""
        return [owed.payload for owed in await self.owed(case_id, kind) if owed.payload["what"] == what]

    async def lines(self, case_id: int) -> list[str]:
        """What the case's thread says and asks, in order."""
        said = [*await self.owed(case_id, "line"), *await self.owed(case_id, "question")]
        return [owed.payload["what"] for owed in sorted(said, key=lambda owed: owed.id or 0)]

    async def paged(self, case_id: int) -> list[str]:
        """Who is sent a direct message about the case, in order."""
        return [owed.channel for owed in await self.owed(case_id, "page")]

    async def record(self, case_id: int) -> list[dict[str, Any]]:
        """The case's chain."""
        return await self.desk.read(lambda session: audit.read(session, audit.chain_of(case_id)))

    async def recorded(self, case_id: int, action: str) -> list[dict[str, Any]]:
        """The details of the entries of one action."""
        return [entry["detail"] for entry in await self.record(case_id) if entry["action"] == action]

    async def notes(self, case_id: int) -> list[Note]:
        wanted = select(Note).where(col(Note.case_id) == case_id).order_by(col(Note.id))
        return await self.desk.read(lambda session: list(session.execute(wanted).scalars()))

    async def everything_holds(self) -> bool:
        """Whether all chains verify."""
        return await self.desk.read(_verifies)


def _verifies(session: Session) -> bool:
    return not list(audit.verify(session))
