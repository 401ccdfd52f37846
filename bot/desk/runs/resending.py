"""Events that a run sends again: released from quarantine, or owed to their connector by the rules of *Sending
again*; and what became of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlmodel import col

from bot.desk.releasing import let_through, lock_held
from bot.desk.runs.calling import fail, record
from bot.desk.runs.delivering import runbook_of
from bot.desk.runs.redelivering import begin_again, find_failed
from bot.desk.runs.rows import Going
from bot.desk.runs.starting import take_up
from bot.desk.sending_again import owe_again
from bot.desk.tx import Tx
from bot.rules.actors import SYSTEM, Actor, person
from bot.rules.refusals import Refused
from bot.rules.repair import Mending, Unfit, as_wanted, pointer_named
from bot.rules.sending import Verb
from store.contract_models import Trigger
from store.models import Delivery
from store.run_models import Run

ENDED_WELL = ("verifying", "delivered", "already_there")
"""What is still to be verified has arrived: should it be wrong there, that is a case of its own."""
ENDED_BADLY = ("refused", "unknown", "dead")
ARRIVED = ("delivered", "ignored", "shadowed")
Found = tuple[bool, str, Mapping[str, Any] | None] | None


def resend(tx: Tx, going: Going, position: int, changes: Mapping[str, Any]) -> None:
    """The event goes again: what is held is released, what was sent is owed as a new generation."""
    event_id = going.event_id
    if going.case is None or event_id is None:
        fail(tx, going, position, "there is no event to send again")
        return
    try:
        values = _as_wanted(tx, going, changes)
    except Unfit as unfit:
        fail(tx, going, position, str(unfit))
        return
    state = tx.session.execute(select(col(Trigger.state)).where(col(Trigger.event_id) == event_id)).scalar()
    if state == "quarantined":
        _release(tx, going, position, event_id, values)
        return
    if runbook_of(tx.policy.workflows.get(going.run.workflow)):
        _begin_again(tx, going, position, event_id, values)
        return
    try:
        link = owe_again(tx, going.case, Verb.REPLAY, event_id, confirmed=_is_confirmed(going), changes=values or None)
    except (Refused, Unfit) as refused:
        fail(tx, going, position, str(refused))
        return
    _wait(tx, going, position, link, {"delivery": link, "event": f"E-{event_id}"})


def _as_wanted(tx: Tx, going: Going, changes: Mapping[str, Any]) -> dict[str, Any]:
    """What is changed, by JSON pointer; a text that somebody filled in goes to the type that the schema wants. Raises
    `Unfit` that names the field."""
    schema = tx.policy.event_schemas.get(going.run.workflow)
    values = {}
    for name, value in changes.items():
        pointer = pointer_named(name)
        place = schema.declared(pointer) if schema else None
        try:
            values[pointer] = as_wanted(value, place) if place and isinstance(value, str) else value
        except Unfit as unfit:
            raise Unfit(f"{name}: {unfit}") from None
    return values


def resend_failed(tx: Tx, going: Going, position: int) -> None:
    """What failed last goes on: a run of the contract's `deliver` at the step that failed, else the delivery."""
    event_id = going.event_id
    if going.case is None or event_id is None:
        fail(tx, going, position, "there is nothing that failed")
        return
    if failed := find_failed(tx.session, event_id):
        take_up(tx, failed, anew=_is_confirmed(going))
        _wait(tx, going, position, failed, {"run": failed})
        return
    try:
        link = owe_again(tx, going.case, Verb.RETRY, event_id, confirmed=_is_confirmed(going))
    except Refused as refused:
        fail(tx, going, position, refused.text)
        return
    _wait(tx, going, position, link, {"delivery": link, "event": f"E-{event_id}"})


def _begin_again(tx: Tx, going: Going, position: int, event_id: int, values: Mapping[str, Any]) -> None:
    """A runbook delivers: another run of it begins."""
    assert going.case
    if values:
        fail(tx, going, position, "what a runbook delivers goes as it came: `set` is for what is held in quarantine")
        return
    confirmed = _is_confirmed(going)
    try:
        link, _ = begin_again(tx, going.case, event_id, Verb.REPLAY, tx.policy, confirmed=confirmed)
    except Refused as refused:
        fail(tx, going, position, refused.text)
        return
    _wait(tx, going, position, link, {"run": link, "event": f"E-{event_id}"})


def _wait(tx: Tx, going: Going, position: int, link: int, response: Mapping[str, Any]) -> None:
    until = going.waits_until(position, tx.now)
    going.touch(position, state="waiting", link_id=link, until_at=until, response=dict(response))
    record(tx, going, "run.sent_again", step=going.steps[position].name, **response)


def _is_confirmed(going: Going) -> bool:
    return going.run.counts.get("confirmed", 0) > 0


def _release(tx: Tx, going: Going, position: int, event_id: int, values: Mapping[str, Any]) -> None:
    assert going.case
    held = lock_held(tx, going.case.id, among=[event_id], upto=event_id)
    if not held:
        fail(tx, going, position, f"E-{event_id} is not held any more")
        return
    try:
        released = let_through(tx, going.case, held, Mending(values=values), by=_actor(going))
    except Unfit as unfit:
        fail(tx, going, position, str(unfit))
        return
    if released.still:
        fail(tx, going, position, released.still[0].because)
        return
    became = select(col(Trigger.event_id)).where(col(Trigger.released_from) == event_id)
    new = tx.session.execute(became.order_by(col(Trigger.event_id).desc()).limit(1)).scalar()
    _wait(tx, going, position, new or event_id, {"event": f"E-{new or event_id}", "released": True})


def _actor(going: Going) -> Actor:
    asked_by = going.run.asked_by
    return person(asked_by) if asked_by[:1] in ("U", "W") else SYSTEM


def sent(tx: Tx, going: Going, position: int) -> Found:
    """What became of what a step sent; None: it is on its way."""
    row = going.steps[position]
    response = row.response or {}
    if "run" in response:
        return _run_ended(tx, int(response["run"]))
    if response.get("released"):
        return _arrived(tx, row.link_id or 0, response)
    wanted = select(col(Delivery.state), col(Delivery.because)).where(col(Delivery.id) == row.link_id)
    state, because = tx.session.execute(wanted).one()
    if state in ENDED_WELL:
        return True, "it is there already" if state == "already_there" else because, {**response, "state": state}
    return (False, because, None) if state in ENDED_BADLY else None


def _run_ended(tx: Tx, run_id: int) -> Found:
    wanted = select(col(Run.state), col(Run.because), col(Run.ended_at)).where(col(Run.id) == run_id)
    state, because, ended_at = tx.session.execute(wanted).one()
    return None if ended_at is None else (state == "done", because, {"run": run_id, "state": state})


def _arrived(tx: Tx, event_id: int, response: Mapping[str, Any]) -> Found:
    trigger = tx.session.execute(select(Trigger).where(col(Trigger.event_id) == event_id)).scalar_one()
    if trigger.state in ARRIVED or (trigger.state == "accepted" and _needs_no_delivery(tx, trigger)):
        return True, f"E-{event_id} is {trigger.state}", {**response, "state": trigger.state}
    if trigger.state in ("failed", "dropped", "quarantined"):
        return False, f"E-{event_id} could not be delivered", None
    return None


def _needs_no_delivery(tx: Tx, trigger: Trigger) -> bool:
    """Its contract says nowhere where it goes, so that it has come as far as it can."""
    contract = tx.policy.workflows.get(trigger.workflow)
    return contract is None or contract.deliver is None
