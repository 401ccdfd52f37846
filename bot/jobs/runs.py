"""Carries runs on: sends the requests that their steps come to, and reads what the answers mean."""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from pydantic_core import to_json
from sqlmodel import Session

from bot import tracing
from bot.desk.desk import Desk
from bot.desk.runs import stepping, waking
from bot.desk.runs.calling import Answered, Errand
from bot.desk.runs.rows import LONGEST_BECAUSE
from bot.jobs.credentials import with_secrets
from bot.jobs.flights import STOPS_WITHIN, Flights
from bot.logs import bound
from bot.rules.actors import SYSTEM
from bot.rules.circuit import Heard, heard_in
from bot.rules.redaction import struck_out
from bot.rules.texts import storable
from bot.settings import SettingsFault
from runbooks import striking
from runbooks.calls import KEPT_BYTES, Answer, Caller
from runbooks.connectors import MissingVariable
from runbooks.steps import KINDS
from runbooks.steps.shape import Judged, Judgement
from runbooks.templates import ExpressionFault

log = logging.getLogger(__name__)

ROOM = 200
"""So many requests of runs are under way at once."""
LONG = 1.0
"""Seconds after which an answer takes long: then the lease is renewed."""
DEEPEST = 100
"""What is nested deeper in an answer is left out: it could neither be kept nor shown."""
NOTHING = Answer(None, {}, None, "", "", was_sent=False)


class Runs:
    """The runs of this process. Any number of processes may carry runs on with the same database."""

    def __init__(self, desk: Desk, caller: Caller, environment: Mapping[str, str]) -> None:
        self._desk = desk
        self._caller = caller
        self._environment = environment
        self._flights = Flights()
        self._asked: dict[int, tuple[float, Errand]] = {}

    async def tick(self) -> int:
        """Moves the runs that are due and for whose requests there is room; how many requests were begun."""
        count = 0
        while len(self._flights) < ROOM and (errands := await self._claim()):
            for errand in errands:
                self._flights.start(self._on_record(errand))
            count += len(errands)
        return count

    async def drain(self) -> None:
        """Carries on until nothing is due any more, and waits for what is under way."""
        await self._flights.drain(self.tick)

    async def stop(self, within: float = STOPS_WITHIN) -> None:
        """Waits for what is under way, so many seconds; what is left then is taken up again when its lease ends."""
        await self._flights.stop(within)

    async def renew(self) -> int:
        """Says of the requests that take longer that their answers are still waited for; how many those are."""
        long_ago = asyncio.get_running_loop().time() - LONG
        slow = [errand for since, errand in self._asked.values() if since < long_ago]
        if slow:
            await self._desk.run(stepping.renew, slow, actor=SYSTEM)
        return len(slow)

    def next_due(self, session: Session) -> datetime | None:
        """When the next run goes on."""
        return waking.next_due(session)

    async def _claim(self) -> list[Errand]:
        """Asked beside the writers first, so that looking costs them nothing."""
        now, mine = self._desk.clock.now(), frozenset(self._asked)
        if not await self._desk.read(lambda session: stepping.some_are_due(session, now, mine)):
            return []
        return await self._desk.run(stepping.claim, stepping.Room(ROOM - len(self._flights), mine), actor=SYSTEM)

    async def _on_record(self, errand: Errand) -> None:
        about: dict[str, Any] = {"run": errand.run_id, "workflow": errand.workflow}
        with bound(**about), tracing.span(f"request of a run to {errand.connector.name}", within=errand.trace, **about):
            await self._carry_on(errand)

    async def _carry_on(self, errand: Errand) -> None:
        """One request after another, until the run waits or is over."""
        following: Errand | None = errand
        try:
            while following is not None:
                self._asked[errand.run_id] = asyncio.get_running_loop().time(), following
                following = await self._desk.run_joined(stepping.answered, await self._answer(following))
        except Exception:
            log.exception("an answer could not be taken in")
        finally:
            self._asked.pop(errand.run_id, None)

    async def _answer(self, errand: Errand) -> Answered:
        try:
            resolved = with_secrets(errand.connector, self._environment)
        except (MissingVariable, SettingsFault) as fault:
            return _answered(errand, NOTHING, Judged(Judgement.REFUSED, str(fault)))
        headers = {"Idempotency-Key": errand.key}
        try:
            answer = await self._caller.send(
                errand.connector, resolved, errand.filled, timeout=errand.timeout, headers=headers
            )
            return _struck(_judged(errand, answer), resolved.secrets)
        except Exception as fault:
            log.exception("a step failed")
            because = f"a fault of our own ({type(fault).__name__}), see the log"
            return _answered(errand, NOTHING, Judged(Judgement.UNKNOWN, because))


def _heard(answer: Answer, judged: Judged) -> Heard | None:
    if answer is NOTHING:
        return None
    return Heard.ANSWER if judged.judgement is Judgement.DONE else heard_in(answer.status)


def _judged(errand: Errand, answer: Answer) -> Answered:
    try:
        judged = KINDS[errand.kind].judge(errand.step, errand.names, answer)
    except ExpressionFault as fault:
        because = f"expect: {fault}"
        return _answered(errand, answer, Judged(Judgement.REFUSED, because), policy_fault=because)
    return _answered(errand, answer, judged)


def _struck(came: Answered, secrets: tuple[str, ...]) -> Answered:
    """Its words without secrets and without what is redacted in the event: a condition names what it looks for."""

    def struck(text: str) -> str:
        return struck_out(striking.struck_out(text, secrets), came.errand.removed.values())[:LONGEST_BECAUSE]

    judged = Judged(came.judged.judgement, struck(came.judged.because))
    return replace(came, judged=judged, error=struck(came.error), policy_fault=struck(came.policy_fault))


def _answered(errand: Errand, answer: Answer, judged: Judged, *, policy_fault: str = "") -> Answered:
    return Answered(
        errand,
        Judged(judged.judgement, storable(judged.because)),
        answer.status,
        _response(answer),
        storable(answer.text),
        storable(answer.error or ("" if answer.status else judged.because)),
        random.random(),  # noqa: S311
        _heard(answer, judged),
        answer.retry_after,
        storable(policy_fault),
    )


def _response(answer: Answer) -> dict[str, Any]:
    """What later steps see of an answer."""
    names: dict[str, Any] = _all_storable(answer.as_names())
    return names if len(to_json(names)) <= 2 * KEPT_BYTES else {**names, "headers": {}}


def _all_storable(value: Any, depth: int = 0) -> Any:
    """A JSON value as both databases keep it: they refuse some characters, and numbers that JSON does not have."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict | list) and depth >= DEEPEST:
        return None
    if isinstance(value, dict):
        return {storable(name): _all_storable(each, depth + 1) for name, each in value.items()}
    return [_all_storable(each, depth + 1) for each in value] if isinstance(value, list) else value
