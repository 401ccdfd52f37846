"""How much is open, owed and due, for whoever watches the service. Each figure stops at `MOST`, so that asking costs no
more on the day when much is waiting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, bindparam, func, select
from sqlmodel import Session, col

from store.closing_models import Check
from store.models import Case, Delivery, Owed, Timer
from store.run_models import Run

MOST = 20_000


@dataclass(frozen=True, slots=True)
class Depth:
    """How many are due, and since when the first of them is."""

    count: int
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Depths:
    """Open cases by priority and state, messages owed by kind, and what is due in each queue. A figure of `MOST` is
    that or more."""

    cases: Mapping[tuple[str, str], int]
    messages: Mapping[str, int]
    queues: Mapping[str, Depth]


def depths(session: Session, now: datetime) -> Depths:
    """All of it, at one instant."""
    queues = {
        "messages": _depth(session, Owed.not_before_at, now, _is_waiting()),
        "timers": _depth(session, Timer.due_at, now),
        "deliveries": _depth(session, Delivery.due_at, now),
        "runs": _depth(session, Run.due_at, now),
        "checks": _depth(session, Check.due_at, now),
    }
    return Depths(_open_cases(session), _owed_by_kind(session), queues)


def _open_cases(session: Session) -> dict[tuple[str, str], int]:
    open_ = select(col(Case.priority), col(Case.state)).where(col(Case.closed_at).is_(None), ~col(Case.is_drill))
    some = open_.limit(MOST).subquery()
    found = session.execute(select(some.c.priority, some.c.state, func.count()).group_by(some.c.priority, some.c.state))
    return {(priority, state): count for priority, state, count in found}


def _owed_by_kind(session: Session) -> dict[str, int]:
    some = select(col(Owed.kind)).where(_is_waiting()).limit(MOST).subquery()
    return {kind: count for kind, count in session.execute(select(some.c.kind, func.count()).group_by(some.c.kind))}


def _is_waiting() -> ColumnElement[bool]:
    """The words of the condition of the table's partial indexes."""
    states: Any = bindparam(None, ("owed", "sending"), expanding=True, literal_execute=True)
    return col(Owed.state).in_(states)


def _depth(session: Session, due_at: Any, now: datetime, *of: ColumnElement[bool]) -> Depth:
    some = select(due_at.label("due_at")).where(due_at <= now, *of).order_by(due_at).limit(MOST).subquery()
    count, since = session.execute(select(func.count(), func.min(some.c.due_at))).one()
    return Depth(count, since)
