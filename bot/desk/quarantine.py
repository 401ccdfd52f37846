"""What people do about events in quarantine: look at one, mend and release one, some or all of a case, drop one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import update
from sqlmodel import Session, col

from bot.desk.acting import Acting, begin, finish
from bot.desk.clearing import tell_if_clear
from bot.desk.commands import OnCase, Outcome
from bot.desk.kept import hidden_of, removed_from
from bot.desk.policies import Policies
from bot.desk.releasing import BATCH, Released, Still, last_held, let_through, lock_held, owe_rest
from bot.desk.tx import Tx
from bot.rules.admission import first_unmet, identity_of
from bot.rules.closing import SHORTEST_REASON
from bot.rules.permissions import Act
from bot.rules.redaction import restored
from bot.rules.refusals import Refused
from bot.rules.repair import Mending, Wrong, fields_of_rule, wrong_fields
from bot.rules.saying import What
from bot.rules.texts import clean_line
from runbooks.contracts import Contract, Precondition
from runbooks.policy import Policy
from runbooks.templates import Expression, ExpressionFault
from store.contract_models import Trigger
from store.queries.quarantine import HELD, Held, Wanted, find_trigger, list_held

LONGEST_REASON = 500


@dataclass(frozen=True, slots=True)
class Release(OnCase):
    """Let events of the case through, mended: these (a hundred at the most), or (None) all that are held. What is put
    in with `values` goes to each of them."""

    event_ids: tuple[int, ...] | None = None
    mending: Mending = field(default_factory=Mending)


@dataclass(frozen=True, slots=True)
class Drop(OnCase):
    """Never deliver this event, and why."""

    event_id: int
    reason: str


class StillHeld(Refused):
    """The one event that was to be released does not fit; `wrong` says what, by JSON pointer."""

    def __init__(self, ref: str, still: Still, *, case_id: int) -> None:
        super().__init__("still_held", f"{ref} stays in quarantine: {still.because}.", case_id=case_id)
        self.wrong = still.wrong


@dataclass(frozen=True, slots=True)
class Look:
    """An event in quarantine as it may be seen: its content masked, and its declared fields that do not fit by the
    contract of now, or else those that the precondition looks at which holds it (`rule` is that in words), or what it
    is known by, if that is what another event is known by.
    `is_erased`: what was hidden of it is gone."""

    held: Held
    content: Mapping[str, Any]
    wrong: tuple[Wrong, ...]
    is_erased: bool
    rule: str | None = None


def look(session: Session, policies: Policies, event_id: int, *, now: datetime) -> Look:
    """Raises `Refused` where the event is not held."""
    trigger = find_trigger(session, event_id)
    if trigger is None or trigger.state != HELD:
        raise Refused("not_held", _not_held(event_id, trigger))
    [held] = list_held(session, Wanted(1, case_id=trigger.case_id, before=event_id + 1))
    policy = policies.in_force(session)
    shown = hidden_of(policy, trigger.workflow, held.event.content, is_misfit=True).content
    [removed] = removed_from(session, [held.event])
    schema = policy.event_schemas.get(trigger.workflow)
    if removed is None or schema is None:
        return Look(held, shown, (), removed is None)
    whole = restored(held.event.content, removed)
    wrong = wrong_fields(schema.misfits(whole), whole, shown, schema)
    unmet = None if wrong else _unmet(policy.workflows[trigger.workflow], {"event": whole, "now": now})
    if unmet is None:
        wrong = wrong or [
            each for rule in _of_identity(policy, trigger) for each in fields_of_rule(rule, whole, shown, schema)
        ]
        return Look(held, shown, tuple(wrong), is_erased=False)
    precondition, because = unmet
    of_rule = fields_of_rule(precondition.expect.source, whole, shown, schema)
    return Look(held, shown, tuple(of_rule), is_erased=False, rule=because)


def _of_identity(policy: Policy, trigger: Trigger) -> list[str]:
    """The expressions by which the event is known; none where that is no reason to hold it."""
    said = policy.workflows[trigger.workflow].trigger
    if said is None or identity_of(trigger.identity, trigger.digest) == trigger.identity:
        return []
    return [part.source for part in said.id.parts if isinstance(part, Expression)]


def _unmet(contract: Contract, names: Mapping[str, Any]) -> tuple[Precondition, str] | None:
    try:
        return first_unmet(contract, names)
    except ExpressionFault:
        return None


def release(tx: Tx, command: Release) -> Outcome:
    """Lets events through that fit by the contract of now. Raises `StillHeld` where the only one does not, and
    `Refused` where there is nothing to release."""
    acting = begin(tx, command, Act.RELEASE)
    if isinstance(acting, Outcome):
        return acting
    case = acting.case
    upto, count = last_held(tx.session, case.id)
    held = lock_held(tx, case.id, among=command.event_ids, upto=upto)
    if not held:
        raise Refused("not_held", _nothing(tx, command))
    released = let_through(tx, case, held, command.mending, by=tx.actor)
    if command.event_ids and len(command.event_ids) == 1 and released.still:
        raise StillHeld(held[0].ref, released.still[0], case_id=case.id)
    left = 0 if command.event_ids else max(count - BATCH, 0)
    if left:
        owe_rest(tx, case, released, command.mending.names, after=held[-1].event.id, upto=upto)
    return _told(tx, acting, command, released, left)


def drop(tx: Tx, command: Drop) -> Outcome:
    """Takes one event out of quarantine for good; it is never delivered. Raises `Refused`."""
    acting = begin(tx, command, Act.RELEASE)
    if isinstance(acting, Outcome):
        return acting
    reason = clean_line(command.reason, most=LONGEST_REASON)
    if len(reason) < SHORTEST_REASON:
        raise Refused("no_reason", f"Say in at least {SHORTEST_REASON} characters why it is not to be delivered.")
    held = lock_held(tx, acting.case.id, among=[command.event_id], upto=command.event_id)
    if not held:
        raise Refused("not_held", _not_held(command.event_id, find_trigger(tx.session, command.event_id)))
    dropped = update(Trigger).where(col(Trigger.event_id) == command.event_id).values(state="dropped")
    tx.session.execute(dropped.execution_options(synchronize_session=False))
    tx.record("event.dropped", case_id=acting.case.id, event=held[0].ref, reason=reason)
    tell_if_clear(tx, [acting.case.id])
    facts = {"by": tx.actor.id, "event": held[0].ref, "reason": reason}
    return finish(tx, acting, What.EVENT_DROPPED, facts)


def _told(tx: Tx, acting: Acting, command: Release, released: Released, left: int) -> Outcome:
    one = f"E-{command.event_ids[0]}" if command.event_ids and len(command.event_ids) == 1 else None
    facts = {"by": tx.actor.id, "event": one, "left": left, **released.facts()}
    outcome = finish(tx, acting, What.EVENTS_RELEASED, facts)
    tell_if_clear(tx, [acting.case.id])
    return outcome


def _nothing(tx: Tx, command: Release) -> str:
    if command.event_ids:
        return _not_held(command.event_ids[0], find_trigger(tx.session, command.event_ids[0]))
    return f"Nothing of C-{command.case_id} is held in quarantine any more."


_BECAME = {
    "released": "was released already",
    "dropped": "was dropped",
    "delivered": "is delivered",
    "delivering": "is on its way",
}


def _not_held(event_id: int, trigger: Trigger | None) -> str:
    if trigger is None:
        return f"There is no event E-{event_id}; `/case quarantine` lists those that are held."
    became = _BECAME.get(trigger.state, "is not held")
    return f"E-{event_id} {became}; `/case quarantine` lists those that are held."
