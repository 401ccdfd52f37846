"""Retry and Replay: an event on its way to its workflow's connector again, by the rules of *Sending again*."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import and_, func, insert, or_, select, update
from sqlmodel import Session, col

from bot.desk.acting import begin, finish
from bot.desk.commands import Outcome
from bot.desk.telling import in_thread
from bot.desk.tx import Tx
from bot.rules.permissions import Act
from bot.rules.refusals import Refused
from bot.rules.saying import What
from bot.rules.sending import Backoff, Fate, Key, Past, Plan, Verb, next_attempt_at, plan
from runbooks.contracts import Deliver
from runbooks.policy import Policy
from store.audit import canonical
from store.models import Attempt, Case, Delivery, Event

LEASE = timedelta(seconds=90)
FATES = {
    "delivered": Fate.DELIVERED,
    "already_there": Fate.DELIVERED,
    "refused": Fate.REFUSED,
    "unknown": Fate.UNKNOWN,
    "dead": Fate.REFUSED,
    "finding": Fate.UNDER_WAY,
    "sending": Fate.UNDER_WAY,
}
"""`dead` is what was never sent, because it could not be asked for or filled in."""


@dataclass(frozen=True, slots=True)
class AskRetry:
    """Take up what failed last. `confirmed`: a person said yes to "this may do it twice"."""

    case_id: int
    confirmed: bool = False
    request_key: str | None = None


@dataclass(frozen=True, slots=True)
class AskReplay:
    """Send the stored event again, by the contract of now."""

    case_id: int
    confirmed: bool = False
    request_key: str | None = None


@dataclass(frozen=True, slots=True)
class Possible:
    """What a case has to offer: something to retry, something to replay."""

    retry: bool
    replay: bool


def possible(session: Session, case: Case, policy: Policy) -> Possible:
    """Which of the two buttons the card of this case shows."""
    if case.event_id is None or _deliver(policy, case.workflow) is None:
        return Possible(False, False)
    last = _last(session, case.event_id)
    fate = FATES[last.state] if last else Fate.NEVER_BY_US
    is_failure = fate in (Fate.UNKNOWN, Fate.REFUSED) or (
        fate is Fate.NEVER_BY_US and case.failure_mode == "delivery_failed"
    )
    return Possible(is_failure, fate is not Fate.UNDER_WAY)


def ask_retry(tx: Tx, command: AskRetry) -> Outcome:
    """Owes the failed delivery once more. Refused (`needs_confirmation`) where it may do its work twice and nobody
    can be asked; refused while it is under way."""
    return _ask(tx, command, Verb.RETRY)


def ask_replay(tx: Tx, command: AskReplay) -> Outcome:
    """Owes the stored event once more, as a new generation. Refused as `ask_retry` is."""
    return _ask(tx, command, Verb.REPLAY)


def _ask(tx: Tx, command: AskRetry | AskReplay, verb: Verb) -> Outcome:
    acting = begin(tx, command, Act.RUN)
    if isinstance(acting, Outcome):
        return acting
    case = acting.case
    policy = tx.policy_of(case) if verb is Verb.RETRY else tx.policy
    deliver = _deliver(policy, case.workflow)
    if case.event_id is None or deliver is None:
        raise Refused("nothing_to_send", _nothing(case, verb))
    event = tx.session.get_one(Event, case.event_id)
    last = _last(tx.session, event.id)
    chosen = plan(
        verb,
        _past(event, last),
        has_find=deliver.find is not None,
        now=tx.now,
        key_lasts=timedelta(seconds=deliver.key_lasts.seconds),
    )
    if chosen is None:
        raise Refused("under_way", f"{case.ref} is being sent already; its thread will say what came of it.")
    if chosen.confirm and not command.confirmed:
        raise Refused("needs_confirmation", chosen.confirm)
    delivery_id = _owe(tx, case, event, last, chosen, verb, policy, confirmed=command.confirmed)
    facts = {"by": tx.actor.id, "verb": verb.value, "because": chosen.because}
    tx.record(
        f"delivery.{verb.value}_asked",
        case_id=case.id,
        delivery=delivery_id,
        event=event.id,
        because=chosen.because,
        find_first=chosen.find_first,
        confirmed=command.confirmed,
    )
    return finish(tx, acting, What.DELIVERY_ASKED, facts)


def _nothing(case: Case, verb: Verb) -> str:
    if case.event_id is None:
        return f"{case.ref} came without the event that failed, so there is nothing to {verb}."
    return f"The contract of {case.workflow} does not say how to send its events (`deliver`), so {verb} cannot."


def _deliver(policy: Policy, workflow: str) -> Deliver | None:
    contract = policy.workflows.get(workflow)
    deliver = contract.deliver if contract else None
    return deliver if deliver and deliver.connector and deliver.request else None


def _last(session: Session, event_id: int) -> Delivery | None:
    newest = select(Delivery).where(col(Delivery.event_id) == event_id).order_by(col(Delivery.generation).desc())
    return session.execute(newest.limit(1)).scalar_one_or_none()


def _past(event: Event, last: Delivery | None) -> Past:
    if last is None:
        return Past(Fate.NEVER_BY_US, event.key is not None, event.received_at)
    return Past(FATES[last.state], event.key is not None, last.key_born_at)


def _owe(
    tx: Tx,
    case: Case,
    event: Event,
    last: Delivery | None,
    chosen: Plan,
    verb: Verb,
    policy: Policy,
    *,
    confirmed: bool,
) -> int:
    generation = (last.generation if last else 0) + 1
    row = {
        "case_id": case.id,
        "event_id": event.id,
        "workflow": case.workflow,
        "connector": _connector_of(policy, case.workflow),
        "verb": verb.value,
        "generation": generation,
        "idempotency_key": _key(event, last, chosen, generation),
        "key_born_at": _born_at(tx, event, last, chosen),
        "policy_digest": policy.digest,
        "state": "finding" if chosen.find_first else "sending",
        "content": event.content,
        "asked_by": tx.actor.id,
        "asked_at": tx.now,
        "confirmed": confirmed,
        "attempts": 0,
        "due_at": tx.now,
        "because": "",
    }
    return int(tx.session.execute(insert(Delivery).returning(col(Delivery.id)), [row]).scalar_one())


def _connector_of(policy: Policy, workflow: str) -> str:
    deliver = _deliver(policy, workflow)
    assert deliver is not None
    assert deliver.connector is not None
    return deliver.connector


def _key(event: Event, last: Delivery | None, chosen: Plan, generation: int) -> str:
    """The Idempotency-Key: the event's identity, its content's digest and a generation."""
    if chosen.key is Key.SAME and last:
        return last.idempotency_key
    if chosen.key is Key.REPORTED and event.key:
        return event.key
    return f"{event.key or f'event-{event.id}'}:{event.digest[:16]}:{generation}"


def _born_at(tx: Tx, event: Event, last: Delivery | None, chosen: Plan) -> datetime:
    if chosen.key is Key.SAME and last:
        return last.key_born_at
    return event.received_at if chosen.key is Key.REPORTED else tx.now


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery to carry on with now. `names` is what its texts and conditions see."""

    id: int
    case_id: int
    workflow: str
    verb: str
    phase: str
    attempts: int
    idempotency_key: str
    policy: Policy
    names: Mapping[str, Any]


