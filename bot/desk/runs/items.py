"""`for_each: event`: a run is carried out once for each event of its case that was held when it began."""

from __future__ import annotations

from sqlalchemy import select
from sqlmodel import Session, col, func

from bot.desk.runs.rows import Going, see_item
from bot.desk.tx import Tx
from runbooks.engine import End, Over
from store.contract_models import Trigger
from store.queries.quarantine import HELD
from store.run_models import Run


def next_item(tx: Tx, going: Going, ended: Over | None = None) -> bool:
    """Goes on to the next event that is held, and counts what became of the one before (`ended`); whether there is
    one. After a failure there is none where the runbook says to stop."""
    run = going.run
    if run.upto_id is None:
        return False
    if ended is not None:
        word = "done" if ended.end is End.DONE else "failed"
        run.counts = {**run.counts, word: run.counts.get(word, 0) + 1}
    if ended is not None and ended.end is not End.DONE and going.runbook.on_failure == "stop":
        return False
    held = select(col(Trigger.event_id)).where(
        col(Trigger.case_id) == run.case_id,
        col(Trigger.state) == HELD,
        col(Trigger.event_id) > (run.item_id or 0),
        col(Trigger.event_id) <= run.upto_id,
    )
    item = tx.session.execute(held.order_by(col(Trigger.event_id)).limit(1)).scalar()
    if item is None:
        return False
    run.item_id, run.position = item, 0
    see_item(tx, going)
    return True


def for_all(going: Going, last: Over) -> tuple[End, str]:
    """How a run ends whose last event ended so: one that failed for some of its events has failed."""
    failed = going.run.counts.get("failed", 0)
    if last.end is not End.DONE or not failed:
        return last.end, last.because
    return End.FAILED, f"it did not go through for {failed:,} of {sum(_counted(going)):,} events"


def _counted(going: Going) -> tuple[int, int]:
    return going.run.counts.get("done", 0), going.run.counts.get("failed", 0)


def first_held(tx: Tx, case_id: int | None) -> int | None:
    """The event of the case that has been held longest."""
    held = select(func.min(col(Trigger.event_id))).where(col(Trigger.case_id) == case_id, col(Trigger.state) == HELD)
    return tx.session.execute(held).scalar()


def count_held(tx: Tx, going: Going) -> int:
    """For how many events the run is still to be carried out; 0 where it is not for each of several."""
    return _count_held(tx.session, going.run, going.item_id)


def not_begun(session: Session, run: Run) -> int:
    """For how many events nothing of the run was begun yet; 0 where it is not for each of several."""
    return _count_held(session, run, (run.item_id or 0) + 1)


def _count_held(session: Session, run: Run, first: int) -> int:
    if run.upto_id is None:
        return 0
    held = select(func.count(col(Trigger.event_id))).where(
        col(Trigger.case_id) == run.case_id,
        col(Trigger.state) == HELD,
        col(Trigger.event_id) >= first,
        col(Trigger.event_id) <= run.upto_id,
    )
    return int(session.execute(held).scalar_one())
