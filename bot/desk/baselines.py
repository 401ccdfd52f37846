"""What has to come by the clock: for each contract with a freshness rule or a census one row, with the window that it
looks at next. A row is claimed by lease; a window that was judged is followed by the next in the same transaction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, func, or_, select, update
from sqlmodel import Session, col

from bot.desk.healing import News, tell
from bot.desk.intake import Report, report_one
from bot.desk.people import find_role
from bot.desk.tx import Tx
from bot.rules.actors import TIMER
from bot.rules.baselines import too_few
from bot.rules.freshness import next_window, window_to_come
from bot.rules.routing import terms
from bot.rules.saying import What
from runbooks.calendars import Calendar
from runbooks.contracts import Contract, Freshness
from runbooks.lengths import Length
from runbooks.policy import Policy
from store.contract_models import Baseline, Trigger
from store.writing import add_new

LEASE = timedelta(seconds=90)
FRESHNESS, CENSUS = "freshness", "census"
MODES = {FRESHNESS: "stale", CENSUS: "missed"}


@dataclass(frozen=True, slots=True)
class Rule:
    """What a contract looks at, how often, and by which calendar. `text` is what the windows are computed from."""

    workflow: str
    kind: str
    every: Length
    calendar: Calendar | None
    text: str


def rules(policy: Policy) -> dict[tuple[str, str], Rule]:
    """All that the policy wants looked at, by workflow and kind."""
    found = (rule for contract in policy.workflows.values() for rule in _rules_of(policy, contract))
    return {(rule.workflow, rule.kind): rule for rule in found}


def _rules_of(policy: Policy, contract: Contract) -> Iterator[Rule]:
    if contract.freshness:
        said = contract.freshness
        name = said.calendar or _calendar_of(policy, contract, FRESHNESS, said.every)
        text = f"{said.at_least} every {said.every} of {name or 'UTC'}"
        yield Rule(contract.workflow, FRESHNESS, said.every, policy.team.calendars[name] if name else None, text)
    if contract.census:
        name = contract.census.calendar or _calendar_of(policy, contract, CENSUS, contract.census.every)
        text = f"every {contract.census.every} of {name or 'UTC'}"
        calendar = policy.team.calendars[name] if name else None
        yield Rule(contract.workflow, CENSUS, contract.census.every, calendar, text)


def _calendar_of(policy: Policy, contract: Contract, kind: str, every: Length) -> str | None:
    """Business time without a calendar is that of the role whom it concerns."""
    if not every.is_business:
        return None
    return find_role(policy, terms(policy, contract, MODES[kind], None).owner).calendar


# --- which windows there are


def is_in_step(session: Session, policy: Policy) -> bool:
    """Whether the rows are those that the policy wants."""
    rows = session.execute(select(col(Baseline.workflow), col(Baseline.kind), col(Baseline.rule)))
    there = {(workflow, kind): rule for workflow, kind, rule in rows}
    return there == {key: rule.text for key, rule in rules(policy).items()}


def bring_in_step(tx: Tx, _: None = None) -> int:
    """A rule that is new, or another one, begins with the next whole window; one that is gone is not looked at any
    more. Returns how many that were."""
    wanted = rules(tx.policy)
    rows = tx.session.execute(select(Baseline).with_for_update()).scalars()
    there = {(row.workflow, row.kind): row.rule for row in rows}
    gone = [key for key in there if key not in wanted]
    for workflow, kind in gone:
        tx.session.execute(delete(Baseline).where(col(Baseline.workflow) == workflow, col(Baseline.kind) == kind))
    changed = [rule for key, rule in wanted.items() if there.get(key) != rule.text]
    for rule in changed:
        _begin(tx, rule, is_there=(rule.workflow, rule.kind) in there)
        tx.record("baseline.begins", workflow=rule.workflow, what=rule.kind, rule=rule.text)
    return len(gone) + len(changed)


def _begin(tx: Tx, rule: Rule, *, is_there: bool) -> None:
    window = next_window(rule.every, rule.calendar, tx.now)
    if not is_there:
        key = {"workflow": rule.workflow, "kind": rule.kind}
        row = key | {"from_at": window.start, "due_at": window.end, "rule": rule.text, "attempts": 0}
        add_new(tx.session, Baseline, [row], unique=["workflow", "kind"])
        return
    change(
        tx, rule.workflow, rule.kind, from_at=window.start, due_at=window.end, rule=rule.text, attempts=0, again_at=None
    )


def change(tx: Tx, workflow: str, kind: str, **values: object) -> None:
    """Changes a row and ends its lease, unless that is among the values."""
    row = update(Baseline).where(col(Baseline.workflow) == workflow, col(Baseline.kind) == kind)
    said = {"lease_until": None, **values}
    tx.session.execute(row.values(**said).execution_options(synchronize_session=False))


# --- what is due


@dataclass(frozen=True, slots=True)
class DueBaseline:
    """A window that has ended, as it was when it was claimed."""

    workflow: str
    kind: str
    from_at: datetime
    due_at: datetime
    policy: Policy
    until: datetime
    """The end of the lease that it was claimed for."""


def claim(tx: Tx, limit: int) -> list[DueBaseline]:
    """At most `limit` windows that have ended and that nobody else has; they are the caller's for one lease."""
    due = select(Baseline).where(*_may_be_claimed(tx.now)).order_by(col(Baseline.due_at)).limit(limit)
    rows = list(tx.session.execute(due.with_for_update(skip_locked=True)).scalars())
    until = tx.now + LEASE
    for row in rows:
        change(tx, row.workflow, row.kind, lease_until=until)
    return [DueBaseline(row.workflow, row.kind, row.from_at, row.due_at, tx.policy, until) for row in rows]


