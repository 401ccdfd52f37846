"""What people do with a case: take it, give it on, change it, close it and open it again.

Each function is one act in one transaction: the case, the record of it, its timers, and the card and the line that it
owes. Each raises `Refused` where the actor may not, or the case is in no state for it, in words that help."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import select
from sqlmodel import col

from bot.desk import clocks, closing
from bot.desk.acting import (
    Acting,
    begin,
    check_can_be_given,
    finish,
    get_ongoing,
    name_of,
    roles_of_contract,
)
from bot.desk.commands import (
    Acknowledge,
    AddNote,
    Assign,
    Fail,
    HandOff,
    Reopen,
    Resolve,
    SetPriority,
    SetState,
    Snooze,
)
from bot.desk.commands import Outcome as Outcome
from bot.desk.kept import digest_of
from bot.desk.ongoing import Ongoing
from bot.desk.people import reach
from bot.desk.runs import autofix
from bot.desk.telling import cancel_pages, channel_line, direct, page, tell
from bot.desk.tx import Tx
from bot.rules.closing import DECISIONS, REASONS, decision_missing
from bot.rules.lifecycle import State, ago
from bot.rules.permissions import Act
from bot.rules.refusals import Refused
from bot.rules.routing import AUTO_FIX
from bot.rules.saying import What
from bot.rules.texts import clean
from runbooks.calendars import add, next_opening
from runbooks.lengths import Length, parse_length
from store.models import PRIORITIES, Case, Note
from store.writing import add_new

NEXT_BUSINESS_DAY = "next business day"


def get_case(tx: Tx, case_id: int) -> Case:
    """The case, locked. Raises `Refused` if there is none."""
    return get_ongoing(tx, case_id).case


def acknowledge(tx: Tx, command: Acknowledge) -> Outcome:
    """The actor has the case: assigned, in progress, no more pages, until the lease runs out. The first one wins;
    whoever comes later is told who has it. From the person who has it, it renews the lease."""
    acting = begin(tx, command, Act.ACKNOWLEDGE)
    if isinstance(acting, Outcome):
        return acting
    case = acting.case
    again = case.acknowledged_by == tx.actor.id
    if case.acknowledged_at and not again and case.assignee != tx.actor.id:
        raise _taken(tx, case)
    if again:
        clocks.renew_lease(tx, acting.going)
        tx.record("case.acknowledgement_renewed", case_id=case.id, until=_iso(case.lease_until))
    else:
        _take(tx, acting)
    facts = {"by": tx.actor.id, "until": _iso(case.lease_until), "again": again}
    return finish(tx, acting, What.ACKNOWLEDGED, facts, silent=again)


def _take(tx: Tx, acting: Acting) -> None:
    going, case = acting.going, acting.case
    state = "in_progress" if case.state == "queued" else case.state
    going.enter(state, at=tx.now, assignee=tx.actor.id, acknowledged_at=tx.now, acknowledged_by=tx.actor.id)
    going.set(exhausted=case.exhausted and clocks.is_over(tx, going, "resolution"))
    clocks.stop_response(going)
    clocks.renew_lease(tx, going)
    cancelled = cancel_pages(tx, case)
    tx.record("case.acknowledged", case_id=case.id, until=_iso(case.lease_until), pages_cancelled=cancelled)


def _taken(tx: Tx, case: Case) -> Refused:
    assert case.acknowledged_at
    has_it = case.assignee or case.acknowledged_by or ""
    return Refused(
        "already_acknowledged",
        f"{case.ref} was taken by {name_of(tx.session, case.acknowledged_by or '')} "
        f"{ago(case.acknowledged_at, now=tx.now)}; {name_of(tx.session, has_it)} has it. "
        "To take it over, assign it to yourself.",
        case_id=case.id,
    )


def assign(tx: Tx, command: Assign) -> Outcome:
    """The person has the case, may act on it, and is told. To oneself, while nobody has it, it is acknowledging."""
    acting = begin(tx, command, Act.ASSIGN)
    if isinstance(acting, Outcome):
        return acting
    check_can_be_given(tx, command.person)
    case, before = acting.case, acting.case.assignee
    if before == command.person:
        raise Refused("same_assignee", f"{name_of(tx.session, command.person)} has {case.ref} already.")
    is_self = command.person == tx.actor.id
    if is_self and not case.acknowledged_at:
        _take(tx, acting)
    acting.going.set(assignee=command.person)
    tx.record("case.assigned", case_id=case.id, to=command.person, before=before)
    facts: dict[str, Any] = {"by": tx.actor.id, "to": command.person}
    if is_self:
        tx.tell_to_act(case.id, command.person)
    else:
        direct(tx, case, command.person, What.ASSIGNED, **facts)
    return finish(tx, acting, What.ASSIGNED, facts)


def hand_off(tx: Tx, command: HandOff) -> Outcome:
    """Another role owns the case: queued with it, nobody has it, and its response window starts now in its own hours.
    The resolution window stays. Its channel is told; the person on call too, if the case's route is on call."""
    acting = begin(tx, command, Act.HAND_OFF)
    if isinstance(acting, Outcome):
        return acting
    going, case, before = acting.going, acting.case, acting.case.owner
    _check_role(tx, case, command.role)
    going.enter("queued", at=tx.now, owner=command.role, snoozed_until=None, exhausted=False, **_NOBODY)
    _give_to_people(tx, going)
    going.set(response_from_at=tx.now, response_breached_at=None)
    going.drop("response", "lease", "snooze")
    clocks.reset_response(tx, going)
    clocks.reset_resolution(tx, going)
    cancel_pages(tx, case)
    reached = reach(tx, command.role)
    facts: dict[str, Any] = {"by": tx.actor.id, "from": before, "to": command.role, "people": list(reached.people)}
    tx.record("case.handed_off", case_id=case.id, **_without(facts, "by"), acknowledge_due_at=_due(case))
    if case.route == "on_call":
        tell(tx, case, reached, What.HANDED_OFF, **_without(facts, "people"))
    elif reached.channel != case.channel:
        channel_line(tx, case, reached.channel, What.HANDED_OFF, **facts)
    return finish(tx, acting, What.HANDED_OFF, facts)


