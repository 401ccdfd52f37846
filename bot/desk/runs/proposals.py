"""What a run in shadow has proposed: somebody says Do it or Not this; and how often they say which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, select
from sqlmodel import Session, col, func

from bot.desk.acting import Acting, begin, check_right, finish, name_of
from bot.desk.commands import OnCase, Outcome
from bot.desk.runs.approvals import decline, needs_yes, reason_given
from bot.desk.runs.calling import record
from bot.desk.runs.chosen import check_open, chosen, goes_on, is_over
from bot.desk.runs.rows import Going, save
from bot.desk.tx import Tx
from bot.rules.permissions import Act
from bot.rules.saying import What
from store.columns import Instant
from store.run_models import Run

Share = tuple[int, int, int]
"""How many proposals were accepted, of how many that somebody answered, of how many."""


@dataclass(frozen=True, slots=True)
class DoIt(OnCase):
    """Carry out what the run proposes."""

    run_id: int


@dataclass(frozen=True, slots=True)
class NotThis(OnCase):
    """Do not, and why."""

    run_id: int
    reason: str


def do_it(tx: Tx, command: DoIt) -> Outcome:
    """The run goes on live from the step where it stopped; first it waits for a yes, if its runbook wants one. The
    first click counts."""
    acting = begin(tx, command, Act.NOTE)
    if isinstance(acting, Outcome):
        return acting
    going = _proposed(tx, acting, command.run_id)
    check_open(acting.case, going)
    run, approval = going.run, going.runbook.approval
    run.mode, run.accepted_by, run.accepted_at = "live", tx.actor.id, tx.now
    record(tx, going, "run.proposed_accepted")
    if approval and needs_yes(tx, going, approval):
        run.state, run.due_at = "approving", tx.now
    else:
        goes_on(tx, going)
    save(tx, going)
    return finish(tx, acting, What.RUN_ACCEPTED, _facts(tx, going))


def not_this(tx: Tx, command: NotThis) -> Outcome:
    """The run is declined, with the reason; what follows is what follows where a run of its cause does not help."""
    acting = begin(tx, command, Act.NOTE)
    if isinstance(acting, Outcome):
        return acting
    reason = reason_given(command.reason)
    going = _proposed(tx, acting, command.run_id)
    going.run.refused_by = tx.actor.id
    record(tx, going, "run.proposed_declined", reason=reason)
    decline(tx, going, f"{name_of(tx.session, tx.actor.id)} said not this: {reason}")
    save(tx, going)
    return finish(tx, acting, What.RUN_REFUSED, _facts(tx, going) | {"reason": reason}, silent=True)


def _proposed(tx: Tx, acting: Acting, run_id: int) -> Going:
    """The run, which waits for this. Raises `Refused` that says what became of it."""
    going = chosen(tx, acting.case, run_id)
    check_right(tx, acting.case, going.runbook.allow)
    if going.run.state != "proposed":
        raise is_over(tx, going)
    return going


def _facts(tx: Tx, going: Going) -> dict[str, object]:
    return {"by": tx.actor.id, "runbook": going.runbook.title, "run": going.run.id}


_ANSWERED = func.count(func.coalesce(col(Run.accepted_by), col(Run.refused_by)))
_SHARES = (
    select(col(Run.workflow), col(Run.runbook), func.count(col(Run.accepted_by)), _ANSWERED, func.count(col(Run.id)))
    .where(col(Run.proposed_at).is_not(None), col(Run.proposed_at) >= bindparam("since", type_=Instant))
    .where(col(Run.workflow).in_(bindparam("workflows", expanding=True)))
    .group_by(col(Run.workflow), col(Run.runbook))
)


def accepted_shares(session: Session, workflows: Sequence[str], since: datetime) -> dict[str, dict[str, Share]]:
    """Of each workflow: by runbook, how many of the proposals since then were accepted, how many of them somebody
    answered, and how many there were. What nobody answered, or has not yet, says nothing of the runbook."""
    found: dict[str, dict[str, Share]] = {name: {} for name in workflows}
    for workflow, runbook, *counts in session.execute(_SHARES, {"workflows": list(workflows), "since": since}):
        accepted, answered, proposed = counts
        found[workflow][runbook] = accepted, answered, proposed
    return found


def accepted_share(session: Session, workflow: str, since: datetime) -> Mapping[str, Share]:
    """By runbook of one workflow."""
    return accepted_shares(session, [workflow], since)[workflow]
