"""Outcomes that stay away: what is due is claimed by lease, as timers are, and becomes a case of its event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.exc import OperationalError
from sqlmodel import Session, col

from bot.desk.intake import report_many
from bot.desk.kept import contents_of
from bot.desk.outcomes import hear_kept
from bot.desk.settling import awaited, missing, write
from bot.desk.tx import Tx
from store.contract_models import Expected
from store.database import Stale

CLAIM_LEASE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class DueOutcome:
    """An expectation as it was when it was claimed."""

    event_id: int
    due_at: datetime


@dataclass(frozen=True, slots=True)
class PutOff:
    """One that could not be carried out; it is tried again when its lease ends, and the others were carried out."""

    outcome: DueOutcome
    fault: Exception


@dataclass(frozen=True, slots=True)
class Done:
    """What became of the outcomes that were due."""

    count: int
    put_off: tuple[PutOff, ...] = ()


def claim_due(tx: Tx, limit: int) -> list[DueOutcome]:
    """At most `limit` expectations whose window has passed and that nobody else has, longest due first; they are the
    caller's for a minute. On PostgreSQL those that another transaction is claiming are skipped."""
    due = (
        select(col(Expected.event_id))
        .where(*_may_be_claimed(tx.now))
        .order_by(col(Expected.due_at))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    taken = (
        update(Expected)
        .where(col(Expected.event_id).in_(due))
        .values(lease_until=tx.now + CLAIM_LEASE)
        .returning(col(Expected.event_id), col(Expected.due_at))
        .execution_options(synchronize_session=False)
    )
    return sorted(
        (DueOutcome(*row) for row in tx.session.execute(taken)), key=lambda each: (each.due_at, each.event_id)
    )


def _may_be_claimed(now: datetime) -> tuple[ColumnElement[bool], ...]:
    is_free = or_(col(Expected.lease_until).is_(None), col(Expected.lease_until) <= now)
    return col(Expected.due_at).is_not(None), col(Expected.due_at) <= now, is_free


def some_are_due(session: Session, now: datetime) -> bool:
    """Whether a claim would find something."""
    return session.execute(select(col(Expected.event_id)).where(*_may_be_claimed(now)).limit(1)).first() is not None


def next_due(session: Session) -> datetime | None:
    """When the next window passes, or a claim ends; None: nothing is waited for."""
    due, lease = col(Expected.due_at), col(Expected.lease_until)
    times = (
        session.execute(select(func.min(due)).where(due.is_not(None), lease.is_(None))).scalar(),
        session.execute(select(func.min(lease)).where(lease.is_not(None))).scalar(),
    )
    return min((at for at in times if at is not None), default=None)


def miss(tx: Tx, due: Sequence[DueOutcome]) -> Done:
    """Each of these is missing: a case. One that is no longer as it was claimed is left alone. One that cannot be
    carried out is left to the end of its lease, and holds up no other."""
    try:
        return Done(_miss_together(tx, due))
    except (Stale, OperationalError):
        raise
    except Exception as fault:
        if len(due) == 1:
            return Done(0, (PutOff(due[0], fault),))
    parts = [miss(tx, [each]) for each in due]
    return Done(sum(part.count for part in parts), tuple(each for part in parts for each in part.put_off))


def _miss_together(tx: Tx, due: Sequence[DueOutcome]) -> int:
    with tx.session.begin_nested():
        part = Tx(tx.session, tx.now, tx.actor, tx.policies)
        claimed = {each.event_id: each.due_at for each in due}
        known = awaited(part, claimed)
        hear_kept(part, {each.event_id: (each.workflow, each.key) for each in known.values()})
        away = [
            each
            for event_id, each in awaited(part, claimed).items()
            if each.state == "waiting" and each.due_at == claimed[event_id]
        ]
        contents = contents_of(part.session, [each.event_id for each in away])
        reported = report_many(part, [missing(each, contents[each.event_id], part.actor) for each in away])
        for each, result in zip(away, reported, strict=True):
            each.state, each.case_id = "missing", int(result.case.removeprefix("C-"))
            part.record("outcome.missing", workflow=each.workflow, event=each.event_id, case=result.case)
        write(part, away)
        part.flush()
        return len(away)
