"""What we depend on and is away: since when, for all replicas, and on record once."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update
from sqlmodel import Session, col

from bot.desk.tx import Tx
from store.rows import Unless, insert_rows
from store.watch_models import Outage

SLACK = "slack"


def since(session: Session, name: str) -> datetime | None:
    """Since when it is away; None: it is there, as far as anybody knows."""
    mine = select(col(Outage.since_at)).where(col(Outage.name) == name, col(Outage.until_at).is_(None))
    return session.execute(mine).scalar_one_or_none()


def ended_at(session: Session, name: str) -> datetime | None:
    """When it came back last; None: it never was away, or still is."""
    return session.execute(select(col(Outage.until_at)).where(col(Outage.name) == name)).scalar_one_or_none()


def begin(tx: Tx, name: str, because: str) -> datetime:
    """It did not answer: it is away since now, if it was not already. Since when it is."""
    before = since(tx.session, name)
    if before is not None:
        return before
    row = {"name": name, "since_at": tx.now, "because": because, "until_at": None}
    insert_rows(tx.session, Outage, [row], unless=Unless(("name",)))
    again = update(Outage).where(col(Outage.name) == name, col(Outage.until_at).is_not(None)).values(**row)
    tx.session.execute(again.execution_options(synchronize_session=False))
    began = since(tx.session, name) or tx.now
    if began == tx.now:
        tx.record(f"{name}.away", because=because)
    return began


def over(tx: Tx, name: str) -> datetime | None:
    """It answered. Since when it was away; None: it was not."""
    began = since(tx.session, name)
    if began is None:
        return None
    mine = update(Outage).where(col(Outage.name) == name, col(Outage.until_at).is_(None)).values(until_at=tx.now)
    if tx.session.execute(mine.execution_options(synchronize_session=False)).rowcount:  # type: ignore[attr-defined]
        tx.record(f"{name}.back", since_at=began.isoformat())
    return began