def claim(tx: Tx, limit: int) -> list[Claimed]:
    """Takes deliveries that are due, for one lease. One whose sender did not come back is taken up again under the
    same key: whether it arrived is not known, and the receiver knows the key."""
    free = or_(col(Delivery.lease_until).is_(None), col(Delivery.lease_until) <= tx.now)
    due = select(Delivery).where(col(Delivery.due_at) <= tx.now, free).order_by(col(Delivery.due_at)).limit(limit)
    rows = list(tx.session.execute(due.with_for_update(skip_locked=True)).scalars())
    if rows:
        taken = update(Delivery).where(col(Delivery.id).in_([row.id for row in rows]))
        tx.session.execute(
            taken.values(lease_until=tx.now + LEASE, attempts=col(Delivery.attempts) + 1).execution_options(
                synchronize_session=False
            )
        )
    return [_claimed(tx, row) for row in rows]


def _claimed(tx: Tx, row: Delivery) -> Claimed:
    assert row.id is not None
    case = tx.session.get_one(Case, row.case_id)
    policy = tx.policies.compiled(tx.session, row.policy_digest)
    names = {"event": row.content, "now": tx.now, "case": case_names(case)}
    return Claimed(
        row.id, case.id, case.workflow, row.verb, row.state, row.attempts + 1, row.idempotency_key, policy, names
    )


def case_names(case: Case) -> dict[str, Any]:
    """A case as expressions and texts see it."""
    return {
        "ref": case.ref,
        "title": case.title,
        "subject": case.subject,
        "priority": case.priority,
        "state": case.state,
        "workflow": case.workflow,
        "failure_mode": case.failure_mode,
        "risk": case.risk,
        "owner": case.owner,
        "opened_at": case.opened_at,
        "quarantined": 0,
    }


