"""What we depend on and is away: since when, for all replicas, and on record once."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select
from sqlmodel import Session, col

from bot.desk.tx import Tx
from store.rows import Unless, insert_rows
from store.watch_models import Outage

SLACK = "slack"


def since(session: Session, name: str) -> datetime | None:
    """Since when it is away; None: it is there, as far as anybody knows."""
    mine = select(col(Outage.since_at)).where(col(Outage.name) == name)
    return session.execute(mine).scalar_one_or_none()


def begin(tx: Tx, name: str, because: str) -> datetime:
    """It did not answer: it is away since now, if it was not already. Since when it is."""
    before = since(tx.session, name)
    if before is not None:
        return before
    row = {"name": name, "since_at": tx.now, "because": because}
    insert_rows(tx.session, Outage, [row], unless=Unless(("name",)))
    began = since(tx.session, name) or tx.now
    if began == tx.now:
        tx.record(f"{name}.away", because=because)
    return began


def over(tx: Tx, name: str) -> datetime | None:
    """It answered. Since when it was away; None: it was not."""
    began = since(tx.session, name)
    if began is None:
        return None
    gone = delete(Outage).where(col(Outage.name) == name).execution_options(synchronize_session=False)
    if tx.session.execute(gone).rowcount:  # type: ignore[attr-defined]
        tx.record(f"{name}.back", since_at=began.isoformat())
    return began
