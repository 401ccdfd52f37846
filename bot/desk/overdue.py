"""What should have happened by now and has not, by its rows. Each question reads an index."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import and_, exists, select, text
from sqlmodel import Session, col

from bot.desk import outages
from bot.desk.escalations import LONGEST_DELAY
from bot.rules.auditor import LATE, LEFT, UNSENT_PAGE, Found, Kind, late_timer, may_have_left
from bot.rules.instants import at_second
from store import leaves
from store.audit import Broken
from store.closing_models import Check
from store.contract_models import ConnectorState, Expected
from store.models import Delivery, Owed, Timer
from store.run_models import Run
from store.watch_models import Turn

IS_WAITING = text("outbox.state IN ('owed', 'sending')")
"""Word for word as the index of these rows has it: only then SQLite uses it."""
TRIES = 4
"""Of one timer in vain; by then its minute has passed."""
MOST = 100
"""Of each kind in one look: who hears of a hundred need not hear of the rest now."""


def overdue(session: Session, now: datetime) -> list[Found]:
    """All that is overdue at this moment, a hundred of each kind at the most."""
    looks = (_timers, _outcomes, _unsent, _left, _chains)
    return [found for look in looks for found in look(session, now)]


def _timers(session: Session, now: datetime) -> Iterator[Found]:
    timer = Timer
    late = select(col(timer.case_id), col(timer.kind), col(timer.step), col(timer.due_at))
    for row in session.execute(late.where(col(timer.due_at) < now - LATE).order_by(col(timer.due_at)).limit(MOST)):
        yield late_timer(*row)
    again = select(col(timer.case_id), col(timer.kind), col(timer.step), col(timer.attempts))
    put_off = col(timer.due_at) < now + LONGEST_DELAY, col(timer.attempts) >= TRIES
    for case_id, kind, step, attempts in session.execute(again.where(*put_off).limit(MOST)):
        about = f"C-{case_id}: its {kind} timer cannot be fired: it was tried {attempts} times, see the log"
        yield Found(Kind.LATE, f"late:{case_id}:{kind}:{step}:put_off", about)


def _outcomes(session: Session, now: datetime) -> Iterator[Found]:
    late = select(col(Expected.event_id), col(Expected.workflow), col(Expected.due_at))
    late = late.where(col(Expected.due_at) < now - LATE).order_by(col(Expected.due_at)).limit(MOST)
    for event, workflow, due_at in session.execute(late):
        about = f"{workflow}: the outcome of event {event} was to be looked for at {at_second(due_at)}"
        yield Found(Kind.LATE, f"late:outcome:{event}:{due_at.isoformat()}", about)


def _unsent(session: Session, now: datetime) -> Iterator[Found]:
    """Messages that could leave and do not. While Slack is away, that is known, and told another way."""
    if outages.since(session, outages.SLACK):
        return
    back_at = outages.ended_at(session, outages.SLACK)
    owed = select(col(Owed.id), col(Owed.kind), col(Owed.channel), col(Owed.case_id), col(Owed.not_before_at))
    ready = IS_WAITING, col(Owed.state) == "owed", col(Owed.not_before_at) < now - UNSENT_PAGE
    for row in session.execute(owed.where(*ready).order_by(col(Owed.not_before_at)).limit(MOST)):
        if not may_have_left(kind=row.kind, ready_at=row.not_before_at, slack_back_at=back_at, now=now):
            whose = f"C-{row.case_id}" if row.case_id else "the desk"
            about = f"{whose}: a message ({row.kind}) to {row.channel} could leave since {at_second(row.not_before_at)}"
            yield Found(Kind.UNSENT, f"unsent:{row.id}", about)


def _left(session: Session, now: datetime) -> Iterator[Found]:
    """Work that somebody claimed and nobody ended, and that nobody has taken over."""
    long_ago = now - LEFT
    is_shut = exists().where(
        col(ConnectorState.connector) == col(Delivery.connector), col(ConnectorState.state) != "closed"
    )
    sending = and_(IS_WAITING, col(Owed.state) == "sending", col(Owed.lease_until) < long_ago)
    claims: tuple[tuple[str, Any, Any, Any], ...] = (
        ("message", col(Owed.id), col(Owed.lease_until), sending),
        ("delivery", col(Delivery.id), col(Delivery.lease_until), and_(_is_left(Delivery, long_ago), ~is_shut)),
        ("run", col(Run.id), col(Run.lease_until), _is_left(Run, long_ago)),
        ("check", col(Check.id), col(Check.lease_until), _is_left(Check, long_ago)),
        ("turn", col(Turn.name), col(Turn.due_at), col(Turn.due_at) < long_ago - LEFT),
    )
    for name, key, until, which in claims:
        for number, at in session.execute(select(key, until).where(which).limit(MOST)):
            about = f"{name} {number}: whoever had it was to be done by {at_second(at)}, and nobody has taken it over"
            yield Found(Kind.LEFT, f"left:{name}:{number}:{at.isoformat()}", about)


def _is_left(model: Any, long_ago: datetime) -> Any:
    return and_(model.due_at < long_ago, model.lease_until < long_ago)


def _chains(session: Session, _: datetime) -> Iterator[Found]:
    for broken in leaves.broken(session)[:MOST]:
        yield of_chain(broken)


def of_chain(broken: Broken) -> Found:
    """A chain of the audit log that does not hold."""
    return Found(Kind.BROKEN, f"broken:{broken}", f"audit log, {broken}")
