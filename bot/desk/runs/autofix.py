"""The auto-fix route: a runbook goes first, and nobody is told until it has given up. Owed when the case opens; what
becomes of it is in `bot.desk.runs.following`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, bindparam, or_, select
from sqlmodel import col

from bot.desk import clocks
from bot.desk.ongoing import Ongoing, load, save
from bot.desk.people import find_role, reach
from bot.desk.runs.owing import owed
from bot.desk.telling import channel_line, direct, in_thread, page
from bot.desk.tx import Tx
from bot.rules.auto_fix import MOST_AN_HOUR, begins_at
from bot.rules.routing import AUTO_FIX, Terms
from bot.rules.saying import What
from runbooks.calendars import add
from store.models import Case
from store.run_models import Run


@dataclass(frozen=True, slots=True)
class Fix:
    """An auto-fix that is to begin for a case that opens now."""

    case_id: int
    event_id: int | None
    workflow: str
    terms: Terms


# --- it is owed


def gives_up_at(tx: Tx, terms: Terms) -> datetime:
    """When an auto-fix that is owed now gives up, in the hours of the role that the case goes to then."""
    assert terms.auto_fix
    calendar = tx.policy.team.calendars[find_role(tx.policy, terms.owner).calendar]
    return add(calendar, tx.now, terms.auto_fix.give_up_after)


def plan(tx: Tx, fixes: Sequence[Fix]) -> list[dict[str, Any]]:
    """The runs to owe. Those beyond the hourly budget of their workflow are held until it is free again; the first one
    that is held is told to the owner, the others are on their cards."""
    rows = []
    for workflow in sorted({fix.workflow for fix in fixes}):
        mine = [fix for fix in fixes if fix.workflow == workflow]
        before = _before(tx, workflow)
        begins = begins_at(before, len(mine), now=tx.now)
        is_new = all(at <= tx.now for at in before)
        for fix, at in zip(mine, begins, strict=True):
            rows.append(_row(tx, fix, at))
            if at > tx.now:
                _tell_held(tx, fix, at, is_new=is_new)
                is_new = False
    return rows


_BEFORE = (
    select(col(Run.started_at), col(Run.due_at), col(Run.asked_at), col(Run.state))
    .where(col(Run.workflow) == bindparam("workflow"), col(Run.cause) == AUTO_FIX)
    .where(
        or_(
            col(Run.started_at).is_not(None),
            and_(col(Run.ended_at).is_(None), or_(col(Run.state) != "held", col(Run.due_at) < col(Run.gives_up_at))),
        )
    )
    .order_by(col(Run.asked_at).desc(), col(Run.id).desc())
    .limit(MOST_AN_HOUR)
)


def _before(tx: Tx, workflow: str) -> list[datetime]:
    """When the last ones of a workflow began, or will."""
    found = tx.session.execute(_BEFORE, {"workflow": workflow})
    return [row.started_at or (row.due_at if row.state == "held" else row.asked_at) for row in found]


def _row(tx: Tx, fix: Fix, at: datetime) -> dict[str, Any]:
    assert fix.terms.auto_fix
    until, is_held = gives_up_at(tx, fix.terms), at > tx.now
    return owed(
        tx,
        tx.policy,
        fix.terms.auto_fix.runbook,
        cause=AUTO_FIX,
        workflow=fix.workflow,
        case_id=fix.case_id,
        event_id=fix.event_id,
        state="held" if is_held else "running",
        because=f"{MOST_AN_HOUR} auto-fixes of this workflow began within the hour" if is_held else "",
        due_at=min(at, until),
        gives_up_at=until,
    )


def _tell_held(tx: Tx, fix: Fix, at: datetime, *, is_new: bool) -> None:
    tx.record("run.held", case_id=fix.case_id, until=at.isoformat(), most=MOST_AN_HOUR)
    if is_new:
        case = tx.session.get_one(Case, fix.case_id)
        facts: dict[str, Any] = {"until": at.isoformat(), "most": MOST_AN_HOUR, "workflow": fix.workflow}
        channel_line(tx, case, reach(tx, case.owner).channel, What.AUTO_FIX_HELD, **facts)


# --- it is over


def take_route(tx: Tx, going: Ongoing, because: str) -> bool:
    """The case leaves the auto-fix for the route of its terms: from now on somebody is waited for. Whether it was on
    the auto-fix. To be saved by the caller."""
    case = going.case
    if case.route != AUTO_FIX:
        return False
    going.set(route=clocks.terms(tx.policy_of(case), case).route, response_from_at=tx.now)
    if case.is_open:
        clocks.reset_response(tx, going)
    due_at = case.acknowledge_due_at.isoformat()
    tx.record("case.route_taken", case_id=case.id, route=case.route, because=because, acknowledge_due_at=due_at)
    return True


_UNDER_WAY = (
    select(col(Run.id))
    .where(col(Run.case_id) == bindparam("case_id"), col(Run.cause) == AUTO_FIX, col(Run.ended_at).is_(None))
    .limit(1)
)


def leave_if_idle(tx: Tx, going: Ongoing, because: str) -> bool:
    """The case takes its route if it is still on the auto-fix and no auto-fix of it is under way any more: else nobody
    would be waited for. To be saved by the caller."""
    if going.case.route != AUTO_FIX or tx.session.execute(_UNDER_WAY, {"case_id": going.case.id}).first():
        return False
    return take_route(tx, going, because)


def give_way(tx: Tx, case_id: int, because: str, *, runbook: str, tried: Sequence[Mapping[str, str]]) -> None:
    """It did not help: the case takes its route, and whoever has it or answers for it is told what was tried. One that
    took its route before, or is closed, is only told."""
    going = load(tx, [case_id])[case_id]
    case = going.case
    facts: dict[str, Any] = {"runbook": runbook, "why": because, "tried": list(tried)}
    if not case.is_open or not take_route(tx, going, because):
        in_thread(tx, case, What.RUN_FAILED, runbook=runbook, because=because)
        return
    save(tx, [going])
    tx.owe_card(case.id, case.channel)
    if case.assignee:
        in_thread(tx, case, What.AUTO_FIX_GAVE_UP, people=[case.assignee], **facts)
        direct(tx, case, case.assignee, What.AUTO_FIX_GAVE_UP, people=[case.assignee], **facts)
    elif case.route == "on_call":
        page(tx, case, reach(tx, case.owner), What.AUTO_FIX_GAVE_UP, **facts)
    else:
        in_thread(tx, case, What.AUTO_FIX_GAVE_UP, role=case.owner, **facts)
        channel_line(tx, case, reach(tx, case.owner).channel, What.AUTO_FIX_GAVE_UP, role=case.owner, **facts)
