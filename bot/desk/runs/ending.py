"""A run is over: what is told, and what follows from it, by what it was begun for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import select
from sqlmodel import col

from bot.desk.runs import delivering, following
from bot.desk.runs.calling import record
from bot.desk.runs.items import not_begun
from bot.desk.runs.rows import Going, load, save
from bot.desk.runs.waking import SENDING, wake_parent, wake_undoing
from bot.desk.telling import in_thread
from bot.desk.tx import Tx
from bot.rules.saying import What
from runbooks.engine import End
from store.run_models import Run

SAID: Mapping[End, What] = {
    End.DONE: What.RUN_DONE,
    End.FAILED: What.RUN_FAILED,
    End.STOPPED: What.RUN_FAILED,
    End.UNDONE: What.RUN_UNDONE,
    End.DECLINED: What.RUN_DECLINED,
}
TELL_THEMSELVES = ("auto_fix",)
"""Causes for which what follows from a failure says in one line what was tried and where the case goes."""


def end(tx: Tx, going: Going, how: End, because: str, *, is_counted: bool = False) -> None:
    """The run is over, and so is what its steps carry out. Whoever waits for it goes on; its case is told.
    `is_counted`: the event that it was at is among those that were done or failed, it did not end in the middle of
    one. From a run that was over before, and is taken back now, nothing follows again."""
    run = going.run
    close_steps(tx, going, because, how)
    run.state, run.because = how.value, because
    run.ended_at, run.due_at, run.lease_until = tx.now, None, None
    record(tx, going, f"run.{how.value}", because=because, counts=dict(run.counts))
    if going.case is not None:
        facts: dict[str, Any] = {"runbook": going.runbook.title, "because": because, "counts": dict(run.counts)}
        if run.upto_id is not None:
            facts |= {"left": not_begun(tx.session, run), "at": None if is_counted else run.item_id}
        if run.cause not in TELL_THEMSELVES or how is End.DONE or run.undo_by:
            in_thread(tx, going.case, SAID[how], **facts)
        tx.owe_card(going.case.id, going.case.channel)
    wake_parent(tx, run.id or 0)
    if run.undo_by is None:
        follow(tx, going, how)
    elif run.parent_id is not None:
        wake_undoing(tx, run.parent_id)


def stop(tx: Tx, going: Going, because: str) -> list[str]:
    """Ends the run and what its steps carry out, and writes it; what is said of requests that are on their way."""
    said = close_steps(tx, going, because)
    end(tx, going, End.STOPPED, "; ".join([because, *said]))
    save(tx, going)
    return said


def close_steps(tx: Tx, going: Going, because: str, how: End = End.FAILED) -> list[str]:
    """Nothing of the run is under way any more: its steps are closed, and the runs that they carry out are stopped. In
    one that is done, because what it was about is over, no step has failed. What is said of requests that are on their
    way."""
    said = [word for child in _under_it(tx, going.run) for word in stop(tx, child, because)]
    state = "overtaken" if how is End.DONE else "failed"
    return said + [word for at in sorted(going.steps) if (word := _close_step(tx, going, at, state, because))]


def _under_it(tx: Tx, run: Run) -> list[Going]:
    ids = select(col(Run.id)).where(col(Run.parent_id) == run.id, col(Run.ended_at).is_(None)).order_by(col(Run.id))
    return [going for child in tx.session.execute(ids).scalars().all() if (going := load(tx, child or 0))]


def _close_step(tx: Tx, going: Going, position: int, state: str, because: str) -> str:
    row = going.steps[position]
    if row.state not in ("under_way", "waiting", "undoing"):
        return ""
    is_undoing = row.state == "undoing"
    said = ""
    if row.state == "waiting" and row.kind in SENDING:
        said = f"what {row.name} sent is on its way all the same"
    elif row.state != "waiting" and row.unanswered and row.key_born_at:
        said = f"whether {row.name} {'was taken back' if is_undoing else 'happened'} is not known"
    going.touch(position, state="not_undone" if is_undoing else state, because=said or because, ended_at=tx.now)
    return said


def follow(tx: Tx, going: Going, how: End) -> None:
    """Does what follows from the end of a run: to be called once, by whoever ends it, and again where what its case is
    about was over only after it."""
    if follows := FOLLOWS.get(going.run.cause):
        follows(tx, going, how)


FOLLOWS: dict[str, Callable[[Tx, Going, End], None]] = {
    "pressed": following.pressed,
    "auto_fix": following.auto_fix,
    "delivery": delivering.delivery,
}
"""What follows, by what the run was begun for. Of one that a step began, that step decides; of `on_open` and `on_close`
a failure is the line in the thread and the record: a case of it would want them again."""
