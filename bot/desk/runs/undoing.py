"""People have a run taken back that is over, or stop one that is under way."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlmodel import col

from bot.desk.acting import begin, check_right, finish, name_of
from bot.desk.closing import withdraw_confirmation
from bot.desk.commands import OnCase, Outcome
from bot.desk.runs.calling import record
from bot.desk.runs.chosen import check_may_steer, check_open, chosen, is_over
from bot.desk.runs.ending import stop
from bot.desk.runs.rows import Going, is_forgotten, save
from bot.desk.runs.taking_back import not_undone, places, take_back
from bot.desk.tx import Tx
from bot.rules.permissions import Act
from bot.rules.refusals import Refused
from bot.rules.saying import What
from runbooks.engine import cannot_be_undone
from store.models import Case
from store.run_models import Run

OVER = ("done", "failed", "stopped")
UNDER_WAY = ("held", "approving", "running", "proposed", "undoing")


@dataclass(frozen=True, slots=True)
class UndoRun(OnCase):
    """Take back what the run did."""

    run_id: int


@dataclass(frozen=True, slots=True)
class StopRun(OnCase):
    """The run is not to go on."""

    run_id: int


def undo_run(tx: Tx, command: UndoRun) -> Outcome:
    """Each finished step of the run that says how is taken back, last first, once. Refused, with why, where there is
    none, while the run is under way, on a closed case, and for whom its runbook does not allow."""
    acting = begin(tx, command, Act.NOTE)
    if isinstance(acting, Outcome):
        return acting
    going = chosen(tx, acting.case, command.run_id)
    check_right(tx, acting.case, going.runbook.allow)
    _check_can(tx, acting.case, going)
    take_back(tx, going, by=tx.actor.id)
    withdraw_confirmation(tx, acting.case)
    record(tx, going, "run.undo_asked")
    save(tx, going)
    return finish(tx, acting, What.RUN_UNDOING, _facts(tx, going))


def _check_can(tx: Tx, case: Case, going: Going) -> None:
    run, title = going.run, going.runbook.title
    if run.state in UNDER_WAY and run.state != "undoing":
        raise Refused("under_way", f"{title} is under way: stop it first, then what it did can be taken back.")
    if run.state not in OVER:
        raise is_over(tx, going)
    check_open(case, going)
    if run.parent_id is not None and not _is_ended(tx, run.parent_id):
        raise Refused("part_of_another", f"{title} is a step of a run that is under way: stop that first.")
    if is_forgotten(tx.session, run.id):
        text = f"What {title} was answered is no longer kept, so it cannot be taken back from here: do it by hand."
        raise Refused("gone", text)
    if not places(tx, run):
        raise Refused("nothing_to_undo", _why_not(tx, going))


def _is_ended(tx: Tx, run_id: int) -> bool:
    return tx.session.execute(select(col(Run.ended_at)).where(col(Run.id) == run_id)).scalar() is not None


def _why_not(tx: Tx, going: Going) -> str:
    title = going.runbook.title
    if tried := not_undone(tx, going.run.id):
        return f"{title}: {', '.join(tried)} could not be taken back; nothing else is left to take back."
    lasting = ", ".join(cannot_be_undone(going.runbook, going.policy.runbooks))
    said = f" Its runbook does not say how these are: {lasting}." if lasting else ""
    return f"Nothing that {title} did can be taken back.{said}"


def stop_run(tx: Tx, command: StopRun) -> Outcome:
    """The run is over at once, and so are those that its steps carry out. What is on its way to a system is not called
    back: whether it happened is not known, and that is said."""
    acting = begin(tx, command, Act.NOTE)
    if isinstance(acting, Outcome):
        return acting
    going = chosen(tx, acting.case, command.run_id)
    check_may_steer(tx, acting.case, going)
    if going.run.state not in UNDER_WAY:
        raise is_over(tx, going)
    stop(tx, going, f"{name_of(tx.session, tx.actor.id)} stopped it")
    return finish(tx, acting, What.RUN_STOPPED, _facts(tx, going), silent=True)


def _facts(tx: Tx, going: Going) -> dict[str, object]:
    return {"by": tx.actor.id, "runbook": going.runbook.title, "run": going.run.id}
