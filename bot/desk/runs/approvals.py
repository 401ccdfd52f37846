"""A run waits for a yes: roles are asked in their order, and people answer. Nothing is carried out before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlmodel import col

from bot.desk.acting import Acting, begin, finish, name_of, roles_among
from bot.desk.commands import OnCase, Outcome
from bot.desk.people import find_role
from bot.desk.runs.calling import record
from bot.desk.runs.chosen import check_open, chosen, goes_on, is_over
from bot.desk.runs.ending import end
from bot.desk.runs.foreseeing import in_words, plan
from bot.desk.runs.items import count_held
from bot.desk.runs.meant import asker_of, people_in, reached_but, role_meant
from bot.desk.runs.rows import Going, names_of, parents_of, save
from bot.desk.runs.waiting_for_yes import start_clock, stop_clock
from bot.desk.telling import consult, in_thread, inform
from bot.desk.tx import Tx
from bot.rules.approvals import Answer, Ask, No, NobodyLeft, Seat, Then, is_needed, next_ask, seat_of, yeses_of
from bot.rules.closing import SHORTEST_REASON
from bot.rules.foreseeing import given
from bot.rules.permissions import Act
from bot.rules.refusals import Refused
from bot.rules.saying import What
from runbooks.calendars import add
from runbooks.engine import End, cannot_be_undone
from runbooks.runbook import Approval
from runbooks.team import Role
from store.models import Case
from store.rows import insert_rows
from store.run_models import RunApproval


@dataclass(frozen=True, slots=True)
class Approve(OnCase):
    """Yes, the run may go on."""

    run_id: int


@dataclass(frozen=True, slots=True)
class Refuse(OnCase):
    """No, it may not, and why."""

    run_id: int
    reason: str


def approve(tx: Tx, command: Approve) -> Outcome:
    """A yes; with the last one that is wanted the run goes on at once. Refused for who asked for it, for somebody who
    was not asked, and for whoever comes second."""
    acting = begin(tx, command, Act.NOTE)
    if isinstance(acting, Outcome):
        return acting
    going, rows = _waiting(tx, acting, command.run_id)
    check_open(acting.case, going)
    row = rows[_seat(tx, going, rows)]
    _give(tx, going, row, Answer.YES, seats=len(rows))
    missing = _approval(going).count - len(yeses_of(_seats(_rows(tx, command.run_id))))
    record(tx, going, "run.approved", role=row.role, missing=missing)
    if missing:
        ask(tx, going)
    else:
        goes_on(tx, going)
    save(tx, going)
    return finish(tx, acting, What.RUN_APPROVED, _facts(tx, going) | {"missing": missing})


def refuse(tx: Tx, command: Refuse) -> Outcome:
    """A no, with its reason: the run is declined, whatever others said. Refused as a yes is."""
    acting = begin(tx, command, Act.NOTE)
    if isinstance(acting, Outcome):
        return acting
    reason = reason_given(command.reason)
    going, rows = _waiting(tx, acting, command.run_id)
    row = rows[_seat(tx, going, rows)]
    _give(tx, going, row, Answer.NO, seats=len(rows), reason=reason)
    record(tx, going, "run.refused", role=row.role, reason=reason)
    decline(tx, going, f"{name_of(tx.session, tx.actor.id)} said no: {reason}")
    save(tx, going)
    return finish(tx, acting, What.RUN_REFUSED, _facts(tx, going) | {"reason": reason}, silent=True)


def reason_given(reason: str) -> str:
    """A reason in free words. Raises `Refused` for one that says nothing."""
    if len(reason.strip()) < SHORTEST_REASON:
        raise Refused("reason_too_short", f"Say why in at least {SHORTEST_REASON} characters.")
    return reason.strip()


# --- the run waits


def waits_for_yes(tx: Tx, going: Going) -> bool:
    """Whether the run does not go on yet: its runbook wants a yes that is still missing. Whose turn it is to give it is
    asked; where nobody is left, the run is declined."""
    run, approval = going.run, going.runbook.approval
    if run.state != "approving":
        if approval is None or run.mode == "shadow" or not needs_yes(tx, going, approval):
            return False
        run.state = "approving"
    ask(tx, going)
    return True


def needs_yes(tx: Tx, going: Going, approval: Approval) -> bool:
    """Whether a yes is wanted that was not given yet."""
    names, is_for_many = names_of(tx, going, shown=False), going.run.upto_id is not None
    needed = is_needed(approval, names, is_for_many=is_for_many)
    return needed.met and len(yeses_of(_seats(_rows(tx, going.run.id)))) < approval.count


def ask(tx: Tx, going: Going) -> None:
    """Asks the role whose turn it is, when the time of the one before has run out. The run is looked at again when its
    time has."""
    case, approval = going.case, _approval(going)
    if case is None or (not case.is_open and going.run.cause != "on_close"):
        decline(tx, going, "there is no case to ask in" if case is None else "its case was closed")
        return
    stop_clock(tx, going)
    rows = _expire(tx, going, _rows(tx, going.run.id))
    roles = dict.fromkeys(role.name for each in approval.by if (role := role_meant(tx, case, each)))
    askers = _askers(tx, going)
    able = {name: set(people_in(tx, find_role(tx.policy, name))) - askers for name in roles}
    following = next_ask(list(roles), _seats(rows), able, count=approval.count)
    if isinstance(following, NobodyLeft):
        is_late = any(row.answer == Answer.EXPIRED for row in rows)
        decline(tx, going, "nobody said yes in time" if is_late else "there is nobody who could say yes")
    elif isinstance(following, Ask):
        _ask_role(tx, going, case, following, rows)
    elif following is Then.WAIT:
        going.run.due_at = max(min(row.expires_at for row in rows if row.answer == ""), tx.now)


def _ask_role(tx: Tx, going: Going, case: Case, following: Ask, rows: Sequence[RunApproval]) -> None:
    role = find_role(tx.policy, following.role)
    skipped = [_row(tx, going, name, tx.now, answer=Answer.NOBODY) for name in following.passed_over]
    until = rows[-1].expires_at if following.again else _expires_at(tx, going, role)
    asked = [*skipped, _row(tx, going, role.name, until)]
    insert_rows(tx.session, RunApproval, [{**row, "seat": len(rows) + at} for at, row in enumerate(asked)])
    going.run.due_at = until
    record(
        tx, going, "run.approval_asked", role=role.name, until=until.isoformat(), skipped=list(following.passed_over)
    )
    tx.owe_card(case.id, case.channel)
    if not following.again:
        _tell(tx, going, case, role, until)


def _row(tx: Tx, going: Going, role: str, until: datetime, *, answer: Answer = Answer.OPEN) -> dict[str, Any]:
    return {
        "run_id": going.run.id,
        "role": role,
        "asked_at": tx.now,
        "expires_at": until,
        "answer": answer.value,
        "reason": "",
    }


def _expires_at(tx: Tx, going: Going, role: Role) -> datetime:
    return add(tx.policy.team.calendars[role.calendar], tx.now, _approval(going).expires)


def _tell(tx: Tx, going: Going, case: Case, role: Role, until: datetime) -> None:
    run = going.run
    told = reached_but(tx, role, _askers(tx, going))
    facts: dict[str, Any] = {
        "by": run.accepted_by or run.asked_by,
        "runbook": going.runbook.title,
        "run": run.id,
        "given": given(going.runbook.inputs, run.inputs),
        "requests": in_words(plan(tx, going)),
        "lasting": cannot_be_undone(going.runbook, going.policy.runbooks),
        "events": count_held(tx, going),
        "until": until.isoformat(),
    }
    key = f"run:{run.id}:approval:{role.name}"
    in_thread(tx, case, What.RUN_APPROVAL_ASKED, key=key, role=role.name, people=list(told.people), **facts)
    consult(tx, case, told, What.RUN_APPROVAL_ASKED, key=key, **facts)


def _expire(tx: Tx, going: Going, rows: Sequence[RunApproval]) -> Sequence[RunApproval]:
    for row in rows:
        if row.answer == Answer.OPEN and row.expires_at <= tx.now:
            _answer(tx, row, Answer.EXPIRED)
            record(tx, going, "run.approval_expired", role=row.role)
    return rows


def decline(tx: Tx, going: Going, because: str) -> None:
    """The run is over, nothing of it goes on, and who asked for it is told."""
    start_clock(tx, going)
    end(tx, going, End.DECLINED, because)
    asker = asker_of(going)
    if asker and going.case is not None and asker != tx.actor.id:
        facts: dict[str, Any] = {"runbook": going.runbook.title, "run": going.run.id, "because": because}
        inform(tx, going.case, asker, What.RUN_DECLINED, **facts)


# --- somebody answers


def _waiting(tx: Tx, acting: Acting, run_id: int) -> tuple[Going, list[RunApproval]]:
    """The run, which waits for a yes, and whom it asked. Raises `Refused` that says what became of it."""
    going = chosen(tx, acting.case, run_id)
    rows = _rows(tx, run_id)
    if going.run.state != "approving" or not rows:
        raise is_over(tx, going)
    return going, rows


def _seat(tx: Tx, going: Going, rows: Sequence[RunApproval]) -> int:
    roles = [find_role(tx.policy, name) for name in dict.fromkeys(row.role for row in rows)]
    place = seat_of(
        _seats(rows),
        person=tx.actor.id,
        mine=roles_among(tx, roles),
        askers=_askers(tx, going),
        titles={role.name: role.title for role in roles},
    )
    if isinstance(place, No):
        raise Refused(place.code, place.because, case_id=going.run.case_id)
    return place


def _give(tx: Tx, going: Going, row: RunApproval, answer: Answer, *, seats: int, reason: str = "") -> None:
    """The actor's answer, for this seat; where somebody has answered for it already, for a new one of the same role."""
    if row.answer not in (Answer.YES, Answer.NO):
        _answer(tx, row, answer, by=tx.actor.id, reason=reason)
        return
    more = _row(tx, going, row.role, row.expires_at, answer=answer) | {"reason": reason}
    insert_rows(tx.session, RunApproval, [{**more, "seat": seats, "by": tx.actor.id, "answered_at": tx.now}])


