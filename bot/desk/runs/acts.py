"""What steps have done that is no request: each act carried out in the transaction of its run, and what a step that
waits has waited for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import select
from sqlmodel import col

from bot.desk import clocks
from bot.desk.acting import name_of
from bot.desk.cases import assign, hand_off
from bot.desk.commands import Assign, HandOff
from bot.desk.people import find_role
from bot.desk.runs.calling import Errand, Sending, fail, record, send
from bot.desk.runs.meant import asker_of, people_in, reached, role_meant
from bot.desk.runs.resending import resend, resend_failed, sent
from bot.desk.runs.rows import Going
from bot.desk.runs.starting import owe_run
from bot.desk.runs.waiting import event_came, outcome_came
from bot.desk.runs.waiting_for_yes import stop_clock
from bot.desk.telling import direct, in_thread, tell
from bot.desk.tx import Tx
from bot.rules.actors import SYSTEM
from bot.rules.refusals import Refused
from bot.rules.saying import What
from runbooks.calendars import Calendar, add
from runbooks.contracts import Check
from runbooks.filling import fill
from runbooks.runbook import Step
from runbooks.steps import OWN
from runbooks.steps.shape import (
    Act,
    AddedAct,
    AskPerson,
    AwaitEvent,
    AwaitOutcome,
    Call,
    Give,
    Pause,
    RunCheck,
    RunRunbook,
    SendEvent,
    SendFailed,
    Tell,
)
from store.run_models import Run

Acts = tuple[Act, Act]
"""What a step has done: with the event as it is, and as it may be shown."""


def carry_out(tx: Tx, going: Going, position: int, acts: Acts, names: tuple[Any, Any]) -> Errand | None:
    """Does it, or gives the errand that does."""
    clear, shown = acts
    if going.step(position).kind not in OWN and not isinstance(clear, AddedAct):
        fail(tx, going, position, f"a kind of step that was added cannot have {type(clear).__name__} done")
        return None
    if isinstance(clear, Call) and isinstance(shown, Call):
        return send(tx, going, position, Sending(clear, shown, going.step(position), names[0]))
    if isinstance(clear, RunCheck):
        return _check(tx, going, position, clear, names)
    if isinstance(clear, SendEvent):
        resend(tx, going, position, clear.changes)
        return None
    _DO[type(clear)](tx, going, position, shown)
    return None


def done(tx: Tx, going: Going, position: int, because: str, response: Mapping[str, Any] | None = None) -> None:
    """The step has done what it is there for."""
    because = going.struck(because)
    row = going.touch(position, state="done", ended_at=tx.now, because=because, response=response)
    record(tx, going, "run.step_done", step=row.name, because=because)


def _check(tx: Tx, going: Going, position: int, act: RunCheck, names: tuple[Any, Any]) -> Errand | None:
    check = _named_check(going, act.name)
    if check is None or (check.request is None and check.expect is None):
        fail(tx, going, position, f"{act.name} is not for a machine to check")
        return None
    if check.request is None:
        assert check.expect is not None
        decision = check.expect.decide(names[0])
        if decision.met:
            done(tx, going, position, decision.because)
        else:
            fail(tx, going, position, decision.because)
        return None
    to = check.request.connector or ""
    clear, shown = (Call(to, fill(check.request, each)) for each in names)
    return send(tx, going, position, Sending(clear, shown, _Judging(check, going.step(position)), names[0]))


class _Judging:
    """A check as a step's answer is judged by it: its `expect`, the step's `timeout` and `retry`."""

    def __init__(self, check: Check, step: Step) -> None:
        self.expect, self.timeout, self.retry = check.expect, step.timeout, step.retry


def _named_check(going: Going, name: str) -> Check | None:
    contract = going.policy.workflows.get(going.run.workflow)
    return next((check for check in contract.checks if check.name == name), None) if contract else None


def _tell(tx: Tx, going: Going, position: int, act: Any) -> None:
    if going.case is None:
        fail(tx, going, position, "there is no case to tell of")
        return
    facts = {"text": act.text, "runbook": going.runbook.title}
    if act.to == "asker":
        if asker := asker_of(going):
            direct(tx, going.case, asker, What.RUN_SAYS, key=_key(going, position), **facts)
        in_thread(tx, going.case, What.RUN_SAYS, key=_key(going, position), **facts)
        done(tx, going, position, "told" if asker else "said in the thread: nobody asked for this run")
        return
    told = reached(tx, going.case, act.to)
    in_thread(tx, going.case, What.RUN_SAYS, key=_key(going, position), **facts)
    tell(tx, going.case, told, What.RUN_SAYS, key=_key(going, position), until_acknowledged=False, **facts)
    done(tx, going, position, f"told {told.role}")


def _ask(tx: Tx, going: Going, position: int, act: Any) -> None:
    case = going.case
    if case is None:
        fail(tx, going, position, "there is no case to ask about")
        return
    row, key = going.steps[position], _key(going, position)
    facts = {"text": act.text, "runbook": going.runbook.title, "step": row.id}
    asker = asker_of(going) if act.who == "asker" else None
    if asker:
        whom = {"person": asker}
        direct(tx, case, asker, What.RUN_ASKS, key=key, **facts)
    else:
        asked = reached(tx, case, "owner" if act.who == "asker" else act.who)
        whom = {"role": asked.role}
        if not asked.people and not people_in(tx, find_role(tx.policy, asked.role)):
            fail(tx, going, position, f"there is nobody to ask: {asked.because}")
            return
        tell(tx, case, asked, What.RUN_ASKS, key=key, until_acknowledged=False, **facts)
    response, until = {"text": act.text, "who": act.who, **whom}, going.waits_until(position, tx.now)
    going.touch(position, state="waiting", link_id=row.id, until_at=until, response=response)
    stop_clock(tx, going)
    in_thread(tx, case, What.RUN_ASKS, key=key, **facts)
    record(tx, going, "run.asked", step=row.name, who=act.who, **whom)


def _give(tx: Tx, going: Going, position: int, act: Any) -> None:
    if going.case is None:
        fail(tx, going, position, "there is no case to give")
        return
    part = Tx(tx.session, tx.now, SYSTEM, tx.policies)
    role = role_meant(tx, going.case, act.role) if act.role else None
    if act.role and role is None:
        fail(tx, going, position, "its owner has no backup")
        return
    try:
        if role:
            if going.case.owner != role.name:
                hand_off(part, HandOff(going.case.id, role.name))
        elif going.case.assignee != act.user:
            assign(part, Assign(going.case.id, act.user))
    except Refused as refused:
        fail(tx, going, position, refused.text)
        return
    part.flush()
    done(tx, going, position, f"given to {role.name if role else name_of(tx.session, act.user)}")


def _pause(tx: Tx, going: Going, position: int, act: Any) -> None:
    going.touch(position, state="waiting", until_at=add(_calendar(tx, going), tx.now, act.length))


def _await(tx: Tx, going: Going, position: int, act: Any) -> None:
    until = add(_calendar(tx, going), tx.now, act.within)
    going.touch(position, state="waiting", until_at=until)
    look(tx, going, position)


def _run(tx: Tx, going: Going, position: int, act: Any) -> None:
    run = going.run
    child = owe_run(
        tx,
        Run(
            case_id=run.case_id,
            event_id=going.event_id,
            workflow=run.workflow,
            runbook=act.name,
            policy_digest=run.policy_digest,
            cause="step",
            mode=going.policy.runbooks[act.name].mode,
            parent_id=run.id,
            parent_position=position,
            asked_by=run.asked_by,
            asked_at=tx.now,
            inputs=dict(run.inputs),
            state="running",
        ),
    )
    going.touch(position, state="waiting", link_id=child, until_at=going.waits_until(position, tx.now))


_DO: Mapping[type, Callable[[Tx, Going, int, Any], None]] = {
    SendFailed: lambda tx, going, position, act: resend_failed(tx, going, position),
    Tell: _tell,
    AskPerson: _ask,
    Give: _give,
    Pause: _pause,
    AwaitOutcome: _await,
    AwaitEvent: _await,
    RunRunbook: _run,
}


# --- what a step waits for


def look(tx: Tx, going: Going, position: int) -> None:
    """Whether what the step waits for has come, or failed to."""
    row = going.steps[position]
    found = _LOOK.get(row.kind, _nothing)(tx, going, position)
    if found is None:
        return
    is_done, because, response = found
    if is_done:
        done(tx, going, position, because, response)
    else:
        fail(tx, going, position, because)


Found = tuple[bool, str, Mapping[str, Any] | None] | None
"""Whether it is done, why, and what later steps see of it; None: it still waits."""


def _nothing(tx: Tx, going: Going, position: int) -> Found:
    return None


def _ask_in_vain(tx: Tx, going: Going, position: int) -> Found:
    """Nobody can say yes any more on a case that was closed."""
    case = going.case
    if case is None or case.is_open or going.run.cause == "on_close":
        return None
    return False, f"{case.ref} was closed before anybody answered", None


def _wait_for(tx: Tx, going: Going, position: int) -> Found:
    wait = going.step(position).wait_for
    assert wait
    return outcome_came(tx, going) if wait.event is None else event_came(tx, going, position, wait.event)


def _child(tx: Tx, going: Going, position: int) -> Found:
    row = going.steps[position]
    wanted = select(col(Run.state), col(Run.because), col(Run.ended_at)).where(col(Run.id) == row.link_id)
    child = tx.session.execute(wanted).one()
    if child.ended_at is None:
        return None
    return child.state == "done", child.because, {"state": child.state}


_LOOK: Mapping[str, Callable[[Tx, Going, int], Found]] = {
    "ask": _ask_in_vain,
    "wait_for": _wait_for,
    "run": _child,
    "replay": sent,
    "retry_failed": sent,
}


def _calendar(tx: Tx, going: Going) -> Calendar:
    if going.case is not None:
        return clocks.calendar_of_owner(tx, going.case)
    contract = going.policy.workflows[going.run.workflow]
    return going.policy.team.calendars[find_role(going.policy, contract.owners.steward).calendar]


def _key(going: Going, position: int) -> str:
    """The same for each time that this step is come to in this run, and for no other."""
    return f"run:{going.run.id}:{going.item_id}:{position}"
