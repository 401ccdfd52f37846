"""Events grow old. First what they carried goes, and the row stays: it is what a repeat is known by. Later the row goes
too, with its deliveries, runs and outcomes, unless a case names it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, delete, or_, select, update
from sqlmodel import Session, col

from bot.desk.pruning import Prunable, by_time, case_of_event_is_busy, is_busy, some
from bot.desk.tx import Tx
from bot.rules.retention import OLD, kept_for
from store.contract_models import Drill, Expected, OutcomeCame, Trigger
from store.models import Attempt, Case, Delivery, Event, ExceptionReport
from store.run_models import Run, RunApproval, RunAttempt, RunStep
from store.writing import strike

_EVENTS = Event.__table__  # type: ignore[attr-defined]
_EMPTIED = (
    update(_EVENTS)
    .where(_EVENTS.c.id == bindparam("_id"))
    .values(
        content={}, sealed=None, gone=bindparam("_gone"), drop_at=bindparam("_drop_at", type_=_EVENTS.c.drop_at.type)
    )
)


def is_needed(before: datetime) -> ColumnElement[bool]:
    """Whether somebody may still send an event or look at it: a case that may need it, a delivery or run under way, an
    outcome that it waits for."""
    event_id = col(Event.id)
    reported = some(
        ExceptionReport.id,
        col(ExceptionReport.event_id) == event_id,
        col(ExceptionReport.case_id) == Case.id,
        is_busy(Case, before),
    )
    return or_(
        some(Case.id, col(Case.event_id) == event_id, is_busy(Case, before)),
        reported,
        case_of_event_is_busy(event_id, before),
        some(Delivery.id, col(Delivery.event_id) == event_id, col(Delivery.due_at).is_not(None)),
        some(Expected.event_id, col(Expected.event_id) == event_id, col(Expected.due_at).is_not(None)),
        some(Run.id, col(Run.event_id) == event_id, col(Run.ended_at).is_(None)),
    )


def empty(tx: Tx, event_ids: Sequence[int], gone: str) -> int:
    """Nothing of what these events carried is left, here or in what came of them; when their rows may go is written.
    Those that are empty already are left as they are; how many were not."""
    whole = select(col(Event.id), col(Event.received_at)).where(col(Event.id).in_(event_ids), col(Event.gone).is_(None))
    rows = tx.session.execute(whole.with_for_update()).all()
    if not rows:
        return 0
    lasts = kept_for(tx.policy.team.defaults.retention, "records")
    emptied = [{"_id": row.id, "_gone": gone, "_drop_at": max(tx.now, row.received_at + lasts)} for row in rows]
    tx.session.connection().execute(_EMPTIED, emptied)
    ids = [row.id for row in rows]
    strike(tx.session, col(OutcomeCame.event_id), ids, content={})
    strike(tx.session, col(Delivery.event_id), ids, content=None)
    return len(ids)


def _is_not_needed(before: datetime) -> ColumnElement[bool]:
    return and_(col(Event.gone).is_(None), ~is_needed(before))


def _empty_old(tx: Tx, event_ids: Sequence[int]) -> int:
    """Looks once more: somebody may have had one sent again since they were found."""
    before = tx.now - kept_for(tx.policy.team.defaults.retention, "payloads")
    still = select(col(Event.id)).where(col(Event.id).in_(event_ids), ~is_needed(before))
    return empty(tx, list(tx.session.execute(still).scalars()), OLD)


def _drop(tx: Tx, event_ids: Sequence[int]) -> int:
    """Deletes the events and all that came of them; one that is named by what stays is kept, and looked at no more.
    Returns how many are done with."""
    kept = set(tx.session.execute(select(col(Event.id)).where(col(Event.id).in_(event_ids), _is_named())).scalars())
    strike(tx.session, col(Event.id), sorted(kept), drop_at=None)
    ids = [each for each in event_ids if each not in kept]
    _drop_runs(tx.session, ids)
    deliveries = select(col(Delivery.id)).where(col(Delivery.event_id).in_(ids))
    _delete(tx.session, Attempt, col(Attempt.delivery_id).in_(deliveries))
    for model in (Delivery, Expected, OutcomeCame, Trigger):
        _delete(tx.session, model, col(model.event_id).in_(ids))
    _delete(tx.session, Event, col(Event.id).in_(ids))
    return len(event_ids)


def _is_named() -> ColumnElement[bool]:
    event_id = col(Event.id)
    of_case = [
        (model.event_id, col(model.event_id) == event_id, col(model.case_id).is_not(None))
        for model in (Trigger, Delivery, Expected, Run)
    ]
    named = [col(Case.event_id), col(ExceptionReport.event_id), col(Drill.event_id), col(Run.item_id)]
    return or_(
        *(some(*each) for each in of_case),
        *(some(column, column == event_id) for column in named),
        some(Trigger.event_id, col(Trigger.released_from) == event_id),
    )


def _drop_runs(session: Session, event_ids: Sequence[int]) -> None:
    """The runs of these events, and those that their steps carried out."""
    found = list(session.execute(select(col(Run.id)).where(col(Run.event_id).in_(event_ids))).scalars())
    latest = found
    while latest := [each for each in session.execute(_CHILDREN, {"ids": latest}).scalars() if each not in found]:
        found = [*found, *latest]
    if not found:
        return
    steps = select(col(RunStep.id)).where(col(RunStep.run_id).in_(found))
    _delete(session, RunAttempt, col(RunAttempt.step_id).in_(steps))
    for model in (RunStep, RunApproval):
        _delete(session, model, col(model.run_id).in_(found))
    _delete(session, Run, col(Run.id).in_(found))


_CHILDREN = select(col(Run.id)).where(col(Run.parent_id).in_(bindparam("ids", expanding=True)))


def _delete(session: Session, model: Any, where: ColumnElement[bool]) -> None:
    session.execute(delete(model).where(where).execution_options(synchronize_session=False))


EVENTS: tuple[Prunable, ...] = (
    Prunable("payloads", by_time(col(Event.id), col(Event.received_at), _is_not_needed), _empty_old),
    Prunable(None, by_time(col(Event.id), col(Event.drop_at)), _drop),
)
