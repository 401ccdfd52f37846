"""Carries deliveries on: asks `find` first where it must, sends, and reads what the answer means."""

from __future__ import annotations

import logging
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from pydantic_core import to_json
from sqlmodel import Session

from bot import tracing
from bot.desk import deliveries
from bot.desk.attempts import Attempted, attempted
from bot.desk.deliveries import Claimed, Room
from bot.desk.desk import Desk
from bot.jobs.credentials import with_secrets
from bot.jobs.flights import STOPS_WITHIN, Flights
from bot.logs import bound
from bot.rules.actors import SYSTEM
from bot.rules.circuit import UNKNOWN_CREDENTIALS, Heard, heard_in
from bot.rules.drills import Receiver
from bot.rules.redaction import HIDDEN, as_shown, struck_out
from bot.rules.sending import Verdict
from bot.rules.texts import storable
from bot.settings import SettingsFault
from runbooks.calls import KEPT_BYTES, Answer, Caller
from runbooks.connectors import Connector, MissingVariable, Resolved
from runbooks.contracts import Deliver
from runbooks.filling import Filled, fill
from runbooks.request import Request
from runbooks.templates import Decision, ExpressionFault, Missing

log = logging.getLogger(__name__)

ROOM = Room(in_all=400, for_one=100)
LONGEST_PATH = 2000
ERASED = "the event is about somebody whose data was erased: it cannot be sent any more"
KEY_TOO_OLD = "it may have arrived, and the receiver may not know its key any more: it could do it twice"


class Deliveries:
    """The delivery loop of this process. Any number of processes may run one on the same database."""

    def __init__(self, desk: Desk, caller: Caller, environment: Mapping[str, str]) -> None:
        self._desk = desk
        self._caller = caller
        self._environment = environment
        self._flights = Flights()
        self._under_way: Counter[str] = Counter()
        self._resolved: dict[tuple[str, str], tuple[Connector, Resolved]] = {}

    async def tick(self) -> int:
        """Starts all deliveries that are due and for which there is room, and returns how many those were. It does not
        wait for slow systems: what goes elsewhere does not stand behind them."""
        count = 0
        while sum(self._under_way.values()) < ROOM.in_all and (claimed := await self._claim()):
            self._resolved.clear()
            for each in claimed:
                self._start(each)
            count += len(claimed)
        return count

    async def drain(self) -> None:
        """Carries on until nothing may leave any more, and waits for what is under way."""
        await self._flights.drain(self.tick)

    async def stop(self, within: float = STOPS_WITHIN) -> None:
        """Waits for what is under way, so many seconds; what is left then is taken over when its lease ends."""
        await self._flights.stop(within)

    def _start(self, claimed: Claimed) -> None:
        self._under_way[claimed.connector] += 1

        def over() -> None:
            self._under_way[claimed.connector] -= 1

        self._flights.start(self._carry_on(claimed), over=over)

    async def _claim(self) -> list[Claimed]:
        """Asked beside the writers first, so that looking costs them nothing."""
        now = self._desk.clock.now()
        if not await self._desk.read(lambda session: deliveries.some_are_due(session, now)):
            return []
        return await self._desk.run(deliveries.claim, replace(ROOM, under_way=self._under_way.copy()), actor=SYSTEM)

    def next_due(self, session: Session) -> datetime | None:
        """When the next delivery may go on."""
        return deliveries.next_due(session)

    async def _carry_on(self, claimed: Claimed) -> None:
        case = f"C-{claimed.case_id}" if claimed.case_id else None
        about: dict[str, Any] = {"case": case, "event": f"E-{claimed.event_id}", "delivery": claimed.id}
        with bound(**about), tracing.span(f"deliver to {claimed.connector}", within=claimed.trace, **about) as span:
            try:
                came = await self._attempt(claimed)
            except Exception as fault:
                log.exception("a delivery failed")
                came = _unsure(claimed, f"a fault of our own ({type(fault).__name__}), see the log")
            span.set(status=came.status, verdict=came.verdict.value)
            await self._desk.run_joined(attempted, came)

    async def _attempt(self, claimed: Claimed) -> Attempted:
        if claimed.removed is None:
            return _impossible(claimed, ERASED)
        deliver = claimed.policy.workflows[claimed.workflow].deliver
        assert deliver is not None
        assert deliver.request is not None
        if claimed.is_key_old and claimed.phase == "sending":
            return _unsure(claimed, KEY_TOO_OLD)
        request = _request(claimed, deliver)
        try:
            connector, resolved = self._connector(claimed, request.connector or deliver.connector or "")
            filled = fill(request, claimed.names)
        except (MissingVariable, SettingsFault, Missing, ExpressionFault) as fault:
            return _impossible(claimed, str(fault))
        if claimed.is_drill:
            return _played(claimed, filled)
        timeout = (deliver.timeout or connector.timeout).seconds
        headers = {"Idempotency-Key": claimed.idempotency_key} if claimed.phase == "sending" else {}
        answer = await self._caller.send(connector, resolved, filled, timeout=timeout, headers=headers)
        return _bounded(_hidden(_read(claimed, deliver, filled, answer, connector.name), request))

    def _connector(self, claimed: Claimed, name: str) -> tuple[Connector, Resolved]:
        """The connector with its secrets, which are read anew for each claim: a file may have another one now."""
        known = self._resolved.get((claimed.policy.digest, name))
        if known is None:
            connector = claimed.policy.connectors[name]
            known = connector, with_secrets(connector, self._environment)
            self._resolved[claimed.policy.digest, name] = known
        return known


def _impossible(claimed: Claimed, because: str) -> Attempted:
    return Attempted(claimed, {}, None, "", because, Verdict.IMPOSSIBLE, because, 1.0)


