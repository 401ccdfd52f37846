"""Shadow mode: a run does what changes nothing, and then says what it would do."""

from __future__ import annotations

from bot.desk.runs.calling import record
from bot.desk.runs.rows import Going
from bot.desk.telling import in_thread
from bot.desk.tx import Tx
from bot.rules.saying import What
from runbooks.steps import KINDS


def proposes(tx: Tx, going: Going, position: int) -> bool:
    """Whether the run stops here and waits for a person's yes: the step changes something, and its runbook is in
    shadow."""
    step = going.step(position)
    if going.run.mode != "shadow" or not KINDS[step.kind].changes(step):
        return False
    going.run.state, going.run.due_at = "proposed", None
    if going.run.gives_up_at:
        going.run.waits_for_yes_since = tx.now
    record(tx, going, "run.proposed", step=step.name)
    if going.case is not None:
        in_thread(tx, going.case, What.RUN_PROPOSED, runbook=going.runbook.title)
        tx.owe_card(going.case.id, going.case.channel)
    return True
