"""What a run is going to do: the very requests, filled in with what is known, as they may be shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session

from bot.desk.acting import name_of
from bot.desk.policies import Policies
from bot.desk.runs.items import first_held
from bot.desk.runs.rows import Going, names_of, see, see_item
from bot.desk.tx import Tx
from bot.rules.actors import SYSTEM
from bot.rules.foreseeing import Planned as Planned
from bot.rules.foreseeing import View, foresee
from runbooks.policy import Policy
from runbooks.runbook import Runbook
from store.models import Case
from store.run_models import Run

_COLUMNS = tuple(column.name for column in Run.__table__.columns)  # type: ignore[attr-defined]
MOST_WORDS = 20
LONGEST_WORDS = 500


@dataclass(frozen=True, slots=True)
class Wanted:
    """A run that somebody thinks of: nothing of it is written."""

    case: Case
    runbook: Runbook
    policy: Policy
    inputs: Mapping[str, Any]
    asker: str


def foreseen(session: Session, policies: Policies, of: Run | Wanted, *, now: datetime) -> list[Planned]:
    """The steps that the run has not begun, or all of a run that is wanted. One that is carried out for each of several
    events is told for the next of them. It only reads."""
    tx = Tx(session, now, SYSTEM, policies)
    if isinstance(of, Run):
        return plan(tx, see(tx, Run(**{name: getattr(of, name) for name in _COLUMNS})))
    run = Run(
        case_id=of.case.id,
        event_id=of.case.event_id,
        item_id=first_held(tx, of.case.id) if of.runbook.for_each else None,
        workflow=of.case.workflow,
        runbook=of.runbook.name,
        policy_digest=of.policy.digest,
        cause="pressed",
        asked_by=of.asker,
        asked_at=now,
        inputs=dict(of.inputs),
        state="running",
    )
    return plan(tx, see(tx, run))


def plan(tx: Tx, going: Going) -> list[Planned]:
    """The steps that a run in this transaction has not begun."""
    run = going.run
    if run.upto_id is not None and run.item_id is None:
        run.item_id = first_held(tx, run.case_id)
        see_item(tx, going)
        planned = plan(tx, going)
        run.item_id = None
        see_item(tx, going)
        return planned
    ahead = [step for at, step in enumerate(going.runbook.steps) if at not in going.steps]
    return foresee(ahead, _view(tx, going))


def _view(tx: Tx, going: Going) -> View:
    done = [row.name for row in going.steps.values() if row.state == "done"]
    shown, clear = (names_of(tx, going, shown=shown) for shown in (True, False))
    contract = going.policy.workflows.get(going.run.workflow)
    return View(shown, clear, done, going.policy.runbooks, contract, lambda who: name_of(tx.session, who))


def in_words(planned: Sequence[Planned]) -> list[str]:
    """What is planned, a line for each step, bounded."""
    more = len(planned) - MOST_WORDS
    lines = [f"{each.name}: {each.words}"[:LONGEST_WORDS] for each in planned[:MOST_WORDS]]
    return [*lines, f"and {more} more steps"] if more > 0 else lines
