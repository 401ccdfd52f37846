"""Events that a runbook delivers: its run is owed when the event is accepted; when that is over the event is delivered
and its outcome awaited, or its failure is a case with the run on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, update

from bot.desk import outcomes
from bot.desk.clearing import arrived
from bot.desk.intake import Report, report_one
from bot.desk.runs.owing import owe, owed
from bot.desk.runs.rows import Going, names_of
from bot.desk.tx import Tx
from bot.rules.actors import SYSTEM, Actor
from runbooks.contracts import Contract
from runbooks.engine import End
from runbooks.policy import Policy
from store.columns import Instant
from store.contract_models import Trigger
from store.models import Case, Event
from store.run_models import Run

_TRIGGERS = Trigger.__table__  # type: ignore[attr-defined]
_RUNS = Run.__table__  # type: ignore[attr-defined]
_OF_EVENT = update(_TRIGGERS).where(_TRIGGERS.c.event_id == bindparam("_event_id"))
_DELIVERED = _OF_EVENT.values(state="delivered", delivered_at=bindparam("_at", type_=Instant))
_FAILED = _OF_EVENT.values(state="failed", case_id=bindparam("_case_id"))
_OF_CASE = update(_RUNS).where(_RUNS.c.id == bindparam("_id")).values(case_id=bindparam("_case_id"))


@dataclass(frozen=True, slots=True)
class First:
    """An event that a runbook is to deliver, by this policy."""

    event_id: int
    contract: Contract
    policy: Policy
    by: Actor


def runbook_of(contract: Contract | None) -> str | None:
    """The runbook that delivers the events of a contract; None: one request does, or nothing."""
    return contract.deliver.runbook if contract and contract.deliver else None


def owe_first(tx: Tx, firsts: Sequence[First]) -> None:
    """Owes the run of each of these events."""
    rows = []
    for first in firsts:
        runbook = runbook_of(first.contract)
        assert runbook
        about: dict[str, Any] = {"event_id": first.event_id, "asked_by": first.by.id}
        rows.append(owed(tx, first.policy, runbook, cause="delivery", workflow=first.contract.workflow, **about))
    owe(tx, rows)


def delivery(tx: Tx, going: Going, how: End) -> None:
    """What follows from the end of the run. One that a case has already tells it there."""
    if how is End.DONE:
        _arrived(tx, going)
    elif going.run.case_id is None:
        _not_arrived(tx, going)


def _arrived(tx: Tx, going: Going) -> None:
    run = going.run
    event_id = run.event_id
    assert event_id
    tx.session.connection().execute(_DELIVERED, {"_event_id": event_id, "_at": tx.now})
    outcomes.expect(tx, [outcomes.Landed(event_id, run.workflow, going.policy)])
    if run.case_id is None:
        tx.record("event.delivered", workflow=run.workflow, actor=SYSTEM, event=event_id, run=run.id)
    arrived(tx, [event_id])


def _not_arrived(tx: Tx, going: Going) -> None:
    run = going.run
    done = [row.name for _, row in sorted(going.steps.items()) if row.state == "done"]
    said = [f"{going.runbook.title}: {run.because}.", f"Done before: {', '.join(done)}." if done else ""]
    event = names_of(tx, going, shown=False)["event"]
    run.case_id = _open_case(tx, run, event, "\n".join(filter(None, said)))
    steps = {row.name: row.state for _, row in sorted(going.steps.items())}
    _told(tx, run, run.case_id, because=run.because, steps=steps)


def not_carried_out(tx: Tx, run: Run, because: str) -> None:
    """The run cannot even be read: its event is a case all the same, with what may be shown of it."""
    event = tx.session.get(Event, run.event_id)
    case_id = _open_case(tx, run, event.content if event else {}, f"{run.runbook}: {because}.")
    _told(tx, run, case_id, because=because)


def _open_case(tx: Tx, run: Run, event: Mapping[str, Any], detail: str) -> int:
    case_id, _ = report_one(tx, _failure(tx, run, event, detail))
    connection = tx.session.connection()
    connection.execute(_FAILED, {"_event_id": run.event_id, "_case_id": case_id})
    connection.execute(_OF_CASE, {"_id": run.id, "_case_id": case_id})
    return case_id


def _told(tx: Tx, run: Run, case_id: int, **detail: Any) -> None:
    about: dict[str, Any] = {"run": run.id, "runbook": run.runbook, "event": run.event_id}
    tx.record(f"run.{run.state}", case_id=case_id, **about, **detail)
    tx.owe_card(case_id, tx.session.get_one(Case, case_id).channel)


def _failure(tx: Tx, run: Run, event: Mapping[str, Any], detail: str) -> Report:
    subject = tx.session.connection().execute(_SUBJECT, {"id": run.event_id}).scalar()
    return Report(
        by=SYSTEM,
        workflow=run.workflow,
        failure_mode="delivery_failed",
        title=f"Not delivered: event E-{run.event_id}" + (f" of {subject}" if subject else ""),
        detail=detail,
        subject=subject,
        event=event,
        event_id=run.event_id,
    )


_SUBJECT = _TRIGGERS.select().with_only_columns(_TRIGGERS.c.subject).where(_TRIGGERS.c.event_id == bindparam("id"))
