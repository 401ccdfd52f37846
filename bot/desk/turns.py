"""Work that one replica does at a time, on a timetable: whose turn it is, by a claim that ends by itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlmodel import Session, col

from bot.desk.tx import Tx
from store.rows import Unless, insert_rows
from store.watch_models import Turn

LEASE = timedelta(seconds=60)


class Overtaken(Exception):
    """The claim ended, and another process may be at the work: this one stops."""


@dataclass(frozen=True, slots=True)
class Mine:
    """A turn that is the caller's until then. `cursor` is what the last one left to go on from."""

    name: str
    until: datetime
    cursor: str


def is_due(session: Session, name: str, now: datetime) -> bool:
    """Whether a claim would get the turn."""
    due_at = session.execute(select(col(Turn.due_at)).where(col(Turn.name) == name)).scalar_one_or_none()
    return due_at is None or due_at <= now


def claim(tx: Tx, name: str) -> Mine | None:
    """Takes the turn for a minute; None: it is not due, or somebody has it."""
    insert_rows(tx.session, Turn, [{"name": name, "due_at": tx.now}], unless=Unless(("name",)))
    row = _locked(tx, name)
    if row.due_at > tx.now:
        return None
    return _until(tx, Mine(name, tx.now, row.cursor), tx.now + LEASE)


def renew(tx: Tx, mine: Mine) -> Mine:
    """A minute more. Raises `Overtaken`."""
    _check(tx, mine)
    return _until(tx, mine, tx.now + LEASE)


def end(tx: Tx, mine: Mine, *, due_at: datetime, cursor: str = "") -> None:
    """The work is done; the next turn is then. Raises `Overtaken`."""
    _check(tx, mine)
    _until(tx, Mine(mine.name, mine.until, cursor), due_at)


def _check(tx: Tx, mine: Mine) -> None:
    if _locked(tx, mine.name).due_at != mine.until:
        raise Overtaken(mine.name)


def _locked(tx: Tx, name: str) -> Turn:
    mine = select(Turn).where(col(Turn.name) == name).with_for_update()
    row: Turn = tx.session.execute(mine.execution_options(populate_existing=True)).scalar_one()
    return row


def _until(tx: Tx, mine: Mine, until: datetime) -> Mine:
    moved = update(Turn).where(col(Turn.name) == mine.name).values(due_at=until, cursor=mine.cursor)
    tx.session.execute(moved.execution_options(synchronize_session=False))
    return Mine(mine.name, until, mine.cursor)
