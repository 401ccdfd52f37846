"""The order of one subject's events: a later one waits behind an earlier one until that is delivered, or the case of
its failure is closed. The claim of deliveries asks for it each time; what is here spares it looking in vain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import and_, bindparam, exists, func, select, update
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from bot.desk.tx import Tx
from store.columns import Instant
from store.contract_models import Trigger
from store.models import Case, Delivery

PENDING = ("delivering", "failed")
"""An event in these states holds up the later ones of its lane."""
LOOKS_AGAIN_IN = timedelta(seconds=30)
"""What waits in its lane is due again so much later, should nobody call it before."""


_TRIGGERS = Trigger.__table__  # type: ignore[attr-defined]
_DELIVERIES = Delivery.__table__  # type: ignore[attr-defined]


def pending(column: Any) -> Any:
    """That a trigger's state is one of those, written into the SQL: SQLite uses an index of some rows only where the
    words of its condition stand in the query."""
    return column.in_(bindparam(None, PENDING, expanding=True, literal_execute=True))


def is_behind() -> Any:
    """That a delivery has an earlier event in front of it."""
    return exists().where(
        _TRIGGERS.c.lane == _DELIVERIES.c.lane,
        _TRIGGERS.c.event_id < _DELIVERIES.c.event_id,
        pending(_TRIGGERS.c.state),
    )


_FRONTS = (
    select(col(Trigger.lane), func.min(col(Trigger.event_id)))
    .where(col(Trigger.lane).in_(bindparam("lanes", expanding=True)), pending(col(Trigger.state)))
    .group_by(col(Trigger.lane))
)
_OTHER = _DELIVERIES.alias("other")
_FIRST_WAITING = (
    select(func.min(_OTHER.c.event_id))
    .where(_OTHER.c.lane == bindparam("_lane"), _OTHER.c.due_at.is_not(None))
    .scalar_subquery()
)
_GOES_ON = (
    update(_DELIVERIES)
    .where(
        _DELIVERIES.c.lane == bindparam("_lane"),
        _DELIVERIES.c.event_id == _FIRST_WAITING,
        _DELIVERIES.c.due_at.is_not(None),
        _DELIVERIES.c.attempts == 0,
        _DELIVERIES.c.lease_until.is_(None),
    )
    .values(due_at=bindparam("_now", type_=Instant))
)


def fronts(tx: Tx, lanes: Iterable[str | None]) -> Mapping[str, int]:
    """The first event of each of these lanes that still has to be delivered."""
    names = sorted({lane for lane in lanes if lane is not None})
    return {lane: event_id for lane, event_id in tx.session.execute(_FRONTS, {"lanes": names})} if names else {}


def owe_cards(tx: Tx, lanes: Iterable[str]) -> None:
    """The cards of what failed at the front of these lanes say how many wait."""
    failed = (
        select(col(Case.id), col(Case.channel))
        .join(Trigger, col(Trigger.case_id) == col(Case.id))
        .where(col(Trigger.lane).in_(sorted(lanes)), pending(col(Trigger.state)), col(Trigger.state) == "failed")
    )
    for case_id, channel in tx.session.execute(failed.distinct()):
        tx.owe_card(case_id, channel)


def go_on(tx: Tx, event_ids: Sequence[int]) -> None:
    """The next of the lanes that these events were in front of is due now."""
    wanted = select(col(Trigger.lane)).where(col(Trigger.event_id).in_(event_ids), col(Trigger.lane).is_not(None))
    lanes = sorted(set(tx.session.execute(wanted).scalars()))
    if lanes:
        tx.session.connection().execute(_GOES_ON, [{"_lane": lane, "_now": tx.now} for lane in lanes])


def waiting_behind(session: Session, case_id: int) -> int:
    """How many later events wait until this case is closed, or its event delivered."""
    failed: Any = aliased(Trigger)
    behind = select(func.count(func.distinct(col(Trigger.event_id)))).join(
        failed, and_(failed.lane == col(Trigger.lane), failed.event_id < col(Trigger.event_id))
    )
    mine = behind.where(failed.case_id == case_id, failed.state == "failed", col(Trigger.state) == "delivering")
    return int(session.execute(mine.where(pending(col(Trigger.state)))).scalar_one())


def let_go(tx: Tx, case_id: int) -> None:
    """The case is closed: those of its events that were not delivered are dropped, on record, and what waited behind
    them goes on."""
    failed = select(col(Trigger.event_id)).where(col(Trigger.case_id) == case_id, col(Trigger.state) == "failed")
    event_ids = list(tx.session.execute(failed.order_by(col(Trigger.event_id)).with_for_update()).scalars())
    if not event_ids:
        return
    dropped = update(Trigger).where(col(Trigger.event_id).in_(event_ids)).values(state="dropped")
    tx.session.execute(dropped.execution_options(synchronize_session=False))
    tx.record("event.dropped", case_id=case_id, events=event_ids)
    go_on(tx, event_ids)
