"""Runs that wait are looked at as soon as what they wait for has come; whatever is overlooked is found a little later,
for a run that waits looks by itself as well."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import bindparam, select, update
from sqlmodel import Session, func

from bot.desk.tx import Tx
from store.columns import Instant
from store.run_models import Run, RunStep

LOOKS_AGAIN_IN = timedelta(seconds=30)
_RUNS = Run.__table__  # type: ignore[attr-defined]
_STEPS = RunStep.__table__  # type: ignore[attr-defined]
_NOW = bindparam("_now", type_=Instant)
_LINKED = (
    select(_STEPS.c.run_id)
    .where(_STEPS.c.state == "waiting")
    .where(
        _STEPS.c.kind.in_(bindparam("kinds", expanding=True)), _STEPS.c.link_id.in_(bindparam("ids", expanding=True))
    )
)
_WAITING = _RUNS.c.ended_at.is_(None), _RUNS.c.state == "running"
_WAKE_LINKED = update(_RUNS).where(*_WAITING, _RUNS.c.id.in_(_LINKED)).values(due_at=_NOW)
_WAKE_WORKFLOW = (
    update(_RUNS)
    .where(*_WAITING, _RUNS.c.workflow.in_(bindparam("workflows", expanding=True)))
    .where(
        _RUNS.c.id.in_(select(_STEPS.c.run_id).where(_STEPS.c.state == "waiting", _STEPS.c.kind == "wait_for")),
    )
    .values(due_at=_NOW)
)
_WAKE_UNDOING = update(_RUNS).where(_RUNS.c.id == bindparam("_id"), _RUNS.c.state == "undoing").values(due_at=_NOW)
_NEXT = select(func.min(_RUNS.c.due_at)).where(_RUNS.c.due_at.is_not(None))

SENDING = ("replay", "retry_failed")
"""The kinds of step that have deliveries sent, and wait for them."""


def wake_senders(tx: Tx, ids: Collection[int]) -> None:
    """These deliveries, or events that were released, came to their end."""
    if ids:
        tx.session.connection().execute(_WAKE_LINKED, {"kinds": SENDING, "ids": list(ids), "_now": tx.now})


def wake_parent(tx: Tx, run_id: int) -> None:
    """This run is over: the one that carries it out goes on."""
    given = {"kinds": ("run", *SENDING), "ids": [run_id], "_now": tx.now}
    tx.session.connection().execute(_WAKE_LINKED, given)


def wake_undoing(tx: Tx, run_id: int) -> None:
    """A run that a step of this one carried out was taken back: it goes on taking back."""
    tx.session.connection().execute(_WAKE_UNDOING, {"_id": run_id, "_now": tx.now})


def wake_waiting(tx: Tx, workflows: Collection[str]) -> None:
    """Events or outcomes of these workflows came."""
    if workflows:
        tx.session.connection().execute(_WAKE_WORKFLOW, {"workflows": sorted(workflows), "_now": tx.now})


def next_due(session: Session) -> datetime | None:
    """When the next run goes on; None: none is under way."""
    due_at: datetime | None = session.connection().execute(_NEXT).scalar()
    return due_at
