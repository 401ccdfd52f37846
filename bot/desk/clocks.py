"""The clocks of a case: its two windows, their timers, and the lease of its acknowledgement.

A window's lengths, reminders and pauses are those of the policy that the case was opened with. The response window
runs in the hours of the role that owns the case; the resolution window in those of the role that its contract names,
so that a hand-off does not move it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import cast

from sqlalchemy import select
from sqlmodel import Session, col

from bot.desk.ongoing import Ongoing
from bot.desk.people import find_role
from bot.desk.policies import Policies
from bot.desk.tx import Tx
from bot.rules.escalation import LADDER_OF, Rung, next_due, resumes_at, rungs_of
from bot.rules.routing import AUTO_FIX, Terms, terms_of, terms_of_action
from bot.rules.windows import (
    StateAt,
    Window,
    clock_record,
    lease_window,
    lengths_for,
    next_step,
    why_due,
    window,
    window_until,
)
from runbooks.calendars import Calendar
from runbooks.policy import Policy
from runbooks.team import Windows
from store.models import Case, StateChange


def terms(policy: Policy, case: Case) -> Terms:
    """What the policy of the case says of it."""
    if case.follows_id is not None:
        return terms_of_action(policy, case.owner, case.priority)
    return terms_of(policy, workflow=case.workflow, failure_mode=case.failure_mode, rule=case.route_rule)


def lengths(policy: Policy, case: Case) -> Windows:
    """How long both windows are at the priority that the case has."""
    return lengths_for(terms(policy, case), case.priority, policy.team.defaults.priorities)


def calendar_of_owner(tx: Tx, case: Case) -> Calendar:
    """The hours of the role that owns the case now."""
    policy = tx.policy_of(case)
    if case.owner not in policy.team.roles:
        policy = tx.policy
    return policy.team.calendars[find_role(policy, case.owner).calendar]


def calendar_of_contract(policy: Policy, case: Case) -> Calendar:
    """The hours of the role that the contract names."""
    return policy.team.calendars[find_role(policy, terms(policy, case).owner).calendar]


def ladder(policy: Policy, case: Case, kind: str) -> tuple[Rung, ...]:
    """The tellings that follow when a window (response, resolution) has passed."""
    return rungs_of(terms(policy, case).ladders, LADDER_OF[kind])


def response_window(tx: Tx, case: Case) -> Window:
    """The window to acknowledge."""
    policy = tx.policy_of(case)
    return window(
        calendar_of_owner(tx, case),
        start=case.response_from_at,
        within=lengths(policy, case).acknowledge,
        shares=policy.team.defaults.remind_at,
    )


def resolution_window(tx: Tx, going: Ongoing) -> Window:
    """The window to resolve, with what was counted of it so far. That of an action ends at its date: nothing moves
    it."""
    policy, case = tx.policy_of(going.case), going.case
    if case.follows_id is not None:
        shares = policy.team.defaults.remind_at
        hours = calendar_of_owner(tx, case)
        return window_until(hours, start=case.opened_at, due_at=case.resolve_due_at, shares=shares)
    start, pauses = clock_record(case.opened_at, going.record, policy.team.defaults.pauses)
    return window(
        calendar_of_contract(policy, case),
        start=start,
        within=lengths(policy, case).resolve,
        shares=policy.team.defaults.remind_at,
        pauses=pauses,
    )


def window_of(tx: Tx, going: Ongoing, kind: str) -> Window:
    """The window that a timer of this kind belongs to."""
    return response_window(tx, going.case) if kind == "response" else resolution_window(tx, going)


def reset_response(tx: Tx, going: Ongoing) -> None:
    """Computes the response window anew, and its timer after it."""
    found = response_window(tx, going.case)
    going.set(acknowledge_due_at=found.due_at)
    _follow(tx, going, "response", found, still=_nobody_is_waited_for(going.case))


def _nobody_is_waited_for(case: Case) -> bool:
    """Somebody has the case, or a runbook tries to fix it first."""
    return case.acknowledged_at is not None or case.route == AUTO_FIX


def reset_resolution(tx: Tx, going: Ongoing) -> None:
    """Computes the resolution window anew from the record of states, and its timer after it."""
    found = resolution_window(tx, going)
    going.set(resolve_due_at=found.due_at)
    _follow(tx, going, "resolution", found, still=found.stands_still)


def _follow(tx: Tx, going: Ongoing, kind: str, found: Window, *, still: bool) -> None:
    """Sets a window's timer: to its next step if the window has not passed, else where it was on its ladder."""
    breached = "response_breached_at" if kind == "response" else "resolution_breached_at"
    timer, reminders = going.timers.get(kind), len(found.reminders)
    ahead = next_step(found, after=0, now=tx.now)
    step, due_at = ahead.number, cast("datetime | None", ahead.at)
    was_breached = getattr(going.case, breached) is not None
    if found.due_at > tx.now:
        going.set(**{breached: None})
        if timer and timer.step > reminders and not was_breached:
            step, due_at = timer.step, found.due_at
    elif timer and was_breached:
        step, due_at = timer.step, timer.due_at or _goes_on(tx, going, kind, timer.step - reminders)
    going.arm(kind, None if still else due_at, step=step)


