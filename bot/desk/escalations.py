"""What happens by itself when a timer is due: reminders, windows that pass, ladders, leases and snoozes; and the
button that does the next step now.

`fire` is set-based: however many timers are due, each table is read and written once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.exc import OperationalError

from bot.desk import clocks
from bot.desk.acting import Acting, begin, finish, roles_of_contract
from bot.desk.commands import Escalate, Outcome
from bot.desk.findings import keep_found
from bot.desk.ongoing import Ongoing, load, save
from bot.desk.people import Reach, find_role, reach
from bot.desk.runs.autofix import leave_if_idle
from bot.desk.telling import channel_line, direct, in_thread, page
from bot.desk.timers import DueTimer
from bot.desk.tx import Tx
from bot.rules.auditor import Found, is_late, late_timer
from bot.rules.escalation import LADDER_OF, Ladder, Rung, next_due, role_named, what_is_due
from bot.rules.lifecycle import MOVES, Action, State
from bot.rules.permissions import Act
from bot.rules.saying import What
from bot.rules.windows import next_step
from store.database import Stale

LONGEST_DELAY = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class PutOff:
    """A timer that could not be fired; it is tried again later, and the others were."""

    timer: DueTimer
    fault: Exception


@dataclass(frozen=True, slots=True)
class Fired:
    """What became of the timers that were due."""

    count: int
    put_off: tuple[PutOff, ...] = ()
    passed: tuple[str, ...] = ()
    """The windows that passed, by kind."""
    late: tuple[timedelta, ...] = ()
    """How late each escalation was."""


@dataclass(slots=True)
class _Telling:
    """Whom roles reach now: asked once for each role in a transaction."""

    tx: Tx
    known: dict[str, Reach] = field(default_factory=dict)
    passed: list[str] = field(default_factory=list)
    late: list[timedelta] = field(default_factory=list)
    found: list[Found] = field(default_factory=list)

    def reach(self, role: str) -> Reach:
        if role not in self.known:
            self.known[role] = reach(self.tx, role)
        return self.known[role]


def fire(tx: Tx, due: Sequence[DueTimer]) -> Fired:
    """Does what is due. A timer that is no longer as it was claimed is left alone: somebody else fired it. One that
    cannot be fired is put off, longer each time, and holds up no other."""
    try:
        return _fire_together(tx, due)
    except (Stale, OperationalError):
        raise
    except Exception as fault:
        if len(due) == 1:
            _put_off(tx, due[0])
            return Fired(0, (PutOff(due[0], fault),))
    parts = [fire(tx, [timer]) for timer in due]
    return Fired(
        sum(part.count for part in parts),
        tuple(each for part in parts for each in part.put_off),
        tuple(each for part in parts for each in part.passed),
        tuple(each for part in parts for each in part.late),
    )


def _fire_together(tx: Tx, due: Sequence[DueTimer]) -> Fired:
    with tx.session.begin_nested():
        part = Tx(tx.session, tx.now, tx.actor, tx.policies)
        found = load(part, {timer.case_id for timer in due})
        telling, count = _Telling(part), 0
        for timer in sorted(due, key=lambda timer: (timer.due_at, timer.case_id)):
            going = found.get(timer.case_id)
            if going and _is_as_claimed(going, timer):
                _FIRE[timer.kind](part, going, timer, telling)
                part.owe_card(going.case.id, going.case.channel)
                count += 1
        save(part, list(found.values()))
        part.flush()
        keep_found(part, telling.found)
        return Fired(count, (), tuple(telling.passed), tuple(telling.late))


def _is_as_claimed(going: Ongoing, timer: DueTimer) -> bool:
    now = going.timers.get(timer.kind)
    return now is not None and (now.due_at, now.step) == (timer.due_at, timer.step)


def _put_off(tx: Tx, timer: DueTimer) -> None:
    going = load(tx, [timer.case_id]).get(timer.case_id)
    if going and _is_as_claimed(going, timer):
        attempts = going.timers[timer.kind].attempts + 1
        wait = min(timedelta(seconds=2 ** min(attempts, 12)), LONGEST_DELAY)
        going.arm(timer.kind, tx.now + wait, step=timer.step, attempts=attempts)
        save(tx, [going])


def _fire_window(tx: Tx, going: Ongoing, timer: DueTimer, telling: _Telling) -> None:
    case, kind = going.case, timer.kind
    due_at = case.acknowledge_due_at if kind == "response" else case.resolve_due_at
    rungs = clocks.ladder(tx.policy_of(case), case, kind)
    breached = f"{kind}_breached_at"
    due = what_is_due(
        step=timer.step,
        reminders=len(tx.policy_of(case).team.defaults.remind_at),
        due_at=due_at,
        is_breached=getattr(case, breached) is not None,
        ladder=rungs,
        now=tx.now,
    )
    key = _key(timer)
    if due.reminds:
        _remind(tx, going, timer, due_at, telling)
        return
    if due.passes:
        telling.passed.append(kind)
        going.set(**{breached: tx.now})
        tx.record("window.passed", case_id=case.id, window=kind, due_at=due_at.isoformat())
        in_thread(tx, case, What.WINDOW_PASSED, key=key, window=kind, due_at=due_at.isoformat())
    ladder = LADDER_OF[kind]
    done = clocks.rungs_done(tx, going, kind)
    if due.rung is not None:
        telling.late.append(tx.now - timer.due_at)
        if is_late(telling.late[-1]) and not case.is_drill:
            telling.found.append(late_timer(case.id, kind, timer.step, timer.due_at))
        done = _climb(tx, going, _Climb(ladder, rungs, key), due.rung, telling)
    _rearm(tx, going, ladder, rungs, done)


def _key(timer: DueTimer) -> str:
    """The same for every try to fire this timer at this step, and for no other."""
    return f"{timer.kind}:{timer.step}:{timer.due_at.timestamp():.6f}"


def _remind(tx: Tx, going: Ongoing, timer: DueTimer, due_at: datetime, telling: _Telling) -> None:
    """Reminds the person who has the case, or else the role that owns it; nobody while it is snoozed."""
    case, found = going.case, clocks.window_of(tx, going, timer.kind)
    number = max((at for at, moment in enumerate(found.reminders) if moment <= tx.now), default=timer.step)
    step = next_step(found, after=number + 1, now=tx.now)
    going.arm(timer.kind, step.at, step=step.number)
    facts: dict[str, Any] = {"window": timer.kind, "due_at": due_at.isoformat()}
    is_snoozed = case.snoozed_until is not None and case.snoozed_until > tx.now
    reached = None if case.assignee else telling.reach(case.owner)
    people = [case.assignee] if case.assignee else list(reached.people if reached else ())
    tx.record("case.reminded", case_id=case.id, **facts, people=people, silenced=is_snoozed)
    if is_snoozed:
        return
    if case.assignee:
        direct(
            tx,
            case,
            case.assignee,
            What.REMINDED,
            key=_key(timer),
            until_acknowledged=timer.kind == "response",
            people=people,
            **facts,
        )
    elif reached and reached.channel != case.channel:
        channel_line(tx, case, reached.channel, What.REMINDED, key=_key(timer), people=people, **facts)
    else:
        in_thread(tx, case, What.REMINDED, key=_key(timer), people=people, **facts)


@dataclass(frozen=True, slots=True)
class _Climb:
    """A ladder that is climbed, by what (the key of the timer or the click), and by whom if by hand."""

    ladder: Ladder
    rungs: Sequence[Rung]
    key: str
    by: str | None = None


def _climb(tx: Tx, going: Ongoing, climb: _Climb, place: int, telling: _Telling) -> int:
    """Does the rung at this place; while a rung reaches nobody, the next one at once. Returns how many rungs are done
    now, and marks the case as exhausted after the last."""
    case = going.case
    for rung in climb.rungs[place:]:
        place += 1
        reached = _reached(tx, going, rung, telling)
        facts: dict[str, Any] = {"ladder": climb.ladder.value, "step": rung.number, "of": rung.of}
        facts |= {"because": reached.because, "by": climb.by}
        what = What.ESCALATED if reached.people else What.NOBODY_FOUND
        people = list(reached.people)
        tx.record(f"case.{what.value}", case_id=case.id, role=reached.role, people=people, **facts)
        key = f"{climb.key}:{rung.number}"
        facts["ladder"] = "by_hand" if climb.by else climb.ladder.value
        if reached.people:
            until = climb.ladder is Ladder.UNACKNOWLEDGED
            page(tx, case, reached, what, key=key, until_acknowledged=until, **facts)
            break
        in_thread(tx, case, what, key=key, role=reached.role, **facts)
    if place >= len(climb.rungs):
        _exhaust(tx, going, climb)
    return place


def _exhaust(tx: Tx, going: Ongoing, climb: _Climb) -> None:
    going.set(exhausted=True)
    tx.record("case.exhausted", case_id=going.case.id, ladder=climb.ladder.value)
    in_thread(tx, going.case, What.EXHAUSTED, key=climb.key, ladder=climb.ladder.value)


def _reached(tx: Tx, going: Ongoing, rung: Rung, telling: _Telling) -> Reach:
    """Whom a rung reaches. A role is reached as it is now; which role is meant is said by the policy of the case."""
    policy, case = tx.policy_of(going.case), going.case
    accountable, steward = roles_of_contract(policy, case)
    owner = find_role(tx.policy, case.owner)
    role = role_named(rung.to, owner=owner, accountable=accountable, steward=steward)
    if role is None:
        return Reach(owner.name, owner.channel, (), f"{owner.title} has no backup role")
    return telling.reach(role)


def _rearm(tx: Tx, going: Ongoing, ladder: Ladder, rungs: Sequence[Rung], done: int) -> None:
    case, kind = going.case, ladder.window
    due_at = next_due(
        rungs,
        done,
        calendar=clocks.calendar_of_owner(tx, case),
        now=tx.now,
        due_at=case.acknowledge_due_at if kind == "response" else case.resolve_due_at,
        is_breached=getattr(case, f"{kind}_breached_at") is not None,
    )
    going.arm(kind, due_at, step=len(tx.policy_of(case).team.defaults.remind_at) + done)


def _fire_lease(tx: Tx, going: Ongoing, timer: DueTimer, telling: _Telling) -> None:
    """The acknowledgement has run out: the case is queued again, and the unacknowledged ladder goes on at once. A case
    that is closing waits for its checks, not for a person."""
    case, had_it = going.case, going.case.assignee or going.case.acknowledged_by
    if State(case.state) not in MOVES[Action.LAPSE].origins:
        clocks.renew_lease(tx, going)
        return
    going.enter("queued", at=tx.now, assignee=None, acknowledged_at=None, acknowledged_by=None, lease_until=None)
    going.set(exhausted=False)
    going.drop("lease")
    leave_if_idle(tx, going, "who had it has said nothing")
    clocks.resume_response(tx, going)
    clocks.reset_resolution(tx, going)
    tx.record("case.lease_ran_out", case_id=case.id, had_it=had_it)
    in_thread(tx, case, What.LEASE_RAN_OUT, key=_key(timer), by=had_it)


def _fire_snooze(tx: Tx, going: Ongoing, timer: DueTimer, telling: _Telling) -> None:
    going.set(snoozed_until=None)
    going.drop("snooze")
    tx.record("case.snooze_over", case_id=going.case.id)
    in_thread(tx, going.case, What.SNOOZE_OVER, key=_key(timer))


_FIRE: Mapping[str, Callable[[Tx, Ongoing, DueTimer, _Telling], None]] = {
    "response": _fire_window,
    "resolution": _fire_window,
    "lease": _fire_lease,
    "snooze": _fire_snooze,
}


def escalate(tx: Tx, command: Escalate) -> Outcome:
    """Does the next step now: of the unacknowledged ladder if nobody has the case, else of the unresolved one. When
    the ladder is over, the accountable role is told."""
    acting = begin(tx, command, Act.ESCALATE)
    if isinstance(acting, Outcome):
        return acting
    going, case = acting.going, acting.case
    ladder = Ladder.UNRESOLVED if case.acknowledged_at else Ladder.UNACKNOWLEDGED
    rungs = clocks.ladder(tx.policy_of(case), case, ladder.window)
    done = clocks.rungs_done(tx, going, ladder.window)
    if done >= len(rungs):
        return _tell_accountable(tx, acting, ladder)
    stood_still = going.timers.get(ladder.window) is not None and going.timers[ladder.window].due_at is None
    key = f"by_hand:{case.version}:{tx.now.timestamp():.6f}"
    done_now = _climb(tx, going, _Climb(ladder, rungs, key, tx.actor.id), done, _Telling(tx))
    _rearm(tx, going, ladder, rungs, done_now)
    if stood_still:
        going.arm(ladder.window, None, step=going.timers[ladder.window].step)
    rung = rungs[done_now - 1]
    reached = _reached(tx, going, rung, _Telling(tx))
    facts: dict[str, Any] = {"ladder": "by_hand", "step": rung.number, "of": rung.of, "role": reached.role}
    facts |= {"people": list(reached.people), "because": reached.because, "by": tx.actor.id}
    what = What.ESCALATED if reached.people else What.NOBODY_FOUND
    return finish(tx, acting, what, facts, silent=True)


def _tell_accountable(tx: Tx, acting: Acting, ladder: Ladder) -> Outcome:
    case = acting.case
    accountable, _ = roles_of_contract(tx.policy_of(case), case)
    reached = reach(tx, accountable)
    facts: dict[str, Any] = {"ladder": ladder.value, "role": reached.role, "people": list(reached.people)}
    tx.record("case.escalated_beyond", case_id=case.id, **facts, because=reached.because)
    page(tx, case, reached, What.EXHAUSTED, until_acknowledged=False, ladder=ladder.value)
    return finish(tx, acting, What.EXHAUSTED, facts, silent=True)