def _give_to_people(tx: Tx, going: Ongoing) -> None:
    """A case that a person gives on, or opens again, is for people: it goes by its route, whatever a runbook tries."""
    if going.case.route == AUTO_FIX:
        going.set(route=clocks.terms(tx.policy_of(going.case), going.case).route)


_NOBODY = {"assignee": None, "acknowledged_at": None, "acknowledged_by": None, "lease_until": None}


def _check_role(tx: Tx, case: Case, role: str) -> None:
    roles = tx.policy.team.roles
    if role not in roles:
        raise Refused("no_such_role", f"There is no role {role!r}; there are: {', '.join(roles)}.", case_id=case.id)
    if role == case.owner:
        raise Refused("same_owner", f"{roles[role].title} owns {case.ref} already.", case_id=case.id)


def set_priority(tx: Tx, command: SetPriority) -> Outcome:
    """Another priority: both windows are computed anew from their start, with the lengths of that priority. A window
    that has not passed by these has not passed."""
    acting = begin(tx, command, Act.SET_PRIORITY)
    if isinstance(acting, Outcome):
        return acting
    going, case, before = acting.going, acting.case, acting.case.priority
    if command.priority not in PRIORITIES:
        raise Refused("no_such_priority", f"A priority is one of {', '.join(PRIORITIES)}.", case_id=case.id)
    if command.priority == before:
        raise Refused("same_priority", f"{case.ref} is {before} already.", case_id=case.id)
    going.set(priority=command.priority)
    clocks.reset_response(tx, going)
    clocks.reset_resolution(tx, going)
    facts: dict[str, Any] = {"from": before, "to": command.priority}
    tx.record(
        "case.priority_changed", case_id=case.id, **facts, acknowledge_due_at=_due(case), resolve_due_at=_end(case)
    )
    return finish(tx, acting, What.PRIORITY_CHANGED, {"by": tx.actor.id, **facts})


