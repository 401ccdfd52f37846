"""Shadow mode: a run does what changes nothing, and then says what it would do."""

from __future__ import annotations

from typing import Any

from bot.desk.runs.calling import record
from bot.desk.runs.foreseeing import in_words, plan
from bot.desk.runs.meant import asker_of, reached
from bot.desk.runs.rows import Going
from bot.desk.runs.waiting_for_yes import stop_clock
from bot.desk.telling import consult, in_thread, inform
from bot.desk.tx import Tx
from bot.rules.foreseeing import given
from bot.rules.saying import What
from runbooks.engine import cannot_be_undone
from runbooks.steps import KINDS
from store.models import Case


def proposes(tx: Tx, going: Going, position: int) -> bool:
    """Whether the run stops here and waits for a person's yes: the step changes something, and its runbook is in
    shadow."""
    step = going.step(position)
    if going.run.mode != "shadow" or not KINDS[step.kind].changes(step):
        return False
    run = going.run
    run.state, run.due_at, run.proposed_at = "proposed", None, run.proposed_at or tx.now
    stop_clock(tx, going)
    record(tx, going, "run.proposed", step=step.name)
    if going.case is not None:
        _tell(tx, going, going.case)
        tx.owe_card(going.case.id, going.case.channel)
    return True


def _tell(tx: Tx, going: Going, case: Case) -> None:
    """Who asked for it, or else the owner, who says Do it or Not this."""
    key = f"run:{going.run.id}:proposed"
    facts: dict[str, Any] = {
        "runbook": going.runbook.title,
        "run": going.run.id,
        "given": given(going.runbook.inputs, going.run.inputs),
        "requests": in_words(plan(tx, going)),
        "lasting": cannot_be_undone(going.runbook, going.policy.runbooks),
    }
    in_thread(tx, case, What.RUN_PROPOSED, key=key, **facts)
    if asker := asker_of(going):
        inform(tx, case, asker, What.RUN_PROPOSED, key=key, **facts)
    else:
        consult(tx, case, reached(tx, case, "owner"), What.RUN_PROPOSED, key=key, **facts)
