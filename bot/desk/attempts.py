"""What came of the requests of deliveries: kept as evidence, and the delivery moved on, to its end or to another try.
Set-based: all answers that wait are one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlmodel import col

from bot.desk.deliveries import Claimed, deliver_of
from bot.desk.endings import Ending, tell_cases, undelivered_first, well_ended
from bot.desk.tx import Tx
from bot.rules.sending import Backoff, next_attempt_at
from store.columns import Instant
from store.models import Attempt, Delivery
from store.rows import insert_rows
from store.sealing import desk_key, keyed


class Verdict(StrEnum):
    """What an attempt means."""

    FOUND = "found"
    NOT_FOUND = "not_found"
    DELIVERED = "delivered"
    ALREADY = "already"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    IMPOSSIBLE = "impossible"


ENDS = {
    Verdict.FOUND: "already_there",
    Verdict.ALREADY: "already_there",
    Verdict.DELIVERED: "delivered",
    Verdict.REFUSED: "refused",
    Verdict.UNKNOWN: "unknown",
    Verdict.IMPOSSIBLE: "dead",
}


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

    def __len__(self) -> int:
        """One answer."""
        return 1


def attempted(tx: Tx, came: Sequence[Attempted]) -> list[None]:
    """Keeps the evidence and moves each delivery on: to the sending, to another try, or to its end, which its case is
    told. An answer that comes after another process took the delivery over changes nothing."""
    rows = {row.id: row for row in tx.session.execute(_LOCKED, {"ids": [each.claimed.id for each in came]})}
    mine = [each for each in came if _is_mine(each, rows.get(each.claimed.id))]
    insert_rows(tx.session, Attempt, [_evidence(tx, each) for each in mine])
    key = desk_key(tx.session)
    moves, endings = [], []
    for each in mine:
        row = rows[each.claimed.id]
        if each.verdict is Verdict.NOT_FOUND:
            moves.append(_move(row.id, state="sending", due_at=tx.now, attempts=0))
        elif each.verdict is Verdict.UNKNOWN and (again_at := _again_at(tx, row, each)):
            moves.append(_move(row.id, state=row.state, due_at=again_at, attempts=row.attempts, because=each.because))
        else:
            endings.append(_ending(row, each, key))
            moves.append(
                _move(
                    row.id,
                    state=endings[-1].state,
                    due_at=None,
                    attempts=row.attempts,
                    status=each.status,
                    because=each.because,
                )
            )
    if moves:
        tx.session.connection().execute(_moved(), moves)
    well_ended(tx, [each for each in endings if each.is_done])
    undelivered_first(tx, [each for each in endings if not each.is_done and each.case_id is None])
    tell_cases(tx, [each for each in endings if each.case_id is not None])
    return [None] * len(came)


_LOCKED = (
    select(
        *(getattr(Delivery, name) for name in ("id", "state", "attempts", "case_id", "event_id", "verb", "key_born_at"))
    )
    .where(col(Delivery.id).in_(bindparam("ids", expanding=True)))
    .order_by(col(Delivery.id))
    .with_for_update()
)


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


def _again_at(tx: Tx, row: Any, each: Attempted) -> datetime | None:
    deliver = deliver_of(each.claimed.policy, each.claimed.workflow)
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
        share=each.share,
        retry_after=each.retry_after,
        key_ends_at=row.key_born_at + timedelta(seconds=deliver.key_lasts.seconds),
    )


def _ending(row: Any, each: Attempted, key: bytes) -> Ending:
    state = ENDS[each.verdict]
    if row.state == "finding" and each.verdict in (Verdict.UNKNOWN, Verdict.REFUSED):
        state = "dead"
    return Ending(
        delivery_id=row.id,
        case_id=row.case_id,
        event_id=row.event_id,
        workflow=each.claimed.workflow,
        policy=each.claimed.policy,
        content=each.claimed.names["event"],
        verb=row.verb,
        state=state,
        status=each.status,
        attempts=row.attempts,
        because=each.because,
        response=each.response,
        response_digest=keyed(key, each.response),
    )


def _move(delivery_id: int, **values: Any) -> dict[str, Any]:
    return {"_id": delivery_id, "_status": None, "_because": "", **{f"_{name}": each for name, each in values.items()}}


@cache
def _moved() -> Any:
    table = Delivery.__table__  # type: ignore[attr-defined]
    values: dict[str, Any] = {name: bindparam(f"_{name}") for name in ("state", "attempts", "status", "because")}
    values["due_at"] = bindparam("_due_at", type_=Instant)
    return update(table).where(table.c.id == bindparam("_id")).values(lease_until=None, **values)
