"""Runs go on: each in a savepoint of its own, so that a poisoned one stops alone. A run is claimed by lease, moved as
far as it goes without a request, and then hands out the errand that comes next."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlmodel import Session

from bot.desk.intake import report_policy_fault
from bot.desk.runs.acts import carry_out, done, look
from bot.desk.runs.approvals import waits_for_yes
from bot.desk.runs.autofix import give_way
from bot.desk.runs.calling import LEASE, Answered, Errand, Sending, fail, listen, record, send, take_in, take_in_late
from bot.desk.runs.delivering import not_carried_out
from bot.desk.runs.ending import close_steps, end, follow
from bot.desk.runs.items import for_all, next_item
from bot.desk.runs.rows import Going, begin, load, names_of, save
from bot.desk.runs.shadowing import proposes
from bot.desk.runs.taking_back import not_undone, previous_item, see_children, undo_child
from bot.desk.runs.unasked import overtaken, prepare
from bot.desk.runs.waiting_for_yes import start_clock
from bot.desk.runs.waking import LOOKS_AGAIN_IN, SENDING
from bot.desk.tx import Tx
from bot.rules.retention import why_gone
from bot.rules.routing import AUTO_FIX
from runbooks.engine import Do, End, Over, Then, next_step
from runbooks.steps import KINDS
from runbooks.steps.shape import Call
from runbooks.templates import ExpressionFault, Missing
from store.columns import Instant
from store.database import Stale
from store.engines import lost_a_race
from store.rows import lock_rows
from store.run_models import Run
from store.together import savepoint

log = logging.getLogger(__name__)

DELIVERY = "delivery"
MOST_STEPS = 60
"""So many steps of a run are taken in one transaction; then others have their turn."""
_RUNS = Run.__table__  # type: ignore[attr-defined]
_NOW = bindparam("now", type_=Instant)
_IS_DUE = _RUNS.c.due_at <= _NOW, _RUNS.c.id.not_in(bindparam("mine", expanding=True))
_WITH_CASE = select(_RUNS.c.id, _RUNS.c.case_id)
_DUE = _WITH_CASE.where(*_IS_DUE).order_by(_RUNS.c.due_at, _RUNS.c.id).limit(bindparam("limit"))
_CASES = _WITH_CASE.where(_RUNS.c.id.in_(bindparam("ids", expanding=True)))
_SOME = select(_RUNS.c.id).where(*_IS_DUE).limit(1)
_CASES_LOCKED = "SELECT id FROM cases WHERE id AMONG ORDER BY id"
_UNTIL = bindparam("_until", type_=Instant)
_RENEWED = (
    update(_RUNS)
    .where(_RUNS.c.id == bindparam("_id"), _RUNS.c.version == bindparam("_version"), _RUNS.c.lease_until.is_not(None))
    .values(due_at=_UNTIL, lease_until=_UNTIL)
)
_STOPPED = (
    update(_RUNS)
    .where(_RUNS.c.id == bindparam("_id"))
    .values(
        state="failed",
        because=bindparam("_because"),
        due_at=None,
        lease_until=None,
        ended_at=bindparam("_now", type_=Instant),
        version=_RUNS.c.version + 1,
    )
)


def some_are_due(session: Session, now: datetime, under_way: Collection[int]) -> bool:
    """Whether a claim may find something beside what is under way here."""
    return session.connection().execute(_SOME, {"now": now, "mine": list(under_way)}).first() is not None


@dataclass(frozen=True, slots=True)
class Room:
    """How many errands a process can take on, and the runs that it is at work on: these it does not take twice, even
    should its lease have ended."""

    errands: int
    under_way: frozenset[int] = frozenset()


def claim(tx: Tx, room: Room) -> list[Errand]:
    """Moves the runs that are due, longest due first; the errands that they come to are the caller's until their
    leases end. One whose errand was never answered comes to the same errand again, under the same key."""
    given = {"now": tx.now, "limit": room.errands, "mine": list(room.under_way)}
    due = tx.session.connection().execute(_DUE, given).all()
    errands = [_alone(tx, run_id, _if_due) for run_id in _locked(tx, due)]
    return [errand for errand in errands if errand is not None]


def renew(tx: Tx, errands: Sequence[Errand]) -> None:
    """These are still waited for, where nobody else took them over."""
    rows = [{"_id": each.run_id, "_version": each.version, "_until": tx.now + LEASE} for each in errands]
    tx.session.connection().execute(_RENEWED, rows)


def answered(tx: Tx, came: Sequence[Answered]) -> list[Errand | None]:
    """Takes in what errands came to, and gives each run's next one. Of an answer that comes after another process took
    the run over the evidence is kept; nothing follows from it."""
    asked = {"ids": [each.errand.run_id for each in came]}
    turns = _locked(tx, tx.session.connection().execute(_CASES, asked).all())
    listen(tx, came)
    given: dict[int, Errand | None] = {}
    for place in sorted(range(len(came)), key=lambda place: turns.get(came[place].errand.run_id, 0)):
        given[place] = _alone(tx, came[place].errand.run_id, _taking_in(came[place]))
    return [given[place] for place in range(len(came))]


def _locked(tx: Tx, runs: Iterable[Any]) -> dict[int, int]:
    """Locks the cases of these runs, before any connector, as everybody locks them in the order of their ids; the
    runs, and when each has its turn."""
    turns = sorted(runs, key=lambda run: (run[1] or 0, run[0]))
    lock_rows(tx.session, _CASES_LOCKED, {case_id for _, case_id in turns if case_id is not None})
    return {run_id: turn for turn, (run_id, _) in enumerate(turns)}


def _alone(tx: Tx, run_id: int, move: Callable[[Tx, Going], Errand | None]) -> Errand | None:
    part = tx.part()
    try:
        with savepoint(tx.session.connection(), "run"):
            going = load(part, run_id)
            errand = move(part, going) if going else None
    except Exception as fault:
        if _may_pass(fault):
            raise
        log.exception("a run failed", extra={"run_id": run_id})
        _poisoned(tx, run_id, f"a fault of our own ({type(fault).__name__}), see the log")
        return None
    tx.absorb(part)
    return errand


def _may_pass(fault: Exception) -> bool:
    """Whether it comes of the moment and not of the run: another was first, or the database is away."""
    is_of_the_moment = isinstance(fault, DBAPIError) and (isinstance(fault, OperationalError) or lost_a_race(fault))
    return isinstance(fault, Stale) or is_of_the_moment


def _poisoned(tx: Tx, run_id: int, because: str) -> None:
    """A run that cannot be carried on stops alone, and what follows from a failure follows. Where even that cannot be
    done, it is on record, and a case that it was to fix takes its route."""
    part = Tx(tx.session, tx.now, tx.actor, tx.policies)
    try:
        with savepoint(tx.session.connection(), "poisoned"):
            if going := load(part, run_id):
                end(part, going, End.FAILED, because)
                save(part, going)
            part.flush()
    except Exception as fault:
        if _may_pass(fault):
            raise
        log.exception("what follows from a failed run could not be done", extra={"run_id": run_id})
        _stopped(tx, run_id, because)


def _stopped(tx: Tx, run_id: int, because: str) -> None:
    tx.session.connection().execute(_STOPPED, {"_id": run_id, "_because": because, "_now": tx.now})
    row = tx.session.connection().execute(select(_RUNS).where(_RUNS.c.id == run_id)).one()
    if row.case_id is not None:
        tx.record("run.failed", case_id=row.case_id, run=run_id, runbook=row.runbook, because=because)
        if row.cause == AUTO_FIX:
            give_way(tx, row.case_id, because, runbook=row.runbook, tried=())
    elif not (row.cause == DELIVERY and _is_a_case(tx, row, because)):
        tx.record("run.failed", workflow=row.workflow, run=run_id, runbook=row.runbook, because=because)


def _is_a_case(tx: Tx, row: Any, because: str) -> bool:
    """An event that its run cannot deliver is a case; whether that could be opened."""
    part = Tx(tx.session, tx.now, tx.actor, tx.policies)
    try:
        with savepoint(tx.session.connection(), "delivery"):
            not_carried_out(part, row, because)
            part.flush()
    except Exception as fault:
        if _may_pass(fault):
            raise
        log.exception("a case of an event that is not delivered could not be opened", extra={"run_id": row.id})
        return False
    return True


def _if_due(tx: Tx, going: Going) -> Errand | None:
    due_at = going.run.due_at
    return move(tx, going) if due_at is not None and due_at <= tx.now else None


def _taking_in(came: Answered) -> Callable[[Tx, Going], Errand | None]:
    def take(tx: Tx, going: Going) -> Errand | None:
        if going.run.version != came.errand.version or going.item_id != came.errand.item_id:
            take_in_late(tx, going, came)
            return None
        take_in(tx, going, came)
        if came.policy_fault:
            _tell_fault(tx, going, came.errand.position, came.policy_fault)
        assert going.run.due_at
        if going.run.due_at > tx.now:
            save(tx, going)
            return None
        return move(tx, going)

    return take


def move(tx: Tx, going: Going) -> Errand | None:
    """Takes the run as far as it goes now, and writes it; the errand that it comes to."""
    going.run.lease_until, going.run.due_at = None, tx.now
    errand = _move(tx, going)
    save(tx, going)
    return replace(errand, version=going.run.version) if errand else None


def _move(tx: Tx, going: Going) -> Errand | None:
    if going.run.ended_at is not None:
        going.run.due_at = None
        follow(tx, going, End(going.run.state))
        return None
    over = overtaken(tx, going)
    if over is None and (going.run.started_at is None or going.run.state == "approving"):
        over = _begin_run(tx, going)
    if over is not None:
        end(tx, going, over.end, over.because)
        return None
    for _ in range(MOST_STEPS):
        if going.run.state not in ("running", "undoing"):
            return None
        decided = _decide(tx, going)
        if isinstance(decided, Over):
            _over(tx, going, decided)
            continue
        errand = _take(tx, going, decided)
        if errand or going.run.due_at is None or going.run.due_at > tx.now:
            return errand
    return None


def _begin_run(tx: Tx, going: Going) -> Over | None:
    over = prepare(tx, going)
    if over is None and waits_for_yes(tx, going):
        return None
    going.run.started_at = tx.now
    if going.run.upto_id is not None:
        next_item(tx, going)
    record(tx, going, "run.started", cause=going.run.cause, policy=going.run.policy_digest)
    return over


def _decide(tx: Tx, going: Going) -> Do | Over:
    see_children(tx, going)
    names = names_of(tx, going, shown=False)
    try:
        return next_step(going.progress(), names, tx.now)
    except ExpressionFault as fault:
        position = going.run.position = len(going.steps)
        begin(tx, going, position)
        _fail_by_policy(tx, going, position, f"when: {fault}")
        return next_step(going.progress(), names, tx.now)


def _fail_by_policy(tx: Tx, going: Going, position: int, because: str) -> None:
    """The step has failed, and not for the systems: a condition of its runbook cannot be decided."""
    fail(tx, going, position, because)
    _tell_fault(tx, going, position, because)


def _tell_fault(tx: Tx, going: Going, position: int, because: str) -> None:
    fault = f"runbook {going.run.runbook}, step {going.step(position).name}: {because}"
    report_policy_fault(tx, going.run.workflow, going.struck(fault))


def _over(tx: Tx, going: Going, decided: Over) -> None:
    close_steps(tx, going, decided.because)
    if decided.must_undo:
        going.run.state, going.run.because = "undoing", decided.because
        record(tx, going, "run.undoing", because=decided.because)
    elif going.run.undo_by is not None:
        _taken_back(tx, going, decided)
    elif not next_item(tx, going, decided):
        how, because = for_all(going, decided)
        end(tx, going, how, going.run.because or because, is_counted=True)
    elif going.run.state == "undoing":
        going.run.state, going.run.because = "running", ""


def _taken_back(tx: Tx, going: Going, decided: Over) -> None:
    """What was done for this event is taken back: what was done for the one before is next."""
    if previous_item(tx, going):
        return
    kept = not_undone(tx, going.run.id) if going.run.upto_id is not None else []
    if kept:
        end(tx, going, End.FAILED, f"could not be undone: {', '.join(kept)}")
    else:
        end(tx, going, decided.end, decided.because)


def _take(tx: Tx, going: Going, decided: Do) -> Errand | None:
    position = going.run.position = decided.position
    match decided.then:
        case Then.SKIP:
            begin(tx, going, position, state="skipped")
            going.touch(position, because=going.struck(decided.because), ended_at=tx.now)
        case Then.BEGIN:
            if proposes(tx, going, position):
                return None
            begin(tx, going, position)
            return _act(tx, going, position)
        case Then.GO_ON:
            return _undo(tx, going, position) if going.run.state == "undoing" else _act(tx, going, position)
        case Then.WAIT:
            _look(tx, going, position)
            if going.steps[position].state == "waiting":
                _wait(tx, going, decided.until_at)
        case Then.WAITED:
            done(tx, going, position, "it waited long enough")
        case Then.IN_VAIN:
            _in_vain(tx, going, position)
        case Then.TAKE_BACK:
            going.touch(position, state="undoing", attempts=0, key_born_at=None, generation=1)
            return _undo(tx, going, position)
    return None


def _in_vain(tx: Tx, going: Going, position: int) -> None:
    """Its time is up; what came while nobody looked has come all the same."""
    _look(tx, going, position)
    if (row := going.steps[position]).state == "waiting":
        on_its_way = f"; what {row.name} sent is on its way all the same" if row.kind in SENDING else ""
        fail(tx, going, position, f"nothing came in time{on_its_way}")
    start_clock(tx, going)


def _look(tx: Tx, going: Going, position: int) -> None:
    try:
        look(tx, going, position)
    except ExpressionFault as fault:
        _fail_by_policy(tx, going, position, f"wait_for: {fault}")


def _wait(tx: Tx, going: Going, until_at: datetime | None) -> None:
    """Looked at again when it has waited long enough, when its time is up, and now and then in between."""
    moments = [until_at, going.progress().gives_up_at, tx.now + LOOKS_AGAIN_IN]
    going.run.due_at = max(min(moment for moment in moments if moment is not None), tx.now + timedelta(seconds=1))


def _act(tx: Tx, going: Going, position: int) -> Errand | None:
    names = names_of(tx, going, shown=False), names_of(tx, going, shown=True)
    step = going.step(position)
    kind = KINDS[step.kind]
    if going.kept is not None and going.kept.removed is None:
        fail(tx, going, position, f"its event {why_gone(going.kept.gone)}")
        return None
    try:
        acts = kind.act(step, names[0]), kind.act(step, names[1])
        return carry_out(tx, going, position, acts, names)
    except (Missing, ExpressionFault) as fault:
        fail(tx, going, position, f"it cannot be filled in: {fault}")
        return None


def _undo(tx: Tx, going: Going, position: int) -> Errand | None:
    undo = going.step(position).undo
    if undo is None:
        undo_child(tx, going, position)
        return None
    if going.kept is not None and going.kept.removed is None:
        fail(tx, going, position, f"its event {why_gone(going.kept.gone)}", is_undo=True)
        return None
    names = names_of(tx, going, shown=False), names_of(tx, going, shown=True)
    try:
        clear, shown = (KINDS["request"].act(undo, each) for each in names)
        assert isinstance(clear, Call)
        assert isinstance(shown, Call)
        return send(tx, going, position, Sending(clear, shown, undo, names[0], is_undo=True))
    except (Missing, ExpressionFault) as fault:
        fail(tx, going, position, f"it cannot be filled in: {fault}", is_undo=True)
        return None
