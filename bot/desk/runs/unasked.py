"""Runs that nobody pressed, before they go on: their inputs are their defaults, and one that tries to fix a case waits
for its workflow's budget and stops when there is nothing left to fix."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlmodel import col

from bot.desk.runs.calling import record
from bot.desk.runs.owing import BY_THEMSELVES
from bot.desk.runs.rows import Going, first_of, names_of
from bot.desk.tx import Tx
from bot.rules.redaction import as_shown
from runbooks.engine import End, Over
from runbooks.inputs import WrongInputs, first_values, read_inputs
from store.contract_models import Trigger
from store.queries.quarantine import HELD

NEVER_BEGAN = "its time ran out before it could begin"


def overtaken(tx: Tx, going: Going) -> Over | None:
    """How a run ends that is not to go on. A proposal that nobody answered ends with its case; an auto-fix, or what a
    step of it carries out, where its case was closed, what that is about is over, or its time ran out while it was
    held. None: it goes on."""
    run, case = going.run, going.case
    if run.state == "undoing" or case is None:
        return None
    if run.state == "proposed" and not case.is_open and run.cause != "on_close":
        return Over(End.DECLINED, f"{case.ref} was closed before anybody answered")
    first = first_of(tx, run)
    if first.cause != "auto_fix":
        return None
    if not case.is_open:
        return Over(End.STOPPED, f"{case.ref} was closed meanwhile")
    if first.overtaken_by:
        return Over(End.DONE if first.id == run.id else End.STOPPED, first.overtaken_by)
    if run.state == "held":
        if run.gives_up_at is not None and run.gives_up_at <= tx.now:
            return Over(End.FAILED, f"{NEVER_BEGAN}: {run.because}")
        run.state, run.because = "running", ""
        record(tx, going, "run.let_go")
    return None


def prepare(tx: Tx, going: Going) -> Over | None:
    """Fills in what a person would have been asked for; how the run ends where that cannot be. None: it may begin."""
    run, runbook = going.run, going.runbook
    if run.cause not in BY_THEMSELVES:
        return None
    try:
        run.inputs = _inputs(tx, going)
    except WrongInputs as wrong:
        return Over(End.FAILED, f"nobody fills in its inputs, and their defaults will not do: {wrong}")
    if runbook.for_each and run.upto_id is None:
        run.upto_id = _last_held(tx, run.case_id)
        if run.upto_id is None:
            return Over(End.DONE, "nothing of the case is held in quarantine")
    return None


def _inputs(tx: Tx, going: Going) -> dict[str, Any]:
    """The inputs as they may be kept: what rests on a redacted value is hidden, and filled in anew where it is sent.
    Raises `WrongInputs` for values that will not do."""
    shown, clear = (first_values(going.runbook, names_of(tx, going, shown=shown)) for shown in (True, False))
    read = read_inputs(going.runbook, clear)
    return {
        name: as_shown(clear.get(name), shown.get(name)) if clear.get(name) != shown.get(name) else value
        for name, value in read.items()
    }


def _last_held(tx: Tx, case_id: int | None) -> Any:
    held = select(col(Trigger.event_id)).where(col(Trigger.case_id) == case_id, col(Trigger.state) == HELD)
    return tx.session.execute(held.order_by(col(Trigger.event_id).desc()).limit(1)).scalar()
