"""Outcomes as they are read, and how many wait for an event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, select, text
from sqlmodel import Session, col

from store.contract_models import OutcomeCame


@dataclass(frozen=True, slots=True)
class WantedOutcomes:
    """Which outcomes: all that is said must hold. `workflows` None: all. `before`: only those with a lower id, where
    the page before ended."""

    limit: int
    state: str | None = None
    workflow: str | None = None
    workflows: Sequence[str] | None = None
    before: int | None = None


def list_outcomes(session: Session, wanted: WantedOutcomes) -> list[OutcomeCame]:
    """The outcomes, latest first, at most `limit`."""
    query = select(OutcomeCame)
    if wanted.state:
        query = query.where(*_in_state(wanted.state))
    if wanted.workflow:
        query = query.where(col(OutcomeCame.workflow) == wanted.workflow)
    if wanted.workflows is not None:
        query = query.where(col(OutcomeCame.workflow).in_(wanted.workflows))
    if wanted.before is not None:
        query = query.where(col(OutcomeCame.id) < wanted.before)
    return list(session.execute(query.order_by(col(OutcomeCame.id).desc()).limit(wanted.limit)).scalars())


def _in_state(state: str) -> tuple[ColumnElement[bool], ...]:
    """With the words of the partial index: SQLite uses it only where they stand in the query."""
    is_it = col(OutcomeCame.state) == state
    return (is_it,) if state == "matched" else (text("outcomes.state <> 'matched'"), is_it)  # type: ignore[return-value]