def snooze(tx: Tx, command: Snooze) -> Outcome:
    """No reminders until then. No clock stops: the windows pass and the ladders are climbed all the same."""
    acting = begin(tx, command, Act.SNOOZE)
    if isinstance(acting, Outcome):
        return acting
    case = acting.case
    calendar = clocks.calendar_of_owner(tx, case)
    if " ".join(command.length.lower().split()) == NEXT_BUSINESS_DAY:
        midnight = add(calendar, tx.now, Length(business_days=1)).astimezone(calendar.timezone)
        until = next_opening(calendar, midnight.replace(hour=0, minute=0, second=0, microsecond=0))
    else:
        until = add(calendar, tx.now, _length(command.length))
    acting.going.set(snoozed_until=until)
    acting.going.arm("snooze", until)
    tx.record("case.snoozed", case_id=case.id, until=_iso(until))
    return finish(tx, acting, What.SNOOZED, {"by": tx.actor.id, "until": _iso(until)})


def _length(text: str) -> Length:
    try:
        return parse_length(text.strip())
    except ValueError as fault:
        raise Refused("not_a_length", f"{fault}; or say: {NEXT_BUSINESS_DAY}.") from None


def add_note(tx: Tx, command: AddNote) -> Outcome:
    """A line of the case's timeline, and in its thread."""
    acting = begin(tx, command, Act.NOTE)
    if isinstance(acting, Outcome):
        return acting
    text = keep_note(tx, acting.case, command.text, message_ts=command.message_ts)
    return finish(tx, acting, What.NOTED, {"by": tx.actor.id, "text": text})


def keep_note(tx: Tx, case: Case, text: str, *, message_ts: str | None = None) -> str:
    """Keeps what the actor wrote; the record has its digest, so that the text can be erased. Raises `Refused` for an
    empty text."""
    text = clean(text)
    if not text:
        raise Refused("empty", "The note is empty.", case_id=case.id)
    row = {"case_id": case.id, "at": tx.now, "author": tx.actor.id, "text": text, "message_ts": message_ts}
    add_new(tx.session, Note, [row], unique=["case_id", "message_ts"])
    tx.record("case.noted", case_id=case.id, text_digest=digest_of(tx, text), message_ts=message_ts)
    return text


def set_state(tx: Tx, command: SetState) -> Outcome:
    """Waiting for a system or a customer, under review, or in progress again. Where the policy pauses the resolution
    clock, it stands still from now, or goes on with what was left."""
    to = _state(command.state)
    acting = begin(tx, command, Act.SET_STATE, to=to)
    if isinstance(acting, Outcome):
        return acting
    going, case, before = acting.going, acting.case, acting.case.state
    going.enter(to.value, at=tx.now)
    clocks.reset_resolution(tx, going)
    facts: dict[str, Any] = {"from": before, "to": to.value}
    tx.record("case.state_changed", case_id=case.id, **facts, resolve_due_at=_end(case))
    return finish(tx, acting, What.STATE_CHANGED, {"by": tx.actor.id, **facts})


def _state(name: str) -> State:
    try:
        return State(name)
    except ValueError:
        raise Refused("unknown_state", f"There is no state {name!r}.") from None


def resolve(tx: Tx, command: Resolve) -> Outcome:
    """The case is fixed, for a reason of `bot.rules.closing`. Where two things differ, the actor says which is right.
    Where its contract has checks it is closing until these are answered; what a person confirms has to be confirmed
    with this. With an `override` it is closed in spite of its checks."""
    acting = begin(tx, command, Act.RESOLVE, to=State.RESOLVED)
    if isinstance(acting, Outcome):
        return acting
    wish = closing.Wish(tx.actor, command.reason, command.note, command.decision)
    if command.override:
        wish = closing.remembered(tx, acting.case, wish)
    if wish.reason not in REASONS:
        raise Refused("no_such_reason", f"Say why it is closed: {', '.join(REASONS)}.", case_id=command.case_id)
    wish = _decided(acting.case, wish)
    if not command.override:
        checks = closing.checks_of(tx.policy_of(acting.case), acting.case)
        closing.check_ticked(acting.case, checks, command.confirmed)
    if wish.note.strip():
        wish = replace(wish, note=keep_note(tx, acting.case, wish.note))
    if command.override:
        return finish(tx, acting, *closing.overrule(tx, acting.going, wish, command.override))
    return finish(tx, acting, *closing.ask_to_close(tx, acting.going, wish, command.confirmed))