def _unsure(claimed: Claimed, because: str) -> Attempted:
    return Attempted(claimed, {}, None, "", because, Verdict.UNKNOWN, because, 1.0)


def _played(claimed: Claimed, filled: Filled) -> Attempted:
    """A drill's request goes nowhere: its receiver takes everything, or never answers."""
    if claimed.connector == Receiver.SILENT:
        because = "it did not answer in time (a drill: nothing was sent)"
        verdict = Verdict.UNKNOWN
    else:
        because = "a drill: nothing was sent"
        verdict = {"finding": Verdict.NOT_FOUND, "verifying": Verdict.RIGHT}.get(claimed.phase, Verdict.DELIVERED)
    return Attempted(claimed, filled.on_record(), None, "", because, verdict, because, random.random())  # noqa: S311


def _request(claimed: Claimed, deliver: Deliver) -> Request:
    if claimed.phase == "finding" and deliver.find:
        return deliver.find.request
    if claimed.phase == "verifying" and deliver.verify:
        return deliver.verify.request
    assert deliver.request is not None
    return deliver.request


def _read(claimed: Claimed, deliver: Deliver, filled: Filled, answer: Answer, connector: str) -> Attempted:
    names = {**claimed.names, "response": answer.as_names()}
    try:
        verdict, because = _verdict(claimed, deliver, names, answer)
    except ExpressionFault as fault:
        verdict, because = Verdict.UNKNOWN, f"the contract has a fault: {fault}"
    return Attempted(
        claimed,
        filled.on_record(),
        answer.status,
        storable(answer.text),
        storable(answer.error),
        verdict,
        storable(because),
        random.random(),  # noqa: S311
        _heard(claimed, answer, verdict, connector),
        answer.retry_after,
    )


def _bounded(came: Attempted) -> Attempted:
    """The request as it is kept: of one that is too long, only where it went."""
    size = len(to_json(came.request))
    if size <= KEPT_BYTES:
        return came
    short = {name: str(came.request.get(name, ""))[:LONGEST_PATH] for name in ("method", "path")}
    return replace(came, request={**short, "json": f"{size:,} bytes: its event has them"})


def _heard(claimed: Claimed, answer: Answer, verdict: Verdict, connector: str) -> Heard | None:
    """What this says of the connector that the delivery waits for. Another one that was asked instead says nothing."""
    if connector != claimed.connector:
        return None
    is_good = verdict not in (Verdict.UNKNOWN, Verdict.DENIED, Verdict.REFUSED, Verdict.WRONG, Verdict.NOT_FOUND)
    return Heard.ANSWER if is_good else heard_in(answer.status)


def _hidden(came: Attempted, request: Request) -> Attempted:
    """The evidence as it may be kept: without what is redacted in the event, should the answer repeat it."""
    claimed = came.claimed
    if not claimed.removed:
        return came
    values = list(claimed.removed.values())
    shown = as_shown(came.request, _without_redacted(request, claimed))
    return replace(
        came,
        request=shown if isinstance(shown, dict) else {"request": HIDDEN},
        response=struck_out(came.response, values),
        error=struck_out(came.error, values),
        because=struck_out(came.because, values),
    )


def _without_redacted(request: Request, claimed: Claimed) -> Any:
    try:
        return fill(request, {**claimed.names, "event": claimed.shown_event}).on_record()
    except (Missing, ExpressionFault):
        return HIDDEN


def _verdict(claimed: Claimed, deliver: Deliver, names: Mapping[str, Any], answer: Answer) -> tuple[Verdict, str]:
    """What the answer means, and why. Whether a failure is for good is decided here and nowhere else."""
    if answer.status is None:
        return Verdict.UNKNOWN, answer.error
    if claimed.phase == "finding" and deliver.find:
        return _found(deliver, names, answer.status)
    if claimed.phase == "verifying" and deliver.verify:
        return _verified(deliver.verify.expect.decide(names), answer.status)
    if deliver.already and deliver.already.decide(names).met:
        return Verdict.ALREADY, "it says that it was done before"
    if deliver.expect is None:
        decision_met, because = answer.status < 300, f"it answered {answer.status}"
    else:
        decision = deliver.expect.decide(names)
        decision_met, because = decision.met, decision.because
    if decision_met:
        return Verdict.DELIVERED, because
    if answer.status in UNKNOWN_CREDENTIALS:
        return Verdict.DENIED, f"it answered {answer.status}"
    if _is_unsure(answer.status):
        return Verdict.UNKNOWN, f"it answered {answer.status}"
    return Verdict.REFUSED, because if deliver.expect is None else f"it answered {answer.status}: {because}"


def _found(deliver: Deliver, names: Mapping[str, Any], status: int) -> tuple[Verdict, str]:
    assert deliver.find is not None
    decision = deliver.find.found.decide(names)
    if decision.met:
        return Verdict.FOUND, "it is there already"
    if status in UNKNOWN_CREDENTIALS:
        return Verdict.DENIED, f"could not ask whether it is there: it answered {status}"
    if _is_unsure(status):
        return Verdict.UNKNOWN, f"could not ask whether it is there: it answered {status}"
    return Verdict.NOT_FOUND, decision.because


def _verified(decision: Decision, status: int) -> tuple[Verdict, str]:
    if decision.met:
        return Verdict.RIGHT, decision.because
    if status in UNKNOWN_CREDENTIALS:
        return Verdict.DENIED, f"could not ask whether it is right there: it answered {status}"
    if _is_unsure(status):
        return Verdict.UNKNOWN, f"could not ask whether it is right there: it answered {status}"
    return Verdict.WRONG, f"it answered {status}: {decision.because}"


def _is_unsure(status: int) -> bool:
    """429 and 5xx say nothing of what happened."""
    return status == 429 or status >= 500
