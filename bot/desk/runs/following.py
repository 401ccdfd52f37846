"""What follows when a run is over that was to fix its case: the case closes through its checks, or goes to people."""

from __future__ import annotations

from bot.desk.acting import name_of
from bot.desk.closing import begin_closing
from bot.desk.commands import Escalate
from bot.desk.escalations import escalate
from bot.desk.healing import BY_ITSELF
from bot.desk.ongoing import load, save
from bot.desk.runs import autofix
from bot.desk.runs.calling import record
from bot.desk.runs.rows import Going
from bot.desk.telling import direct, in_thread
from bot.desk.tx import Tx
from bot.rules.actors import SYSTEM, Actor, Kind
from bot.rules.closing import heals
from bot.rules.refusals import Refused
from bot.rules.saying import What
from runbooks.engine import End

FIXER = Actor(Kind.SYSTEM, "auto-fix")
"""Who resolves a case that its runbook has fixed."""
RUNNER = Actor(Kind.SYSTEM, "a runbook")
"""Who resolves a case after somebody had a runbook carried out."""


def auto_fix(tx: Tx, going: Going, how: End) -> None:
    """An auto-fix has come to its end. One that was stopped because its case was closed is only told of."""
    case, title = going.case, going.runbook.title
    assert case
    if how is not End.DONE:
        tried = [
            {"step": row.name, "state": row.state, "because": row.because} for _, row in sorted(going.steps.items())
        ]
        autofix.give_way(tx, case.id, going.run.because, runbook=title, tried=tried)
    elif case.is_open and (case.assignee or case.acknowledged_at):
        _tell_who_has_it(tx, case.id, title)
    else:
        begin_closing(tx, case, by=FIXER)


def _tell_who_has_it(tx: Tx, case_id: int, title: str) -> None:
    """Somebody has the case, and may know more: they close it."""
    going = load(tx, [case_id])[case_id]
    if autofix.take_route(tx, going, "somebody has it"):
        save(tx, [going])
    people = [going.case.assignee or going.case.acknowledged_by or ""]
    in_thread(tx, going.case, What.AUTO_FIX_DONE, runbook=title, people=people)
    direct(tx, going.case, people[0], What.AUTO_FIX_DONE, runbook=title, people=people)


def pressed(tx: Tx, going: Going, how: End) -> None:
    """A run that somebody pressed has come to its end. Where what the case is about is over by then and nobody has it,
    it closes through its checks. Where the run failed, the next step of the case's ladder comes now, unless the
    runbook says to stop there."""
    case = going.case
    if case is None or not case.is_open:
        return
    if going.run.overtaken_by and heals(case.state, assignee=case.assignee, reopened=case.reopened):
        _close_after(tx, going, how)
    elif how is End.FAILED:
        _escalate(tx, case.id)


def _close_after(tx: Tx, going: Going, how: End) -> None:
    assert going.case
    by = going.run.asked_by
    record(tx, going, "run.repaired", asked_by=by, state=how.value)
    note = f"{going.runbook.title}, asked for by {name_of(tx.session, by)}"
    begin_closing(tx, going.case, by=RUNNER, reason="fixed" if how is End.DONE else BY_ITSELF, note=note)


def _escalate(tx: Tx, case_id: int) -> None:
    part = Tx(tx.session, tx.now, SYSTEM, tx.policies)
    try:
        escalate(part, Escalate(case_id))
    except Refused:
        return
    part.flush()
