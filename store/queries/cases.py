"""Cases as they are read: lists by page, one by its number, and what belongs to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlmodel import Session, col

from store.closing_models import Check, Closing
from store.models import STATES, Attempt, Case, Delivery, ExceptionReport

OPEN = "open"
RARE = frozenset({*STATES, "failed"})
"""Nearly all cases are resolved."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which cases: all that is said must hold. `state` may be `open`, for every state that is not closed.
    `workflows` None: all. `before`: only those with a lower number, where the page before ended."""

    limit: int
    state: str | None = None
    workflow: str | None = None
    owner: str | None = None
    workflows: Sequence[str] | None = None
    before: int | None = None


def list_cases(session: Session, wanted: Wanted) -> list[Case]:
    """The cases, latest first, at most `limit`."""
    query = select(Case)
    workflow: Any = col(Case.workflow)
    owner: Any = col(Case.owner)
    if wanted.state in RARE:  # its index leads: SQLite would as soon read all that a workflow or a role ever had
        workflow, owner = func.coalesce(workflow, ""), func.coalesce(owner, "")
    if wanted.state == OPEN:
        query = query.where(col(Case.closed_at).is_(None))
    elif wanted.state:
        query = query.where(col(Case.state) == wanted.state)
    if wanted.workflow:
        query = query.where(workflow == wanted.workflow)
    if wanted.owner:
        query = query.where(owner == wanted.owner)
    if wanted.workflows is not None:
        query = query.where(workflow.in_(wanted.workflows))
    if wanted.before is not None:
        query = query.where(col(Case.id) < wanted.before)
    return list(session.execute(query.order_by(col(Case.id).desc()).limit(wanted.limit)).scalars())


def find_case(session: Session, case_id: int) -> Case | None:
    """The case of this number."""
    return session.get(Case, case_id)


def latest_reports(session: Session, case_id: int, *, limit: int) -> list[ExceptionReport]:
    """The reports of a case, latest first."""
    query = select(ExceptionReport).where(col(ExceptionReport.case_id) == case_id)
    return list(session.execute(query.order_by(col(ExceptionReport.occurrence).desc()).limit(limit)).scalars())


def closings_of(session: Session, case_id: int, *, limit: int) -> list[tuple[Closing, list[Check]]]:
    """The last times that somebody wanted the case closed, latest first, each with its checks."""
    mine = select(Closing).where(col(Closing.case_id) == case_id).order_by(col(Closing.id).desc()).limit(limit)
    closings = list(session.execute(mine).scalars())
    ids = [each.id for each in closings]
    checks = list(
        session.execute(select(Check).where(col(Check.closing_id).in_(ids)).order_by(col(Check.id))).scalars()
    )
    return [(each, [check for check in checks if check.closing_id == each.id]) for each in closings]


def deliveries_of(session: Session, case_id: int) -> list[Delivery]:
    """The deliveries of a case in their order."""
    query = select(Delivery).where(col(Delivery.case_id) == case_id)
    return list(session.execute(query.order_by(col(Delivery.id))).scalars())


def attempts_of(session: Session, deliveries: Sequence[int]) -> list[Attempt]:
    """The attempts of these deliveries in their order."""
    query = select(Attempt).where(col(Attempt.delivery_id).in_(deliveries))
    return list(session.execute(query.order_by(col(Attempt.id))).scalars())
