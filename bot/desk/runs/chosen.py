"""A run that somebody has chosen to do something with: it is of the case, and the person may."""

from __future__ import annotations

from sqlalchemy import select
from sqlmodel import col

from bot.desk.acting import check_right, name_of
from bot.desk.runs.rows import Going, load
from bot.desk.runs.waiting_for_yes import start_clock
from bot.desk.tx import Tx
from bot.rules.lifecycle import ago
from bot.rules.refusals import Refused
from store.models import Case
from store.run_models import RunApproval

_IS = {
    "held": "waits for its turn",
    "approving": "waits for a yes",
    "running": "is under way",
    "proposed": "waits for somebody to say Do it",
    "undoing": "is being taken back",
    "done": "is done",
    "failed": "has failed",
    "stopped": "was stopped",
    "undone": "was taken back",
    "declined": "is not carried out",
}


def chosen(tx: Tx, case: Case, run_id: int) -> Going:
    """The run, locked after its case. Raises `Refused` if the case has no such run."""
    going = load(tx, run_id)
    if going is None or going.run.case_id != case.id:
        raise Refused("no_such_run", f"{case.ref} has no run {run_id}.", case_id=case.id)
    return going


def check_open(case: Case, going: Going) -> None:
    """Passes while the case is open, and for what was to happen when it closed. Raises `Refused`."""
    if not case.is_open and going.run.cause != "on_close":
        text = f"{case.ref} is closed: nothing of {going.runbook.title} is carried out. Reopen it with a reason first."
        raise Refused("closed", text, case_id=case.id)


def check_may_steer(tx: Tx, case: Case, going: Going) -> None:
    """Passes for whoever asked for the run, and for whom its runbook allows. Raises `Refused` that names them."""
    if tx.actor.id != going.run.asked_by:
        check_right(tx, case, going.runbook.allow)


def is_over(tx: Tx, going: Going) -> Refused:
    """What to tell somebody who comes too late: who was there first, and what became of the run."""
    run, title = going.run, going.runbook.title
    first = _who_was_first(tx, going)
    because = f": {run.because}" if run.because and run.ended_at else ""
    return Refused(f"is_{run.state}", f"{first}{title} {_IS[run.state]}{because}.", case_id=run.case_id)


def _who_was_first(tx: Tx, going: Going) -> str:
    answered = select(RunApproval).where(
        col(RunApproval.run_id) == going.run.id, col(RunApproval.answer).in_(("yes", "no"))
    )
    last = tx.session.execute(answered.order_by(col(RunApproval.answered_at).desc()).limit(1)).scalar()
    if last is not None and last.answered_at:
        return f"{name_of(tx.session, last.by or '')} said {last.answer} {ago(last.answered_at, now=tx.now)}. "
    if going.run.undo_by:
        return f"{name_of(tx.session, going.run.undo_by)} was first. "
    return f"{name_of(tx.session, going.run.accepted_by)} said Do it. " if going.run.accepted_by else ""


def goes_on(tx: Tx, going: Going) -> None:
    """The run goes on at once; the time of an auto-fix runs again."""
    going.run.state, going.run.due_at, going.run.lease_until = "running", tx.now, None
    start_clock(tx, going)