def _goes_on(tx: Tx, going: Ongoing, kind: str, done: int) -> datetime | None:
    """When a ladder that stood still takes its next rung: at that rung's distance from now."""
    case = going.case
    rungs = ladder(tx.policy_of(case), case, kind)
    return next_due(rungs, done, calendar=calendar_of_owner(tx, case), now=tx.now, due_at=tx.now, is_breached=True)


def rungs_done(tx: Tx, going: Ongoing, kind: str) -> int:
    """How many tellings of a window's ladder were done."""
    timer = going.timers.get(kind)
    reminders = len(tx.policy_of(going.case).team.defaults.remind_at)
    return max(timer.step - reminders, 0) if timer else 0


def is_over(tx: Tx, going: Ongoing, kind: str) -> bool:
    """Whether everybody whom a window's ladder names was told."""
    return rungs_done(tx, going, kind) >= len(ladder(tx.policy_of(going.case), going.case, kind))


def stop_response(going: Ongoing) -> None:
    """Stops the response timer where it is: somebody has the case."""
    timer = going.timers.get("response")
    going.arm("response", None, step=timer.step if timer else 0)


def resume_response(tx: Tx, going: Ongoing) -> None:
    """Lets the unacknowledged ladder go on at once: nobody has the case any more. While a runbook tries to fix it
    first, its clock stands still."""
    policy = tx.policy_of(going.case)
    timer = going.timers.get("response")
    step = resumes_at(
        timer.step if timer else 0,
        reminders=len(policy.team.defaults.remind_at),
        ladder=ladder(policy, going.case, "response"),
    )
    going.arm("response", None if going.case.route == AUTO_FIX else tx.now, step=step)


def renew_lease(tx: Tx, going: Ongoing) -> None:
    """Lets the acknowledgement hold on from now."""
    case, policy = going.case, tx.policy_of(going.case)
    holds = lease_window(
        calendar_of_owner(tx, case),
        now=tx.now,
        resolve_within=lengths(policy, case).resolve,
        lasts=policy.team.defaults.acknowledgement_lasts,
    )
    going.set(lease_until=tx.now + holds)
    going.arm("lease", tx.now + holds)


def why_resolve_due(session: Session, policies: Policies, case: Case) -> tuple[str, ...]:
    """Why the resolution window ends when it does, line by line."""
    if case.follows_id is not None:
        return (f"the post-mortem of C-{case.follows_id} gave it this date",)
    policy = policies.compiled(session, case.policy_digest)
    start, pauses = clock_record(case.opened_at, _record(session, case), policy.team.defaults.pauses)
    calendar = calendar_of_contract(policy, case)
    return why_due(calendar, start=start, within=lengths(policy, case).resolve, pauses=pauses)


def _record(session: Session, case: Case) -> Sequence[StateAt]:
    changes = select(col(StateChange.state), col(StateChange.at)).where(col(StateChange.case_id) == case.id)
    return [StateAt(state, at) for state, at in session.execute(changes.order_by(col(StateChange.id)))]
