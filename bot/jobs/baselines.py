"""Looks at what has to come by the clock: judges windows that have ended, asks for censuses, and notices what came
after all."""

from __future__ import annotations

import logging
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sqlmodel import Session

from bot.desk import baselines, census
from bot.desk.baselines import CENSUS, DueBaseline
from bot.desk.census import Asked
from bot.desk.desk import Desk
from bot.jobs.credentials import with_secrets
from bot.rules.actors import TIMER
from bot.settings import SettingsFault
from runbooks.calls import Answer, Caller
from runbooks.connectors import Connector, MissingVariable, Resolved
from runbooks.contracts import Census
from runbooks.filling import fill
from runbooks.templates import ExpressionFault, Missing

log = logging.getLogger(__name__)

AT_ONCE = 20
MOST_READ = 5 * 1024 * 1024
"""Bytes of a census: some ten thousands of ids."""


@dataclass(frozen=True, slots=True)
class _Left:
    """What there is to do."""

    is_in_step: bool
    flowing: list[str]
    some_came: bool
    some_are_due: bool


class Baselines:
    """The loop of this process. Any number of processes may run one on the same database."""

    def __init__(self, desk: Desk, caller: Caller, environment: Mapping[str, str]) -> None:
        self._desk = desk
        self._caller = caller
        self._environment = environment

    async def tick(self) -> int:
        """Does all that there is to do, and returns how much that was."""
        count = 0
        while done := await self._do(await self._desk.read(self._left)):
            count += done
        return count

    def next_due(self, session: Session) -> datetime | None:
        """When the next window ends."""
        return baselines.next_due(session)

    def _left(self, session: Session) -> _Left:
        """Asked once, beside the writers: it is asked after each commit."""
        policy, now = self._desk.policies.in_force(session), self._desk.clock.now()
        return _Left(
            baselines.is_in_step(session, policy),
            baselines.flowing(session, policy),
            census.some_came(session),
            baselines.some_are_due(session, now),
        )

    async def _do(self, left: _Left) -> int:
        count = 0
        if not left.is_in_step:
            count += await self._desk.run(baselines.bring_in_step, None, actor=TIMER)
        for workflow in left.flowing:
            count += await self._desk.run(baselines.heal, workflow, actor=TIMER)
        if left.some_came:
            count += await self._desk.run(census.cross_off, None, actor=TIMER)
        for due in await self._desk.run(baselines.claim, AT_ONCE, actor=TIMER) if left.some_are_due else ():
            await self._look(due)
            count += 1
        return count

    async def _look(self, due: DueBaseline) -> None:
        """One that cannot be looked at is left to the end of its lease, and holds up no other."""
        try:
            if due.kind == CENSUS:
                await self._take_census(due)
            else:
                await self._desk.run(baselines.judge, due, actor=TIMER)
        except Exception:
            log.exception("a baseline could not be looked at", extra={"workflow": due.workflow, "baseline": due.kind})

    async def _take_census(self, due: DueBaseline) -> None:
        turn = await self._desk.run(census.take_turn, due, actor=TIMER)
        if turn is not None:
            asked = replace(await self._ask(due), is_probe=turn.is_probe)
            await self._desk.run(census.counted, asked, actor=TIMER)

    async def _ask(self, due: DueBaseline) -> Asked:
        """The ids by the source of record. Texts see the end of the window as `now`, however late it is asked."""
        rule = due.policy.workflows[due.workflow].census
        assert rule is not None
        name = rule.request.connector or ""
        names = {"now": due.due_at}
        try:
            connector, resolved = self._connector(due, name)
            filled = fill(rule.request, names)
        except (MissingVariable, SettingsFault) as fault:
            return Asked(due, name, None, str(fault))
        except (Missing, ExpressionFault) as fault:
            return Asked(due, name, None, fault=f"census.request: {fault}")
        timeout = connector.timeout.seconds
        answer = await self._caller.send(connector, resolved, filled, timeout=timeout, headers={}, most=MOST_READ)
        return replace(_read(due, name, rule, answer), status=answer.status, was_sent=True)

    def _connector(self, due: DueBaseline, name: str) -> tuple[Connector, Resolved]:
        connector = due.policy.connectors[name]
        return connector, with_secrets(connector, self._environment)


def _read(due: DueBaseline, name: str, rule: Census, answer: Answer) -> Asked:
    share = random.random()  # noqa: S311
    if answer.status is None:
        return Asked(due, name, None, answer.error, may_pass=True, share=share)
    if answer.status >= 300:
        may_pass = answer.status in (408, 425, 429) or answer.status >= 500
        because, wait = f"it answered {answer.status}", answer.retry_after
        return Asked(due, name, None, because, may_pass=may_pass, share=share, retry_after=wait)
    if answer.is_cut:
        why = f"its answer is larger than {MOST_READ // 1024 // 1024} MiB; ask it for the ids alone"
        return Asked(due, name, None, why)
    try:
        ids = rule.ids.evaluate({"response": answer.as_names(), "now": due.due_at})
    except (Missing, ExpressionFault) as fault:
        return Asked(due, name, None, fault=f"census.ids: {fault}")
    if not isinstance(ids, list) or not all(_is_id(each) for each in ids):
        return Asked(due, name, None, fault="census.ids gives something else than a list of texts and numbers")
    return Asked(due, name, tuple(str(each) for each in ids))


def _is_id(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)
