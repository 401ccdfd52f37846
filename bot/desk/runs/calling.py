"""Requests of steps: when one may leave, under which key, and what its answer means for the step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlmodel import col

from bot.desk import connectors
from bot.desk.passing import take_turn
from bot.desk.runs.rows import Going, save, save_steps, seal_response
from bot.desk.tx import Tx
from bot.rules.circuit import UNKNOWN_CREDENTIALS, Heard
from bot.rules.redaction import HIDDEN, struck_out
from bot.rules.sending import Backoff, is_too_old, next_attempt_at
from runbooks.connectors import Connector
from runbooks.filling import Filled
from runbooks.request import Retry
from runbooks.steps.shape import Call, Judged, Judgement
from store.contract_models import Trigger
from store.rows import insert_rows
from store.run_models import RunAttempt, RunStep
from store.sealing import desk_key, keyed

KEY_LASTS = timedelta(hours=24)
"""So long a receiver is taken to remember a key: the policy language's default."""
BEYOND_TIMEOUT = timedelta(seconds=30)
LEASE = timedelta(seconds=3)
"""So long a request under way is its sender's, who says again and again that it still waits for the answer: of one that
died, the run goes on elsewhere after that, under the same key."""
NOT_KNOWN = "whether it happened is not known, for an earlier request under its key was not answered"
KEY_TOO_OLD = "it may have happened, and the receiver may not know its key any more: it could do it twice"


@dataclass(frozen=True, slots=True)
class Errand:
    """A request that a step makes now. `shown` is the request as it may be kept, `removed` what that leaves out;
    `names` is what its `expect` sees. `version`: of the run when it was sent; at another one the answer is too late."""

    run_id: int
    version: int
    position: int
    item_id: int
    attempt: int
    workflow: str
    connector: Connector
    filled: Filled
    shown: Mapping[str, Any]
    removed: Mapping[str, Any]
    names: Mapping[str, Any]
    step: Any
    kind: str
    timeout: float
    key: str
    is_undo: bool
    is_probe: bool
    trace: str | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """What an errand came to. `response` is what later steps see of it, `text` what is kept as evidence; `heard` is
    what it says of its connector (None: nothing); `share` (0 to 1) is the jitter of the next wait; `policy_fault` says
    why its `expect` cannot be decided."""

    errand: Errand
    judged: Judged
    status: int | None
    response: Mapping[str, Any]
    text: str
    error: str
    share: float
    heard: Heard | None = None
    retry_after: timedelta | None = None
    policy_fault: str = ""

    def __len__(self) -> int:
        """One answer."""
        return 1


@dataclass(frozen=True, slots=True)
class Sending:
    """A request that is to leave for a step: as it is, and as it may be shown. `step` has the `timeout` that its answer
    has, and the `expect` and the `retry` that it is judged by; `names` is what they see."""

    call: Call
    shown: Call
    step: Any
    names: Mapping[str, Any]
    is_undo: bool = False


def send(tx: Tx, going: Going, position: int, sending: Sending) -> Errand | None:
    """The errand; None while its connector lets nothing pass, or where it may not be repeated any more: then the step
    has failed."""
    row, call = going.steps[position], sending.call
    if _may_not_be_repeated(tx, row, call):
        fail(tx, going, position, KEY_TOO_OLD, is_undo=sending.is_undo)
        return None
    connector = going.policy.connectors[call.connector]
    timeout = (call.timeout or sending.step.timeout or connector.timeout).seconds
    turn = take_turn(tx, call.connector, 1, lease=timedelta(seconds=timeout) + BEYOND_TIMEOUT)
    if not turn.passing:
        going.run.due_at = turn.again_at
        going.touch(position, because=f"held: {call.connector} takes nothing at the moment")
        return None
    before = row.unanswered if row.key_born_at else 0
    unanswered = before if call.is_safe else before + 1
    going.touch(position, attempts=row.attempts + 1, unanswered=unanswered, key_born_at=row.key_born_at or tx.now)
    going.run.due_at = going.run.lease_until = tx.now + LEASE
    return Errand(
        run_id=going.run.id or 0,
        version=going.run.version + 1,
        position=position,
        item_id=going.item_id,
        attempt=row.attempts,
        workflow=going.run.workflow,
        connector=connector,
        filled=call.filled,
        shown=sending.shown.filled.on_record(),
        removed=(going.kept.removed or {}) if going.kept else {},
        names=sending.names,
        step=sending.step,
        kind=row.kind,
        timeout=timeout,
        key=key_of(going, row, is_undo=sending.is_undo),
        is_undo=sending.is_undo,
        is_probe=turn.is_probe,
        trace=going.case.trace if going.case else _trace_of(tx, going.event_id),
    )


