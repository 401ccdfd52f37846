"""The clock of an auto-fix stands still while its run, or one that a step of it carries out, waits for a person's
yes."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlmodel import col

from bot.desk import clocks
from bot.desk.people import find_role
from bot.desk.runs.rows import Going
from bot.desk.tx import Tx
from bot.rules.auto_fix import after_waiting
from store.models import Case
from store.run_models import Run


def stop_clock(tx: Tx, going: Going) -> None:
    """From now on, if it does not stand still already."""
    run = going.run
    if run.gives_up_at is not None and run.waits_for_yes_since is None:
        run.waits_for_yes_since = tx.now
    for parent in _parents(tx, run):
        if parent.gives_up_at is not None and parent.waits_for_yes_since is None:
            _write(tx, parent, waits_for_yes_since=tx.now)


def start_clock(tx: Tx, going: Going) -> None:
    """Somebody has answered, or nobody will: the time that was left is left now."""
    run = going.run
    run.gives_up_at, run.waits_for_yes_since = _moved(tx, going.case, run), None
    for parent in _parents(tx, run):
        if parent.waits_for_yes_since is not None:
            _write(tx, parent, gives_up_at=_moved(tx, going.case, parent), waits_for_yes_since=None)


def _moved(tx: Tx, case: Case | None, run: Run) -> datetime | None:
    since, until = run.waits_for_yes_since, run.gives_up_at
    if since is None or until is None:
        return until
    terms = clocks.terms(tx.policy_of(case), case) if case else None
    if case is None or terms is None or terms.auto_fix is None:
        return tx.now + max(until - since, timedelta(0))
    policy = tx.policy_of(case)
    calendar = policy.team.calendars[find_role(policy, terms.owner).calendar]
    length = terms.auto_fix.give_up_after
    return after_waiting(until, since=since, now=tx.now, calendar=calendar, give_up_after=length)


def _parents(tx: Tx, run: Run) -> list[Run]:
    """The runs by whose steps this one is carried out. They are of the same case, which is locked."""
    found: list[Run] = []
    parent_id = run.parent_id
    while parent_id is not None:
        one = select(Run).where(col(Run.id) == parent_id).with_for_update().execution_options(populate_existing=True)
        parent = tx.session.execute(one).scalar_one()
        found.append(parent)
        parent_id = parent.parent_id
    return found


def _write(tx: Tx, run: Run, **values: datetime | None) -> None:
    changed = update(Run).where(col(Run.id) == run.id).values(**values)
    tx.session.execute(changed.execution_options(synchronize_session=False))
