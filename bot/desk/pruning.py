"""What nobody needs any more goes, in small steps: found beside the writers, let go of a few hundred rows at a time, so
that nothing waits long behind one. Not on record: what happened is in the audit log, and these rows only served to do
it, or to show it for a while. Cases and the audit log stay.

The age of what belongs to a case counts from its closing. What an open case, a delivery or a run still needs is left
alone, however old it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, delete, or_, select
from sqlmodel import Session, col

from bot.desk.outbox import EDITED
from bot.desk.tx import Tx
from runbooks.team import DataKind
from store.closing_models import Check, Closing
from store.contract_models import OutcomeCame, Release, Trigger
from store.models import Attempt, Case, Delivery, ExceptionReport, Owed, SeenRequest
from store.run_models import Run, RunAttempt, RunStep
from store.writing import strike

Page = tuple[Sequence[Any], Any]
"""Keys of rows that may go, and the place up to which was looked."""


@dataclass(frozen=True, slots=True)
class Prunable:
    """Rows that go for their age. `find` says which of those older than an instant may, a page from a place on;
    `let_go` lets go of them and returns how many that were. `kind` None: the rows say when."""

    kind: DataKind | None
    find: Callable[[Session, datetime, Any, int], Page]
    let_go: Callable[[Tx, Sequence[Any]], int]


def some(column: Any, *where: Any) -> ColumnElement[bool]:
    """Whether there is such a row: one look into an index for each row that it is asked of. A scalar, because
    PostgreSQL may answer EXISTS for all rows at once, by reading the other table from end to end."""
    return select(column).where(*where).limit(1).scalar_subquery().is_not(None)


def first_since(session: Session, id_: Any, at: Any, before: datetime) -> int:
    """The lowest id of the rows that are not older: ids grow with time, so that halving finds it in a few looks,
    without an index of times that every insert would have to keep."""
    low = session.execute(select(id_).where(id_ > 0).order_by(id_).limit(1)).scalar()
    if low is None:
        return 0
    high = session.execute(select(id_).where(id_ > 0).order_by(id_.desc()).limit(1)).scalar_one() + 1
    while low < high:
        middle = (low + high) // 2
        row = session.execute(select(id_, at).where(id_ >= middle).order_by(id_).limit(1)).one_or_none()
        if row is None or row[1] >= before:
            high = middle
        else:
            low = row[0] + 1
    return int(low)


def is_busy(case: Any, before: datetime) -> ColumnElement[bool]:
    """Whether a case may still need what belongs to it: it is open, was closed since, or a run of it goes on."""
    goes_on = some(Run.id, col(Run.case_id) == case.id, col(Run.ended_at).is_(None))
    return or_(case.closed_at.is_(None), case.closed_at >= before, goes_on)


def case_of_event_is_busy(event_id: Any, before: datetime) -> ColumnElement[bool]:
    """Whether an event came to a case that may still need it."""
    return some(
        Trigger.event_id, col(Trigger.event_id) == event_id, col(Trigger.case_id) == Case.id, is_busy(Case, before)
    )


def by_number(model: Any, at: Any, *may_go: Callable[[datetime], ColumnElement[bool]]) -> Any:
    """`find` for a table whose numbers grow with time."""

    def find(session: Session, before: datetime, after: Any, most: int) -> Page:
        last = first_since(session, model.id, at, before)
        old = select(model.id).where(model.id > (after or 0), model.id < last, *(each(before) for each in may_go))
        ids = list(session.execute(old.order_by(model.id).limit(most)).scalars())
        return ids, ids[-1] if ids else None

    return find


def by_time(key: Any, at: Any, *may_go: Callable[[datetime], ColumnElement[bool]]) -> Any:
    """`find` for a table that has an index of its times."""

    def find(session: Session, before: datetime, after: Any, most: int) -> Page:
        old = select(key, at).where(at < before, *(each(before) for each in may_go)).order_by(at).limit(most)
        rows = session.execute(old.where(at >= after) if after else old).all()
        return [row[0] for row in rows], rows[-1][1] if rows else None

    return find


def deleted(key: Any) -> Callable[[Tx, Sequence[Any]], int]:
    """`let_go` that deletes the rows."""

    def let_go(tx: Tx, keys: Sequence[Any]) -> int:
        gone = delete(key.class_).where(key.in_(keys)).execution_options(synchronize_session=False)
        return int(tx.session.execute(gone).rowcount)  # type: ignore[attr-defined]

    return let_go


def _strike_steps(tx: Tx, ids: Sequence[int]) -> int:
    strike(tx.session, col(RunStep.id), ids, response=None, sealed=None, gone_at=tx.now)
    return len(ids)


def _strike_checks(tx: Tx, ids: Sequence[int]) -> int:
    strike(tx.session, col(Check.id), ids, request=None)
    return len(ids)


def _left_or_need_not(_: datetime) -> ColumnElement[bool]:
    return col(Owed.state).in_(("sent", "cancelled"))


def _is_not_edited(_: datetime) -> ColumnElement[bool]:
    """A direct message about an open case, or a question in its thread, is edited with it: its row says where it
    is."""
    open_ = some(Case.id, col(Case.id) == col(Owed.case_id), col(Case.closed_at).is_(None))
    return ~and_(col(Owed.kind).in_(EDITED), col(Owed.state) == "sent", open_)


def _of_quiet_case(case_id: Any) -> Callable[[datetime], ColumnElement[bool]]:
    return lambda before: ~some(Case.id, col(Case.id) == case_id, is_busy(Case, before))


def _of_ended_delivery(before: datetime) -> ColumnElement[bool]:
    under_way = or_(
        col(Delivery.due_at).is_not(None),
        some(Case.id, col(Case.id) == col(Delivery.case_id), is_busy(Case, before)),
        case_of_event_is_busy(col(Delivery.event_id), before),
    )
    return ~some(Delivery.id, col(Delivery.id) == col(Attempt.delivery_id), under_way)


def _of_ended_run(run_id: Any) -> Callable[[datetime], ColumnElement[bool]]:
    def may_go(before: datetime) -> ColumnElement[bool]:
        under_way = or_(
            col(Run.ended_at).is_(None),
            some(Case.id, col(Case.id) == col(Run.case_id), is_busy(Case, before)),
            case_of_event_is_busy(col(Run.event_id), before),
        )
        return ~some(Run.id, col(Run.id) == run_id, under_way)

    return may_go


def _of_ended_step(before: datetime) -> ColumnElement[bool]:
    return ~some(RunStep.id, col(RunStep.id) == col(RunAttempt.step_id), ~_of_ended_run(col(RunStep.run_id))(before))


def _has_evidence(_: datetime) -> ColumnElement[bool]:
    return or_(col(RunStep.response).is_not(None), col(RunStep.sealed).is_not(None))


def _of_quiet_closing(before: datetime) -> ColumnElement[bool]:
    busy = some(Case.id, col(Case.id) == col(Closing.case_id), is_busy(Case, before))
    return ~some(Closing.id, col(Closing.id) == col(Check.closing_id), busy)


def _of_no_event(_: datetime) -> ColumnElement[bool]:
    """The event that this outcome is of never came."""
    unmatched: Any = bindparam(None, ("early", "unmatched"), expanding=True, literal_execute=True)  # as its index has
    came = some(
        Trigger.event_id, col(Trigger.workflow) == col(OutcomeCame.workflow), col(Trigger.identity) == OutcomeCame.key
    )
    return and_(col(OutcomeCame.state).in_(unmatched), ~came)


PRUNABLE: tuple[Prunable, ...] = (
    Prunable("requests", by_time(col(SeenRequest.key), col(SeenRequest.at)), deleted(col(SeenRequest.key))),
    Prunable(
        "messages", by_number(Owed, col(Owed.created_at), _left_or_need_not, _is_not_edited), deleted(col(Owed.id))
    ),
    Prunable(
        "payloads",
        by_number(ExceptionReport, col(ExceptionReport.received_at), _of_quiet_case(col(ExceptionReport.case_id))),
        deleted(col(ExceptionReport.id)),
    ),
    Prunable(
        "payloads",
        by_number(OutcomeCame, col(OutcomeCame.received_at), _of_no_event),
        deleted(col(OutcomeCame.id)),
    ),
    Prunable("responses", by_number(Attempt, col(Attempt.at), _of_ended_delivery), deleted(col(Attempt.id))),
    Prunable("responses", by_number(RunAttempt, col(RunAttempt.at), _of_ended_step), deleted(col(RunAttempt.id))),
    Prunable(
        "responses",
        by_time(col(RunStep.id), col(RunStep.ended_at), _has_evidence, _of_ended_run(col(RunStep.run_id))),
        _strike_steps,
    ),
    Prunable(
        "responses",
        by_time(col(Check.id), col(Check.at), lambda _: col(Check.request).is_not(None), _of_quiet_closing),
        _strike_checks,
    ),
    Prunable(
        "records",
        by_number(Release, col(Release.asked_at), lambda _: col(Release.due_at).is_(None)),
        deleted(col(Release.id)),
    ),
)