def _trace_of(tx: Tx, event_id: int | None) -> str | None:
    wanted = select(col(Trigger.trace)).where(col(Trigger.event_id) == event_id)
    return tx.session.execute(wanted).scalar() if event_id else None


def key_of(going: Going, row: RunStep, *, is_undo: bool) -> str:
    """The Idempotency-Key of a step's request: the same for each try whose result is not known, another one after it
    was answered and refused."""
    run = going.run
    born = int(run.asked_at.timestamp())
    return f"run-{run.id}-{born}:{row.item_id}:{row.name}:{row.generation}{':undo' if is_undo else ''}"


def _may_not_be_repeated(tx: Tx, row: RunStep, call: Call) -> bool:
    if call.is_safe or row.key_born_at is None:
        return False
    return is_too_old(row.key_born_at, key_lasts=KEY_LASTS, may_have_been_sent=row.attempts > 0, now=tx.now)


def listen(tx: Tx, came: Sequence[Answered]) -> None:
    """Takes in what the answers say of the connectors that they came from, all of them at once."""
    results = [
        connectors.Result(
            connector=each.errand.connector.name,
            heard=each.heard,
            event_id=-each.errand.run_id,
            workflow=each.errand.workflow,
            because=each.judged.because,
            is_probe=each.errand.is_probe,
            denied_before=each.status in UNKNOWN_CREDENTIALS and each.errand.attempt > 1,
            retry_after=each.retry_after,
        )
        for each in came
        if each.heard
    ]
    if results:
        connectors.tell(tx, connectors.listen(tx, results).values())


def take_in(tx: Tx, going: Going, came: Answered) -> None:
    """Keeps the evidence, and moves the step to its end or to another try. That goes under a new key only where each
    request under the old one was answered and refused."""
    position, row = came.errand.position, going.steps[came.errand.position]
    going.run.lease_until, going.run.due_at = None, tx.now
    _keep(tx, row, came)
    _count(going, came)
    judgement, because = came.judged.judgement, came.judged.because
    refused = judgement is Judgement.REFUSED
    if judgement is Judgement.DONE:
        _done(tx, going, came)
    elif row.unanswered and judgement is not Judgement.UNKNOWN:
        fail(tx, going, position, f"{because}; {NOT_KNOWN}", is_undo=came.errand.is_undo)
    elif judgement is not Judgement.DENIED and (again_at := _again_at(tx, row, came)):
        generation, born = (row.generation + 1, None) if refused else (row.generation, row.key_born_at)
        going.touch(position, because=because, generation=generation, key_born_at=born)
        going.run.due_at = again_at
    else:
        fail(tx, going, position, because, is_undo=came.errand.is_undo)


def take_in_late(tx: Tx, going: Going, came: Answered) -> None:
    """Keeps the evidence of what was on its way when the run was stopped, or when another process took it over; nothing
    follows from it but what is known. What that one is waiting for stays as it is."""
    row = _step_of(tx, going, came.errand)
    if row is None:
        return
    _keep(tx, row, came)
    is_at_it = going.item_id == came.errand.item_id
    if is_at_it and came.errand.key == key_of(going, row, is_undo=came.errand.is_undo):
        _count(going, came)
    record(tx, going, "run.answered_late", step=row.name, status=came.status, because=came.judged.because)
    if going.run.ended_at is None:
        save_steps(tx, going)
    else:
        save(tx, going)