def _decided(case: Case, wish: closing.Wish) -> closing.Wish:
    """The wish with its decision; where there is nothing to decide, a word of it was the note's. Raises `Refused`
    where one is missing."""
    words = DECISIONS.get(case.failure_mode)
    if words is None:
        return replace(wish, note=f"{wish.decision} {wish.note}".strip(), decision="")
    if missing := decision_missing(case.failure_mode, wish.decision):
        how = f"In words: `/case resolve {case.ref} {next(iter(words))} what was done`."
        raise Refused("decision_needed", f"{case.ref}: {missing}. {how}", case_id=case.id)
    return wish


def fail(tx: Tx, command: Fail) -> Outcome:
    """The case is given up, for a reason in words. The accountable role is told."""
    acting = begin(tx, command, Act.FAIL, to=State.FAILED)
    if isinstance(acting, Outcome):
        return acting
    reason = closing.in_words(command.reason, acting.case, "give it up")
    closing.close(tx, acting.going, State.FAILED, reason)
    tx.record("case.failed", case_id=command.case_id, reason=reason)
    facts = {"by": tx.actor.id, "reason": reason}
    accountable, _ = roles_of_contract(tx.policy_of(acting.case), acting.case)
    tell(tx, acting.case, reach(tx, accountable), What.FAILED_TOLD, until_acknowledged=False, **facts)
    return finish(tx, acting, What.FAILED, facts)


def reopen(tx: Tx, command: Reopen) -> Outcome:
    """The case is queued again, with nobody and with new windows from now. Refused while another open case has the
    same failure or the same thread. One that is closing goes back to where it was."""
    acting = begin(tx, command, Act.REOPEN)
    if isinstance(acting, Outcome):
        return acting
    going, case = acting.going, acting.case
    reason = closing.in_words(command.reason, case, "reopen it")
    if case.state == State.CLOSING:
        closing.stop(tx, going)
        autofix.leave_if_idle(tx, going, "somebody stopped its closing")
        tx.record("case.closing_stopped", case_id=case.id, reason=reason)
        return finish(tx, acting, What.CLOSING_STOPPED, {"by": tx.actor.id, "reason": reason})
    _check_alone(tx, case)
    going.enter("queued", at=tx.now, closed_at=None, resolution=None, reopened=case.reopened + 1, **_NOBODY)
    _give_to_people(tx, going)
    going.set(response_from_at=tx.now, response_breached_at=None, resolution_breached_at=None, exhausted=False)
    clocks.reset_response(tx, going)
    clocks.reset_resolution(tx, going)
    tx.record("case.reopened", case_id=case.id, reason=reason, acknowledge_due_at=_due(case), resolve_due_at=_end(case))
    if case.route == "on_call":
        page(tx, case, reach(tx, case.owner), What.OPENED_ON_CALL)
    return finish(tx, acting, What.REOPENED, {"by": tx.actor.id, "reason": reason})


def _check_alone(tx: Tx, case: Case) -> None:
    same = col(Case.match_key) == case.match_key
    if case.thread_ts:
        same |= (col(Case.channel) == case.channel) & (col(Case.thread_ts) == case.thread_ts)
    other = tx.session.execute(select(col(Case.id)).where(same, col(Case.closed_at).is_(None))).scalars().first()
    if other:
        raise Refused("another_open", f"C-{other} is open for the same failure; go on there.", case_id=case.id)


def _without(facts: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in facts.items() if key != name}


def _iso(at: Any) -> str | None:
    return at.isoformat() if at else None


def _due(case: Case) -> str:
    return case.acknowledge_due_at.isoformat()


def _end(case: Case) -> str:
    return case.resolve_due_at.isoformat()
