"""What a run did is taken back: its finished steps that say how, last first, the last event first, and those of the
runs that its steps carried out."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select
from sqlmodel import col

from bot.desk.runs.calling import fail
from bot.desk.runs.rows import Going, load, save, see_item
from bot.desk.runs.waking import LOOKS_AGAIN_IN
from bot.desk.tx import Tx
from bot.rules.actors import SYSTEM
from store.run_models import Run, RunStep

FINISHED = ("done", "failed", "overtaken")


def places(tx: Tx, run: Run) -> dict[int, set[int]]:
    """The places of the steps that can be taken back, by the event that the run did them for (0: for each of none)."""
    steps = tx.policies.compiled(tx.session, run.policy_digest).runbooks[run.runbook].steps
    rows = select(col(RunStep.item_id), col(RunStep.position), col(RunStep.state), col(RunStep.link_id)).where(
        col(RunStep.run_id) == run.id, col(RunStep.state).in_(FINISHED)
    )
    found: dict[int, set[int]] = {}
    for item_id, position, state, link_id in tx.session.execute(rows).all():
        step = steps[position]
        if (step.undo and state == "done") or (not step.undo and step.kind == "run" and _has_places(tx, link_id)):
            found.setdefault(item_id, set()).add(position)
    return found


def _has_places(tx: Tx, run_id: int | None) -> bool:
    run = tx.session.get(Run, run_id, populate_existing=True) if run_id is not None else None
    return run is not None and bool(places(tx, run))


def see_children(tx: Tx, going: Going) -> None:
    """Looks which steps carried out a run, or wait for one, of which something can be taken back."""
    states = (*FINISHED, "waiting")
    runs = [(at, row) for at, row in going.steps.items() if row.kind == "run" and row.state in states]
    unsaid = [(at, row) for at, row in runs if going.step(at).undo is None]
    going.children = frozenset(at for at, row in unsaid if _has_places(tx, row.link_id))


def take_back(tx: Tx, going: Going, *, by: str) -> None:
    """The run, which is over, begins to take back what it did; it is written by the caller."""
    run = going.run
    run.undo_by, run.state, run.because = by, "undoing", ""
    run.ended_at, run.lease_until, run.due_at = None, None, tx.now
    run.item_id = max(places(tx, run), default=0) or None
    see_item(tx, going)


def previous_item(tx: Tx, going: Going) -> bool:
    """Goes back to the event before of which something is to be taken back; whether there is one."""
    before = [item for item in places(tx, going.run) if item < going.item_id]
    if not before:
        return False
    going.run.item_id = max(before)
    see_item(tx, going)
    return True


def not_undone(tx: Tx, run_id: int | None) -> list[str]:
    """The names of the steps that could not be taken back."""
    kept = select(col(RunStep.name)).where(col(RunStep.run_id) == run_id, col(RunStep.state) == "not_undone")
    return list(dict.fromkeys(tx.session.execute(kept.order_by(col(RunStep.id))).scalars()))


def undo_child(tx: Tx, going: Going, position: int) -> None:
    """Has the run taken back that the step carried out, and waits until it is."""
    child = load(tx, going.steps[position].link_id or 0)
    assert child
    if child.run.undo_by is None and child.run.ended_at is not None:
        take_back(tx, child, by=going.run.undo_by or SYSTEM.id)
        save(tx, child)
    if child.run.ended_at is None:
        going.run.due_at = tx.now + max(LOOKS_AGAIN_IN, timedelta(seconds=1))
    elif child.run.state == "undone":
        going.touch(position, state="undone", because=child.run.because)
    else:
        fail(tx, going, position, child.run.because, is_undo=True)