def _step_of(tx: Tx, going: Going, errand: Errand) -> RunStep | None:
    if going.item_id == errand.item_id:
        return going.steps.get(errand.position)
    mine = col(RunStep.run_id) == errand.run_id, col(RunStep.item_id) == errand.item_id
    return tx.session.execute(select(RunStep).where(*mine, col(RunStep.position) == errand.position)).scalar()


def _count(going: Going, came: Answered) -> None:
    """One request less of which nobody knows what it did, where it was refused or never left."""
    row, judgement = going.steps[came.errand.position], came.judged.judgement
    was_refused = came.status is not None and came.status != 429 and came.status < 500
    never_left = came.heard is None and came.status is None
    if judgement in (Judgement.REFUSED, Judgement.DENIED) and (was_refused or never_left) and row.unanswered:
        going.touch(came.errand.position, unanswered=row.unanswered - 1)


def _keep(tx: Tx, row: RunStep, came: Answered) -> None:
    kept = {
        "step_id": row.id,
        "purpose": "undo" if came.errand.is_undo else "step",
        "at": tx.now,
        "request": dict(came.errand.shown),
        "status": came.status,
        "response": struck_out(came.text, came.errand.removed.values()),
        "error": struck_out(came.error, came.errand.removed.values()),
    }
    insert_rows(tx.session, RunAttempt, [kept])


def _done(tx: Tx, going: Going, came: Answered) -> None:
    position = came.errand.position
    shown = struck_out_of(came.response, came.errand.removed)
    if came.errand.is_undo:
        going.touch(position, state="undone", because=came.judged.because)
    else:
        going.touch(position, state="done", ended_at=tx.now, because=came.judged.because, response=shown)
        if shown != came.response:
            seal_response(tx, going, position, came.response)
    action = "run.step_undone" if came.errand.is_undo else "run.step_done"
    digest = keyed(desk_key(tx.session), came.text)
    record(tx, going, action, step=going.steps[position].name, status=came.status, response_digest=digest)


def struck_out_of(value: Any, removed: Mapping[str, Any]) -> Any:
    """A value of an answer without what is taken out of the event: in keys and texts, and as a number."""
    if not removed:
        return value
    if isinstance(value, Mapping):
        return {struck_out(name, removed.values()): struck_out_of(each, removed) for name, each in value.items()}
    if isinstance(value, list):
        return [struck_out_of(each, removed) for each in value]
    if isinstance(value, str):
        return struck_out(value, removed.values())
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return HIDDEN if is_number and struck_out(str(value), removed.values()) == HIDDEN else value


def fail(tx: Tx, going: Going, position: int, because: str, *, is_undo: bool = False) -> None:
    """The step has failed; or what it did could not be taken back."""
    because = going.struck(because)
    row = going.touch(position, state="not_undone" if is_undo else "failed", because=because, ended_at=tx.now)
    action = "run.step_not_undone" if is_undo else "run.step_failed"
    record(tx, going, action, step=row.name, because=because)


def record(tx: Tx, going: Going, action: str, **detail: Any) -> None:
    """An audit entry in the chain of the run's case, or of its workflow."""
    run = going.run
    if run.case_id is not None:
        tx.record(action, case_id=run.case_id, run=run.id, runbook=run.runbook, **detail)
    else:
        tx.record(action, workflow=run.workflow, run=run.id, runbook=run.runbook, event=run.event_id, **detail)


def _again_at(tx: Tx, row: RunStep, came: Answered) -> datetime | None:
    retry: Retry | None = came.errand.step.retry
    if retry is None:
        return None
    backoff = Backoff(
        retry.attempts, timedelta(seconds=retry.first.seconds), retry.factor, timedelta(seconds=retry.max.seconds)
    )
    born = row.key_born_at if came.judged.judgement is Judgement.UNKNOWN else None
    return next_attempt_at(
        backoff,
        made=row.attempts,
        now=tx.now,
        share=came.share,
        retry_after=came.retry_after,
        key_ends_at=born + KEY_LASTS if born else None,
    )
