"""Timers are rows: what is due is claimed by lease, so that any number of processes share the work and one that dies
leaves it to the others."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, or_, select, tuple_, update
from sqlmodel import Session, col

from bot.desk.tx import Tx
from store.models import Timer

CLAIM_LEASE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class DueTimer:
    """A timer as it was when it was claimed."""

    case_id: int
    kind: str
    due_at: datetime
    step: int


def claim_due(tx: Tx, limit: int) -> list[DueTimer]:
    """At most `limit` timers that are due and that nobody else has, longest due first; they are the caller's for a
    minute. On PostgreSQL those that another transaction is claiming are skipped."""
    due = (
        select(col(Timer.case_id), col(Timer.kind))
        .where(*_may_be_claimed(tx.now))
        .order_by(col(Timer.due_at))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    taken = (
        update(Timer)
        .where(tuple_(col(Timer.case_id), col(Timer.kind)).in_(due))
        .values(lease_until=tx.now + CLAIM_LEASE)
        .returning(col(Timer.case_id), col(Timer.kind), col(Timer.due_at), col(Timer.step))
        .execution_options(synchronize_session=False)
    )
    claimed = [DueTimer(*row) for row in tx.session.execute(taken)]
    return sorted(claimed, key=lambda timer: (timer.due_at, timer.case_id))


def some_are_due(session: Session, now: datetime) -> bool:
    """Whether a claim would find something."""
    return session.execute(select(col(Timer.case_id)).where(*_may_be_claimed(now)).limit(1)).first() is not None


def _may_be_claimed(now: datetime) -> tuple[ColumnElement[bool], ...]:
    is_free = or_(col(Timer.lease_until).is_(None), col(Timer.lease_until) <= now)
    return col(Timer.due_at) <= now, is_free


def next_due(session: Session) -> datetime | None:
    """When the next timer is due that nobody has claimed; None: none runs."""
    free = select(func.min(col(Timer.due_at))).where(col(Timer.due_at).is_not(None), col(Timer.lease_until).is_(None))
    return session.execute(free).scalar_one_or_none()
