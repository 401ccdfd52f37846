"""What a line of a case's thread asks of its readers with buttons, and what became of that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlmodel import Session, col

from bot.desk.runs.asked import ASKING as OF_RUNS
from bot.desk.runs.asked import Asked
from bot.desk.runs.asked import asked as asked_of_run
from bot.rules.lifecycle import State
from bot.rules.saying import What
from store.closing_models import Closing
from store.models import Case

ASKING = (*OF_RUNS, What.CLOSING_REFUSED, What.PLEASE_CONFIRM)
"""What is asked with buttons in a thread."""


def asked(session: Session, payload: Mapping[str, Any]) -> Asked | None:
    """What became of what a line asks; None: it asks nothing whose answer is on record."""
    what = str(payload.get("what"))
    if what in OF_RUNS:
        return asked_of_run(session, payload)
    row = session.get(Closing, int(payload.get("closing") or 0), populate_existing=True) if what in ASKING else None
    return _of_closing(session, row) if row else None


def _of_closing(session: Session, row: Closing) -> Asked:
    """Who went on from a closing that was refused: by closing the case all the same, or by resolving it once more."""
    case, later = session.get_one(Case, row.case_id), _next(session, row)
    last = later or row
    if last.state == "overridden":
        return Asked(False, last.overridden_by, "overridden", last.override_reason or "", last.decided_at)
    if later:
        return Asked(False, later.asked_by, "again", at=later.asked_at)
    if row.state == "refused" and case.is_open and case.state != State.CLOSING:
        return Asked(is_open=True)
    return Asked(False, at=case.closed_at or row.decided_at)


def _next(session: Session, row: Closing) -> Closing | None:
    after = select(Closing).where(col(Closing.case_id) == row.case_id, col(Closing.id) > row.id)
    found = session.execute(after.order_by(col(Closing.id)).limit(1).execution_options(populate_existing=True))
    return found.scalar_one_or_none()
