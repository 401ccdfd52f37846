"""What a database still has to do: by this a story knows when everything that was to happen has happened."""

from __future__ import annotations

from datetime import datetime
from enum import Enum, auto
from functools import cache
from typing import Any

from sqlalchemy import and_, bindparam, exists, func, or_, select
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from bot.desk import baselines, census
from runbooks.policy import Policy
from store.closing_models import Check
from store.columns import Instant
from store.contract_models import Baseline, ConnectorState, Drill, Expected, Release, Trigger
from store.models import Case, Delivery, Owed, Timer
from store.run_models import Run
from store.serving_models import Storm


class Left(Enum):
    """What is left to do at a moment."""

    NOTHING = auto()
    MESSAGES = auto()
    """Only messages wait: nobody got to them yet, or they wait for their turn at Slack's pace."""
    WORK = auto()
    """Something is due that waits for no turn, or somebody is at work on something."""


NOW: Any = bindparam("now", type_=Instant)


def left_to_do(session: Session, now: datetime) -> Left:
    """What the database has to do at this moment. One statement: its parts see the same rows on any engine."""
    is_work, waits = session.execute(_question(), {"now": now}).one()
    if is_work:
        return Left.WORK
    return Left.MESSAGES if waits else Left.NOTHING


@cache
def _question() -> Any:
    """Made once: it is asked after everything that happens."""
    is_sending = [col(Owed.state) == "sending", col(Owed.lease_until) > NOW]
    is_due = or_(col(Timer.due_at) <= NOW, col(Timer.lease_until) > NOW)
    goes_on = [
        col(Delivery.due_at).is_not(None),
        or_(and_(col(Delivery.due_at) <= NOW, ~_is_held_back()), col(Delivery.lease_until) > NOW),
        ~_is_behind_in_its_lane(),
    ]
    is_its_time = or_(col(Baseline.again_at).is_(None), col(Baseline.again_at) <= NOW)
    is_looked_at_now = or_(and_(col(Baseline.due_at) <= NOW, is_its_time), col(Baseline.lease_until) > NOW)
    is_work = or_(
        select(col(Owed.id)).where(*is_sending).exists(),
        select(col(Timer.case_id)).where(is_due).exists(),
        select(col(Delivery.id)).where(*goes_on).exists(),
        select(col(Expected.event_id)).where(col(Expected.due_at) <= NOW).exists(),
        select(col(Release.id)).where(col(Release.due_at) <= NOW).exists(),
        select(col(Storm.id)).where(col(Storm.due_at) <= NOW).exists(),
        select(col(Check.id)).where(or_(col(Check.due_at) <= NOW, col(Check.lease_until) > NOW)).exists(),
        select(col(Drill.id)).where(col(Drill.state) == "asked").exists(),
        select(col(Baseline.workflow)).where(is_looked_at_now).exists(),
        select(col(Run.id)).where(or_(col(Run.due_at) <= NOW, col(Run.lease_until) > NOW)).exists(),
    )
    return select(is_work, _may_leave())


def _is_held_back() -> Any:
    """Its connector lets nothing pass now: by its rate, or because it is left alone until a probe."""
    is_closed = col(ConnectorState.state) == "closed"
    is_shut = or_(and_(is_closed, col(ConnectorState.free_at) > NOW), and_(~is_closed, ConnectorState.probe_at > NOW))
    return exists().where(col(ConnectorState.connector) == col(Delivery.connector), is_shut)


def _is_behind_in_its_lane() -> Any:
    return exists().where(
        col(Trigger.lane) == col(Delivery.lane),
        col(Trigger.event_id) < col(Delivery.event_id),
        col(Trigger.state).in_(("delivering", "failed")),
    )


def _may_leave() -> Any:
    """Messages that no earlier one of their case holds back. A card that is only to be edited holds up nobody."""
    owed: Any = aliased(Owed)
    earlier: Any = aliased(Owed)
    case: Any = aliased(Case)
    is_root = and_(owed.kind == "card", case.card_ts.is_(None), case.thread_ts.is_(None))
    is_behind = exists().where(
        earlier.case_id == owed.case_id,
        earlier.channel == owed.channel,
        earlier.id < owed.id,
        earlier.state.in_(("owed", "sending")),
        or_(and_(earlier.kind != "card", ~is_root), and_(earlier.kind == "card", case.card_ts.is_(None))),
    )
    ready = or_(
        and_(owed.state == "owed", owed.not_before_at <= NOW), and_(owed.state == "sending", owed.lease_until <= NOW)
    )
    return select(owed.id).outerjoin(case, case.id == owed.case_id).where(ready, ~is_behind).exists()


def is_looked_at(session: Session, policy: Policy) -> bool:
    """Whether what has to come by the clock is looked at as the policy says, and what came after all was noticed."""
    is_noticed = not baselines.flowing(session, policy) and not census.some_came(session)
    return is_noticed and baselines.is_in_step(session, policy)


def next_due(session: Session, now: datetime) -> datetime | None:
    """The next moment after `now` at which something is due, or somebody's claim ends."""
    is_sending, is_owed = col(Owed.state) == "sending", col(Owed.state) == "owed"
    moments = (
        select(func.min(col(Timer.due_at))).where(col(Timer.due_at) > now),
        select(func.min(col(Timer.lease_until))).where(col(Timer.lease_until) > now),
        select(func.min(col(Delivery.due_at))).where(col(Delivery.due_at) > now),
        select(func.min(col(Delivery.lease_until))).where(col(Delivery.lease_until) > now),
        select(func.min(col(ConnectorState.free_at))).where(col(ConnectorState.free_at) > now),
        select(func.min(col(ConnectorState.probe_at))).where(col(ConnectorState.probe_at) > now),
        select(func.min(col(Expected.due_at))).where(col(Expected.due_at) > now),
        select(func.min(col(Storm.due_at))).where(col(Storm.due_at) > now),
        select(func.min(col(Check.due_at))).where(col(Check.due_at) > now),
        select(func.min(col(Baseline.due_at))).where(col(Baseline.due_at) > now),
        select(func.min(col(Baseline.again_at))).where(col(Baseline.again_at) > now),
        select(func.min(col(Baseline.lease_until))).where(col(Baseline.lease_until) > now),
        select(func.min(col(Run.due_at))).where(col(Run.due_at) > now),
        select(func.min(col(Owed.not_before_at))).where(is_owed, col(Owed.not_before_at) > now),
        select(func.min(col(Owed.lease_until))).where(is_sending, col(Owed.lease_until) > now),
    )
    found = (session.execute(moment).scalar() for moment in moments)
    return min((at for at in found if at is not None), default=None)


def waiting(session: Session, _: datetime) -> list[tuple[Any, ...]]:
    """The messages that have not left, for whom it may concern."""
    mine = select(Owed).where(col(Owed.state).in_(("owed", "sending"))).order_by(col(Owed.id))
    rows = session.execute(mine).scalars()
    return [(row.id, row.kind, row.channel, row.case_id, row.state, row.not_before_at, row.result) for row in rows]
