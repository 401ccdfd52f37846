"""What came of the requests of deliveries: kept as evidence, and the delivery moved on, to its end or to another try.
Set-based: all answers that wait are one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, assert_never

from sqlalchemy import bindparam, select, update

from bot.desk import connectors
from bot.desk.connectors import Result
from bot.desk.deliveries import Claimed, deliver_of
from bot.desk.endings import Ending, tell_cases, undelivered_first, verified, well_ended, without_owner
from bot.desk.people import find_role
from bot.desk.runs.waking import wake_senders
from bot.desk.tx import Tx
from bot.rules.circuit import UNKNOWN_CREDENTIALS, Heard
from bot.rules.routing import terms
from bot.rules.sending import Backoff, Course, Verdict, course, next_attempt_at
from bot.rules.windows import due
from runbooks.contracts import Deliver
from store.columns import Instant
from store.models import Attempt, Delivery
from store.rows import insert_rows
from store.sealing import desk_key, keyed

ENDS = {
    Verdict.FOUND: "already_there",
    Verdict.ALREADY: "already_there",
    Verdict.DELIVERED: "delivered",
    Verdict.REFUSED: "refused",
    Verdict.DENIED: "refused",
    Verdict.UNKNOWN: "unknown",
    Verdict.IMPOSSIBLE: "dead",
    Verdict.RIGHT: "delivered",
    Verdict.WRONG: "delivered",
}


@dataclass(frozen=True, slots=True)
class Attempted:
    """What one request of a delivery came to. `heard` is what that says of its connector (None: nothing); `share` (0 to
    1) is the jitter of the next wait."""

    claimed: Claimed
    request: Mapping[str, Any]
    status: int | None
    response: str
    error: str
    verdict: Verdict
    because: str
    share: float
    heard: Heard | None = None
    retry_after: timedelta | None = None

    def __len__(self) -> int:
        """One answer."""
        return 1


def attempted(tx: Tx, came: Sequence[Attempted]) -> list[None]:
    """Keeps the evidence and moves each delivery on: held with its connector, to the sending, to another try, to be
    verified, or to its end, which its case is told. An answer that comes after another process took the delivery over
    changes nothing. A probe that could not even be asked with leaves its turn to the next one."""
    locked = tx.session.connection().execute(_LOCKED, {"ids": [each.claimed.id for each in came]})
    rows = {row.id: row for row in locked}
    mine = [each for each in came if _is_mine(each, rows.get(each.claimed.id))]
    insert_rows(tx.session, Attempt, [_evidence(tx, each) for each in mine])
    heard = connectors.listen(tx, [_result(each, rows[each.claimed.id]) for each in mine if each.heard])
    key = desk_key(tx.session)
    moves, endings = [], []
    for each in mine:
        row, seen = rows[each.claimed.id], heard.get(each.claimed.connector)
        move = _next(tx, row, each, is_shut_off=bool(each.heard and seen and seen.is_shut_off))
        moves.append(move)
        if move["_is_over"]:
            endings.append(_ending(row, each, key))
    _write(tx, moves)
    _follow(tx, endings)
    for each in mine:
        if each.claimed.is_probe and not each.request:
            connectors.ask_now(tx, each.claimed.connector)
    connectors.tell(tx, heard.values())
    return [None] * len(came)


def _follow(tx: Tx, endings: Sequence[Ending]) -> None:
    """What follows from these ends. What is verified was at its first end before."""
    first = [each for each in endings if not each.is_verified]
    well_ended(tx, [each for each in first if each.is_done])
    undelivered_first(tx, [each for each in first if not each.is_done and each.case_id is None])
    asked_for = [each for each in first if each.case_id is not None]
    tell_cases(tx, asked_for)
    undelivered_first(tx, without_owner(tx, asked_for))
    verified(tx, [each for each in endings if each.is_verified])
    wake_senders(tx, {each.delivery_id for each in endings} | {each.event_id for each in endings})


_NAMES = ("id", "state", "attempts", "case_id", "event_id", "verb", "key_born_at", "status", "connector")
_TABLE = Delivery.__table__  # type: ignore[attr-defined]
_LOCKED = (
    select(*(_TABLE.c[name] for name in _NAMES))
    .where(_TABLE.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(_TABLE.c.id)
    .with_for_update()
)


def _result(each: Attempted, row: Any) -> Result:
    assert each.heard is not None
    return Result(
        connector=each.claimed.connector,
        heard=each.heard,
        event_id=row.event_id,
        workflow=each.claimed.workflow,
        because=each.because,
        is_probe=each.claimed.is_probe,
        denied_before=row.status in UNKNOWN_CREDENTIALS,
        retry_after=each.retry_after,
    )


def _next(tx: Tx, row: Any, each: Attempted, *, is_shut_off: bool) -> dict[str, Any]:
    """How the delivery goes on."""
    deliver = deliver_of(each.claimed.policy, each.claimed.workflow)
    again_at = _again_at(tx, row, each, deliver) if deliver and each.verdict is Verdict.UNKNOWN else None
    chosen = course(
        each.verdict,
        is_verifying=row.state == "verifying",
        has_verify=bool(deliver and deliver.verify),
        is_shut_off=is_shut_off,
        has_attempt_left=again_at is not None,
    )
    said: dict[str, Any] = {"status": each.status, "because": each.because}
    match chosen:
        case Course.HOLD:
            return _move(row, each, due_at=tx.now, attempts=row.attempts - 1, **said)
        case Course.SEND:
            return _move(row, each, state="sending", due_at=tx.now, attempts=0, key_born_at=tx.now)
        case Course.AGAIN:
            return _move(row, each, due_at=again_at, **said)
        case Course.VERIFY:
            assert deliver
            return _move(row, each, is_over=True, **_verifying(tx, each, deliver), **said)
        case Course.END:
            return _move(row, each, is_over=True, state=_end(row, each), due_at=None, **said)
    assert_never(chosen)


def _verifying(tx: Tx, each: Attempted, deliver: Deliver) -> dict[str, Any]:
    """When, and of which connector, it is asked whether the state is right."""
    verify = deliver.verify
    assert verify
    contract = each.claimed.policy.workflows[each.claimed.workflow]
    owner = find_role(each.claimed.policy, terms(each.claimed.policy, contract, "conflict", None).owner)
    calendar = each.claimed.policy.team.calendars[owner.calendar]
    due_at = due(calendar, start=tx.now, within=verify.after) if verify.after else tx.now
    connector = verify.request.connector or each.claimed.connector
    connectors.know(tx, [connector])
    return {"state": "verifying", "due_at": due_at, "attempts": 0, "connector": connector}


def _is_mine(each: Attempted, row: Any) -> bool:
    return row is not None and (row.state, row.attempts) == (each.claimed.phase, each.claimed.attempts)


def _evidence(tx: Tx, each: Attempted) -> dict[str, Any]:
    return {
        "delivery_id": each.claimed.id,
        "at": tx.now,
        "purpose": each.claimed.phase,
        "request": dict(each.request),
        "status": each.status,
        "response": each.response,
        "error": each.error,
    }


def _again_at(tx: Tx, row: Any, each: Attempted, deliver: Deliver) -> datetime | None:
    retry = deliver.retry
    backoff = Backoff(
        retry.attempts, timedelta(seconds=retry.first.seconds), retry.factor, timedelta(seconds=retry.max.seconds)
    )
    key_ends_at = row.key_born_at + timedelta(seconds=deliver.key_lasts.seconds) if row.state == "sending" else None
    return next_attempt_at(
        backoff,
        made=row.attempts,
        now=tx.now,
        share=each.share,
        retry_after=each.retry_after,
        key_ends_at=key_ends_at,
    )


def _end(row: Any, each: Attempted) -> str:
    if row.state == "verifying":
        return "delivered"
    if row.state == "finding" and each.verdict in (Verdict.UNKNOWN, Verdict.DENIED):
        return "unknown" if each.claimed.is_key_old else "dead"
    return ENDS[each.verdict]


def _ending(row: Any, each: Attempted, key: bytes) -> Ending:
    return Ending(
        delivery_id=row.id,
        case_id=row.case_id,
        event_id=row.event_id,
        workflow=each.claimed.workflow,
        policy=each.claimed.policy,
        content=each.claimed.names["event"],
        verb=row.verb,
        state=_end(row, each),
        status=each.status,
        attempts=row.attempts,
        because=each.because,
        response=each.response,
        response_digest=keyed(key, each.response),
        is_verified=row.state == "verifying",
        is_right={Verdict.RIGHT: True, Verdict.WRONG: False}.get(each.verdict),
    )


def _move(row: Any, each: Attempted, *, is_over: bool = False, **values: Any) -> dict[str, Any]:
    before = {name: getattr(row, name) for name in ("state", "attempts", "connector", "key_born_at")}
    given = {"status": None, "because": each.because, **before, **values}
    return {"_id": row.id, "_is_over": is_over, **{f"_{name}": value for name, value in given.items()}}


def _write(tx: Tx, moves: Sequence[Mapping[str, Any]]) -> None:
    if moves:
        rows = [{name: value for name, value in move.items() if name != "_is_over"} for move in moves]
        tx.session.connection().execute(_moved(), rows)


@cache
def _moved() -> Any:
    values: dict[str, Any] = {
        name: bindparam(f"_{name}") for name in ("state", "attempts", "status", "because", "connector")
    }
    values |= {name: bindparam(f"_{name}", type_=Instant) for name in ("due_at", "key_born_at")}
    return update(_TABLE).where(_TABLE.c.id == bindparam("_id")).values(lease_until=None, **values)
