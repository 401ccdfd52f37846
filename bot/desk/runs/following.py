"""What follows when an auto-fix is over: the case closes through its checks, or takes its route."""

from __future__ import annotations

from bot.desk.closing import begin_closing
from bot.desk.ongoing import load, save
from bot.desk.runs import autofix
from bot.desk.runs.rows import Going
from bot.desk.telling import direct, in_thread
from bot.desk.tx import Tx
from bot.rules.actors import Actor, Kind
from bot.rules.saying import What
from runbooks.engine import End

FIXER = Actor(Kind.SYSTEM, "auto-fix")
"""Who resolves a case that its runbook has fixed."""


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
