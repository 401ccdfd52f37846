"""What was found not to have happened in time: each thing once, and how much it was lately."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlmodel import Session, col

from bot.desk.tx import Tx
from bot.rules.auditor import KEPT, Found, Kind
from store.rows import Unless, insert_rows
from store.watch_models import Finding


def keep_found(tx: Tx, found: Sequence[Found]) -> None:
    """Writes what was found, for the auditor to tell."""
    rows = [{"kind": each.kind, "key": each.key, "about": each.about, "at": tx.now, "case_id": None} for each in found]
    insert_rows(tx.session, Finding, rows, unless=Unless(("key",)))


def late_lately(session: Session, now: datetime) -> int:
    """How much was late in the last seven days."""
    late = select(func.count()).where(col(Finding.kind) == Kind.LATE, col(Finding.at) >= now - KEPT)
    return int(session.execute(late).scalar_one())