def _answer(tx: Tx, row: RunApproval, answer: Answer, *, by: str | None = None, reason: str = "") -> None:
    one = update(RunApproval).where(col(RunApproval.run_id) == row.run_id, col(RunApproval.seat) == row.seat)
    given = one.values(answer=answer.value, by=by, answered_at=tx.now, reason=reason)
    tx.session.execute(given.execution_options(synchronize_session=False))
    row.answer, row.by = answer.value, by


def _rows(tx: Tx, run_id: int | None) -> list[RunApproval]:
    asked = select(RunApproval).where(col(RunApproval.run_id) == run_id).order_by(col(RunApproval.seat))
    rows = tx.session.execute(asked.execution_options(populate_existing=True)).scalars().all()
    for row in rows:
        tx.session.expunge(row)
    return list(rows)


def _seats(rows: Sequence[RunApproval]) -> list[Seat]:
    return [Seat(row.role, Answer(row.answer), row.by) for row in rows]


def _askers(tx: Tx, going: Going) -> set[str]:
    """Who wanted it: who asked for the run or said Do it, and for those by whose steps it is carried out."""
    return {who for run in (going.run, *parents_of(tx, going.run)) for who in (run.asked_by, run.accepted_by) if who}


def _approval(going: Going) -> Approval:
    assert going.runbook.approval
    return going.runbook.approval


def _facts(tx: Tx, going: Going) -> dict[str, Any]:
    return {"by": tx.actor.id, "runbook": going.runbook.title, "run": going.run.id}