def _may_be_claimed(now: datetime) -> tuple[ColumnElement[bool], ...]:
    waits, lease = col(Baseline.again_at), col(Baseline.lease_until)
    return (
        col(Baseline.due_at) <= now,
        or_(waits.is_(None), waits <= now),
        or_(lease.is_(None), lease <= now),
    )


def some_are_due(session: Session, now: datetime) -> bool:
    """Whether a claim would find something."""
    return session.execute(select(col(Baseline.workflow)).where(*_may_be_claimed(now)).limit(1)).first() is not None


def next_due(session: Session) -> datetime | None:
    """When the next window ends, or what is put off goes on; None: nothing is looked at."""
    rows = session.execute(select(col(Baseline.due_at), col(Baseline.again_at), col(Baseline.lease_until)))
    return min((max(each for each in row if each) for row in rows), default=None)


def claimed(tx: Tx, due: DueBaseline) -> tuple[Baseline, Rule] | None:
    """The row, locked, and its rule; None: it is not as it was claimed, another process has taken it over, or the
    contract has another rule since."""
    key = col(Baseline.workflow) == due.workflow, col(Baseline.kind) == due.kind
    row = tx.session.execute(select(Baseline).where(*key).with_for_update()).scalar_one_or_none()
    rule = rules(tx.policy).get((due.workflow, due.kind))
    if row is None or rule is None or row.rule != rule.text:
        return None
    if (row.due_at, row.lease_until) != (due.due_at, due.until):
        return None
    return row, rule


def go_on(tx: Tx, row: Baseline, rule: Rule, *, case_id: int | None) -> None:
    """The next window is looked at when it ends."""
    window = window_to_come(rule.every, rule.calendar, after=row.due_at, now=tx.now)
    change(
        tx, row.workflow, row.kind, from_at=window.start, due_at=window.end, attempts=0, again_at=None, case_id=case_id
    )


# --- freshness


def judge(tx: Tx, due: DueBaseline) -> None:
    """Counts the events of a window that has ended. Too few are one open case of the workflow, however often."""
    found = claimed(tx, due)
    freshness = _freshness(tx.policy, due.workflow)
    if found is None or freshness is None:
        return
    row, rule = found
    count = _count(tx.session, due.workflow, start=row.from_at, end=row.due_at)
    if count >= freshness.at_least:
        _tell_healed(tx, row, count)
        go_on(tx, row, rule, case_id=None)
        return
    last = select(func.max(col(Trigger.received_at))).where(*_came(due.workflow))
    said = too_few(
        freshness,
        count=count,
        start=row.from_at,
        end=row.due_at,
        last=tx.session.execute(last).scalar(),
        calendar=rule.calendar,
    )
    case_id, _ = report_one(
        tx,
        Report(
            by=TIMER,
            workflow=due.workflow,
            failure_mode="stale",
            title=said.title,
            detail=said.detail,
            dedup_key="freshness:stale",
        ),
    )
    go_on(tx, row, rule, case_id=case_id)


def _freshness(policy: Policy, workflow: str) -> Freshness | None:
    contract = policy.workflows.get(workflow)
    return contract.freshness if contract else None


def _came(workflow: str) -> tuple[ColumnElement[bool], ...]:
    """What counts as come: what is held as well; no drills, and what was released only once."""
    return (
        col(Trigger.workflow) == workflow,
        col(Trigger.is_drill).is_(False),
        col(Trigger.released_from).is_(None),
    )


def _count(session: Session, workflow: str, *, start: datetime, end: datetime | None = None) -> int:
    until = () if end is None else (col(Trigger.received_at) < end,)
    events = select(func.count()).where(*_came(workflow), col(Trigger.received_at) >= start, *until)
    return int(session.execute(events).scalar_one())


def flowing(session: Session, policy: Policy) -> list[str]:
    """The workflows that were stale and of which enough has come since."""
    stale = select(Baseline).where(col(Baseline.kind) == FRESHNESS, col(Baseline.case_id).is_not(None))
    return [row.workflow for row in session.execute(stale).scalars() if _flows(session, policy, row)]


def _flows(session: Session, policy: Policy, row: Baseline) -> bool:
    freshness = _freshness(policy, row.workflow)
    return freshness is not None and _count(session, row.workflow, start=row.from_at) >= freshness.at_least


def heal(tx: Tx, workflow: str) -> int:
    """Events flow again: the case is over. Returns how many cases that were about."""
    key = col(Baseline.workflow) == workflow, col(Baseline.kind) == FRESHNESS
    row = tx.session.execute(select(Baseline).where(*key).with_for_update()).scalar_one_or_none()
    if row is None or row.case_id is None or not _flows(tx.session, tx.policy, row):
        return 0
    _tell_healed(tx, row, _count(tx.session, workflow, start=row.from_at))
    change(tx, workflow, FRESHNESS, case_id=None, lease_until=row.lease_until)
    return 1


def _tell_healed(tx: Tx, row: Baseline, count: int) -> None:
    if row.case_id is not None:
        facts = {"count": count, "since": row.from_at.isoformat()}
        tell(tx, [News(row.case_id, What.EVENTS_FLOW, is_over=True, facts=facts)])
