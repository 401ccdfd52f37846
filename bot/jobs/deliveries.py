"""Carries deliveries on: asks `find` first where it must, sends, and reads what the answer means."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session

from bot.desk import deliveries
from bot.desk.attempts import Attempted, Verdict, attempted
from bot.desk.deliveries import Claimed
from bot.desk.desk import Desk
from bot.rules.actors import SYSTEM
from bot.rules.redaction import HIDDEN, as_shown, struck_out
from bot.settings import SettingsFault, read_secret
from runbooks.calls import Answer, Caller, Filled, fill
from runbooks.connectors import Connector, MissingVariable, Resolved, resolve, variables_of
from runbooks.contracts import Deliver
from runbooks.request import Request
from runbooks.templates import ExpressionFault, Missing

log = logging.getLogger(__name__)

AT_ONCE = 100
ERASED = "the event is about somebody whose data was erased: it cannot be sent any more"
LONGEST_RETRY_AFTER = timedelta(hours=1)


class Deliveries:
    """The delivery loop of this process. Any number of processes may run one on the same database."""

    def __init__(self, desk: Desk, caller: Caller, environment: Mapping[str, str]) -> None:
        self._desk = desk
        self._caller = caller
        self._environment = environment

    async def tick(self) -> int:
        """Carries on with all deliveries that are due, and returns how many requests that took."""
        count = 0
        while claimed := await self._claim():
            await asyncio.gather(*(self._carry_on(each) for each in claimed))
            count += len(claimed)
        return count

    async def _claim(self) -> list[Claimed]:
        """Asked beside the writers first, so that looking costs them nothing."""
        now = self._desk.clock.now()
        if not await self._desk.read(lambda session: deliveries.some_are_due(session, now)):
            return []
        return await self._desk.run(deliveries.claim, AT_ONCE, actor=SYSTEM)

    def next_due(self, session: Session) -> datetime | None:
        """When the next delivery may go on."""
        return deliveries.next_due(session)

    async def _carry_on(self, claimed: Claimed) -> None:
        try:
            came = await self._attempt(claimed)
        except Exception as fault:
            log.exception("a delivery failed", extra={"delivery_id": claimed.id})
            came = _unsure(claimed, f"a fault of our own ({type(fault).__name__}), see the log")
        await self._desk.run_joined(attempted, came)

    async def _attempt(self, claimed: Claimed) -> Attempted:
        if claimed.removed is None:
            return _impossible(claimed, ERASED)
        deliver = claimed.policy.workflows[claimed.workflow].deliver
        assert deliver is not None
        assert deliver.request is not None
        request = deliver.find.request if claimed.phase == "finding" and deliver.find else deliver.request
        try:
            connector, resolved = self._connector(claimed, request.connector or deliver.connector or "")
            filled = fill(request, claimed.names)
        except (MissingVariable, SettingsFault, Missing, ExpressionFault) as fault:
            return _impossible(claimed, str(fault))
        timeout = (deliver.timeout or connector.timeout).seconds
        headers = {} if claimed.phase == "finding" else {"Idempotency-Key": claimed.idempotency_key}
        answer = await self._caller.send(connector, resolved, filled, timeout=timeout, headers=headers)
        return _hidden(_read(claimed, deliver, filled, answer), request)

    def _connector(self, claimed: Claimed, name: str) -> tuple[Connector, Resolved]:
        connector = claimed.policy.connectors[name]
        said = {each: read_secret(self._environment, each) for each in variables_of(connector)}
        return connector, resolve(connector, {each: value for each, value in said.items() if value})


def _impossible(claimed: Claimed, because: str) -> Attempted:
    return Attempted(claimed, {}, None, "", because, Verdict.IMPOSSIBLE, because, 1.0)


def _unsure(claimed: Claimed, because: str) -> Attempted:
    return Attempted(claimed, {}, None, "", because, Verdict.UNKNOWN, because, 1.0)


def _read(claimed: Claimed, deliver: Deliver, filled: Filled, answer: Answer) -> Attempted:
    names = {**claimed.names, "response": answer.as_names()}
    try:
        verdict, because = _verdict(claimed, deliver, names, answer)
    except ExpressionFault as fault:
        verdict, because = Verdict.UNKNOWN, f"the contract has a fault: {fault}"
    return Attempted(
        claimed,
        filled.on_record(),
        answer.status,
        answer.text,
        answer.error,
        verdict,
        because,
        random.random(),  # noqa: S311
        _retry_after(answer),
    )


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
        return _found(deliver, names, answer)
    if deliver.already and deliver.already.decide(names).met:
        return Verdict.ALREADY, "it says that it was done before"
    if deliver.expect is None:
        decision_met, because = answer.status < 300, f"it answered {answer.status}"
    else:
        decision = deliver.expect.decide(names)
        decision_met, because = decision.met, decision.because
    if decision_met:
        return Verdict.DELIVERED, because
    if _is_unsure(answer.status):
        return Verdict.UNKNOWN, f"it answered {answer.status}"
    return Verdict.REFUSED, f"it answered {answer.status}: {because}"


def _found(deliver: Deliver, names: Mapping[str, Any], answer: Answer) -> tuple[Verdict, str]:
    assert deliver.find is not None
    assert answer.status is not None
    decision = deliver.find.found.decide(names)
    if decision.met:
        return Verdict.FOUND, "it is there already"
    if _is_unsure(answer.status) or answer.status in (401, 403):
        return Verdict.UNKNOWN, f"could not ask whether it is there: it answered {answer.status}"
    return Verdict.NOT_FOUND, decision.because


def _is_unsure(status: int) -> bool:
    """429 and 5xx say nothing of what happened."""
    return status == 429 or status >= 500


def _retry_after(answer: Answer) -> timedelta | None:
    """Retry-After in seconds (RFC 9110, section 10.2.3), an hour at the most; its date form is not read."""
    said = answer.headers.get("retry-after", "")
    return min(timedelta(seconds=int(said)), LONGEST_RETRY_AFTER) if said.isdigit() and len(said) < 9 else None
