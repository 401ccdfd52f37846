"""Retry and Replay where a runbook delivers: the run goes on at the step that failed, or a new one begins."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlmodel import Session, col

from bot.desk.runs.calling import KEY_LASTS
from bot.desk.runs.owing import owe_one, owed
from bot.desk.runs.starting import TAKEN_BACK, can_go_on, children, take_up, unknown_since
from bot.desk.tx import Tx
from bot.rules.refusals import Refused
from bot.rules.sending import Fate, Past, Plan, Verb, plan
from runbooks.policy import Policy
from runbooks.runbook import Runbook
from runbooks.steps import KINDS
from store.models import Case
from store.run_models import Run, RunStep

CHANGED = ("done", *TAKEN_BACK)


def fate_of(session: Session, event_id: int, policy: Policy) -> Fate:
    """What is known of the last run that was to deliver an event."""
    last = _last(session, event_id)
    if last is None:
        return Fate.NEVER_BY_US
    if last.ended_at is None:
        return Fate.UNDER_WAY
    if last.state == "done":
        return Fate.DELIVERED
    may_have = _has_changed(session, last, policy) or unknown_since(session, last.id or 0) is not None
    return Fate.UNKNOWN if may_have else Fate.REFUSED


def find_failed(session: Session, event_id: int) -> int | None:
    """The run that may go on at the step that failed; None: there is none, or what it did was taken back."""
    last = _last(session, event_id)
    return last.id if last and can_go_on(session, last.id) else None


def _plan(session: Session, verb: Verb, event_id: int, policy: Policy, now: datetime) -> Plan | None:
    """How it would be sent again; None while it is under way."""
    past = Past(fate_of(session, event_id, policy), False, now)
    if verb is Verb.RETRY and past.fate in (Fate.UNKNOWN, Fate.REFUSED):
        last = _last(session, event_id)
        since = unknown_since(session, last.id or 0) if last else None
        past = Past(Fate.UNKNOWN if since else Fate.REFUSED, False, since or now)
    return plan(verb, past, has_find=False, now=now, key_lasts=KEY_LASTS)


def begin_again(tx: Tx, case: Case, event_id: int, verb: Verb, policy: Policy, *, confirmed: bool) -> tuple[int, Plan]:
    """The run that sends the event again. Raises `Refused` (`needs_confirmation`) where that may do something twice and
    nobody said yes to it, and while one is under way."""
    chosen = _plan(tx.session, verb, event_id, policy, tx.now)
    failed = find_failed(tx.session, event_id)
    if chosen is None:
        raise Refused("under_way", f"E-{event_id} is being delivered; {case.ref} shows how far it is.")
    if verb is Verb.RETRY and failed is None:
        raise Refused("nothing_to_send", f"Nothing that failed of {case.ref} can go on; Replay begins anew.")
    if chosen.confirm and not confirmed:
        raise Refused("needs_confirmation", chosen.confirm)
    if verb is Verb.RETRY and failed is not None:
        take_up(tx, failed, anew=confirmed)
        tx.record("run.taken_up", case_id=case.id, run=failed, event=event_id, confirmed=confirmed)
        return failed, chosen
    return _begin(tx, case, event_id, confirmed=confirmed), chosen


def _begin(tx: Tx, case: Case, event_id: int, *, confirmed: bool) -> int:
    contract = tx.policy.workflows[case.workflow]
    assert contract.deliver
    assert contract.deliver.runbook
    about: dict[str, Any] = {"workflow": case.workflow, "case_id": case.id, "event_id": event_id}
    row = owed(tx, tx.policy, contract.deliver.runbook, cause="delivery", asked_by=tx.actor.id, **about)
    run_id = owe_one(tx, row)
    tx.record("run.asked_for", case_id=case.id, run=run_id, runbook=row["runbook"], event=event_id, confirmed=confirmed)
    return run_id


def was_run(session: Session, event_id: int) -> bool:
    """Whether a runbook was to deliver the event."""
    return _last(session, event_id) is not None


def _last(session: Session, event_id: int) -> Run | None:
    mine = select(Run).where(col(Run.event_id) == event_id, col(Run.cause) == "delivery")
    newest = mine.order_by(col(Run.id).desc()).limit(1).execution_options(populate_existing=True)
    return session.execute(newest).scalar_one_or_none()


def _has_changed(session: Session, run: Run, policy: Policy) -> bool:
    """Whether a step of it changed something somewhere, or one of a run that its steps carried out."""
    book = policy.runbooks.get(run.runbook)
    changing = _changing(book) if book else None
    steps = select(RunStep).where(col(RunStep.run_id) == run.id)
    rows = [row for row in session.execute(steps).scalars() if changing is None or row.name in changing]
    if any(row.state in CHANGED for row in rows):
        return True
    under_it = (session.get_one(Run, child) for child in children(session, run.id or 0))
    return any(_has_changed(session, child, policy) for child in under_it)


def _changing(book: Runbook) -> set[str]:
    return {step.name for step in book.steps if KINDS[step.kind].changes(step)}