class Verdict(StrEnum):
    """What an attempt means."""

    FOUND = "found"
    NOT_FOUND = "not_found"
    DELIVERED = "delivered"
    ALREADY = "already"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    IMPOSSIBLE = "impossible"


@dataclass(frozen=True, slots=True)
class Attempted:
    """What one request of a delivery came to. `share` (0 to 1) is the jitter of the next wait."""

    claimed: Claimed
    request: Mapping[str, Any]
    status: int | None
    response: str
    error: str
    verdict: Verdict
    because: str
    share: float
    retry_after: timedelta | None = None


def attempted(tx: Tx, command: Attempted) -> None:
    """Keeps the evidence and moves the delivery on: to the sending, to another try, or to its end, which its thread
    is told."""
    claimed = command.claimed
    row = tx.session.execute(select(Delivery).where(col(Delivery.id) == claimed.id).with_for_update()).scalar_one()
    if row.state != claimed.phase or row.attempts != claimed.attempts:
        return
    tx.session.execute(
        insert(Attempt),
        [
            {
                "delivery_id": row.id,
                "at": tx.now,
                "purpose": claimed.phase,
                "request": dict(command.request),
                "status": command.status,
                "response": command.response,
                "error": command.error,
            }
        ],
    )
    if command.verdict is Verdict.NOT_FOUND:
        _move(tx, row, state="sending", due_at=tx.now, attempts=0)
    elif command.verdict is Verdict.UNKNOWN and (again_at := _again_at(tx, row, command)):
        _move(tx, row, due_at=again_at, because=command.because)
    else:
        _end(tx, row, command)


def _again_at(tx: Tx, row: Delivery, command: Attempted) -> datetime | None:
    deliver = _deliver(command.claimed.policy, command.claimed.workflow)
    if deliver is None:
        return None
    retry = deliver.retry
    backoff = Backoff(
        retry.attempts, timedelta(seconds=retry.first.seconds), retry.factor, timedelta(seconds=retry.max.seconds)
    )
    return next_attempt_at(
        backoff,
        made=row.attempts,
        now=tx.now,
        share=command.share,
        retry_after=command.retry_after,
        key_ends_at=row.key_born_at + timedelta(seconds=deliver.key_lasts.seconds),
    )


def _move(tx: Tx, row: Delivery, **values: Any) -> None:
    tx.session.execute(
        update(Delivery)
        .where(col(Delivery.id) == row.id)
        .values(lease_until=None, **values)
        .execution_options(synchronize_session=False)
    )


ENDS = {
    Verdict.FOUND: "already_there",
    Verdict.ALREADY: "already_there",
    Verdict.DELIVERED: "delivered",
    Verdict.REFUSED: "refused",
    Verdict.UNKNOWN: "unknown",
    Verdict.IMPOSSIBLE: "dead",
}


def _end(tx: Tx, row: Delivery, command: Attempted) -> None:
    state = ENDS[command.verdict]
    if row.state == "finding" and command.verdict in (Verdict.UNKNOWN, Verdict.REFUSED):
        state = "dead"
    _move(tx, row, state=state, due_at=None, status=command.status, because=command.because)
    case = tx.session.get_one(Case, row.case_id)
    is_done = state in ("delivered", "already_there")
    digest = hashlib.sha256(canonical(command.response).encode()).hexdigest()
    tx.record(
        "delivery.ended",
        case_id=case.id,
        delivery=row.id,
        verb=row.verb,
        state=state,
        status=command.status,
        attempts=row.attempts,
        because=command.because,
        response_digest=digest,
    )
    in_thread(
        tx,
        case,
        What.DELIVERY_DONE if is_done else What.DELIVERY_FAILED,
        verb=row.verb,
        status=command.status,
        response=command.response[:500],
        because=command.because,
        already=state == "already_there",
    )
    tx.owe_card(case.id, case.channel)


def next_due(session: Session) -> datetime | None:
    """When the next delivery may go on; None: none is under way."""
    waits = and_(col(Delivery.due_at).is_not(None), col(Delivery.lease_until).is_(None))
    taken = col(Delivery.lease_until).is_not(None)
    times = [
        session.execute(select(func.min(col(Delivery.due_at))).where(waits)).scalar(),
        session.execute(select(func.min(col(Delivery.lease_until))).where(taken)).scalar(),
    ]
    return min((at for at in times if at is not None), default=None)
