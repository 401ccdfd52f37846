"""People have a run taken back that is over, or stop one that is under way."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlmodel import col

from bot.desk.acting import begin, check_right, finish, name_of
from bot.desk.commands import OnCase, Outcome
from bot.desk.runs.calling import record
from bot.desk.runs.chosen import check_may_steer, check_open, chosen, is_over
from bot.desk.runs.ending import end
from bot.desk.runs.rows import Going, load, save
from bot.desk.runs.taking_back import not_undone, places, take_back
from bot.desk.tx import Tx
from bot.rules.permissions import Act
from bot.rules.refusals import Refused
from bot.rules.saying import What
from runbooks.engine import End, cannot_be_undone
from store.models import Case
from store.run_models import Run

OVER = ("done", "failed", "stopped")
UNDER_WAY = ("held", "approving", "running", "proposed", "undoing")
SENT = ("replay", "retry_failed")


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
    if not places(tx, run):
        raise Refused("nothing_to_undo", _why_not(tx, going))


def _is_ended(tx: Tx, run_id: int) -> bool:
    return tx.session.execute(select(col(Run.ended_at)).where(col(Run.id) == run_id)).scalar() is not None


def _why_not(tx: Tx, going: Going) -> str:
    title = going.runbook.title
    if tried := not_undone(tx, going.run.id):
        return f"{title}: {', '.join(tried)} could not be taken back; nothing else is left to take back."
    lasting = ", ".join(cannot_be_undone(going.runbook))
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
    _stop(tx, going)
    return finish(tx, acting, What.RUN_STOPPED, _facts(tx, going), silent=True)


def _stop(tx: Tx, going: Going) -> list[str]:
    """Stops it and what its steps carry out; what is said of requests that are on their way."""
    said = [word for child in _under_it(tx, going.run) for word in _stop(tx, child)]
    said += [word for at in sorted(going.steps) if (word := _stop_step(tx, going, at))]
    because = f"{name_of(tx.session, tx.actor.id)} stopped it"
    end(tx, going, End.STOPPED, "; ".join([because, *said]))
    save(tx, going)
    return said


def _under_it(tx: Tx, run: Run) -> list[Going]:
    ids = select(col(Run.id)).where(col(Run.parent_id) == run.id, col(Run.ended_at).is_(None)).order_by(col(Run.id))
    return [going for child in tx.session.execute(ids).scalars().all() if (going := load(tx, child or 0))]


def _stop_step(tx: Tx, going: Going, position: int) -> str:
    row = going.steps[position]
    if row.state not in ("under_way", "waiting", "undoing"):
        return ""
    is_undoing = row.state == "undoing"
    said = ""
    if row.state == "waiting" and row.kind in SENT:
        said = f"what {row.name} sent is on its way all the same"
    elif row.state != "waiting" and row.unanswered and row.key_born_at:
        said = f"whether {row.name} {'was taken back' if is_undoing else 'happened'} is not known"
    because = said or "stopped"
    going.touch(position, state="not_undone" if is_undoing else "failed", because=because, ended_at=tx.now)
    return said


def _facts(tx: Tx, going: Going) -> dict[str, object]:
    return {"by": tx.actor.id, "runbook": going.runbook.title, "run": going.run.id}
