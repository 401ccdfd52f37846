"""What a card or a message shows, read in one go: the case, its clocks, its people, and what may be pressed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import or_, select
from sqlmodel import Session, col

from bot.desk import closing
from bot.desk.acting import roles_of_contract
from bot.desk.lanes import waiting_behind
from bot.desk.people import find_role, person_on_call
from bot.desk.policies import Policies
from bot.desk.runs.foreseeing import foreseen, in_words
from bot.desk.runs.offering import may_be_twice
from bot.desk.runs.reading import runs_of_case
from bot.desk.runs.starting import offered
from bot.desk.sending_again import NOTHING, Possible, plans, possible
from bot.rules.escalation import LADDER_OF, role_named, rungs_of
from bot.rules.routing import terms_of
from bot.rules.sending import Plan, Verb
from bot.slack.closings import Tried
from bot.slack.runs import RunsShown
from bot.slack.words import Names
from runbooks.engine import cannot_be_undone
from runbooks.policy import Policy
from runbooks.team import Role
from store.models import Attempt, Case, Delivery, Event, Person, Timer
from store.queries.quarantine import held_of_cases


@dataclass(frozen=True, slots=True)
class Coming:
    """The next telling of a ladder if nothing is done: when, which role, and the person it has then."""

    at: datetime
    ladder: str
    role: str
    person: str | None


@dataclass(frozen=True, slots=True)
class CardFacts:
    """Everything that the card shows. `person` is the assignee, or who is on call now; `sent` is the last Retry or
    Replay of an open case, `sent_at` when its last request was made (or it was asked for); `held` of its events are in
    quarantine; `plans` are what Retry and Replay would do."""

    case: Case
    names: Names
    person: str | None
    on_call: bool
    possible: Possible
    coming: tuple[Coming, ...] = ()
    still: tuple[str, ...] = ()
    behind: int = 0
    """So many later events wait until its event is delivered, or it is closed."""
    sent: Delivery | None = None
    sent_at: datetime | None = None
    held: int = 0
    plans: Mapping[Verb, Plan] = field(default_factory=dict)
    tried: Tried | None = None
    """The last time that somebody wanted it closed."""
    runs: RunsShown = field(default_factory=RunsShown)
    gone: str | None = None
    """Why nothing is left of what its event carried."""


def card_facts(
    session: Session, policies: Policies, case_id: int, *, now: datetime, named: Iterable[str] = ()
) -> CardFacts:
    """The facts of one card, or of a message about the case that names these people as well. Raises `LookupError` when
    there is no such case."""
    case = session.get(Case, case_id)
    if case is None:
        raise LookupError(f"there is no case C-{case_id}")
    now_policy, policy = policies.in_force(session), policies.compiled(session, case.policy_digest)
    timers = list(session.execute(select(Timer).where(col(Timer.case_id) == case_id)).scalars())
    on_call = person_on_call(session, now_policy, find_role(now_policy, case.owner), at=now)
    ahead = _coming(session, now_policy, policy, case, timers) if case.is_open else ()
    coming = tuple(sorted(ahead, key=lambda each: each.at))
    person = case.assignee or (on_call[0] if on_call else None)
    sent, sent_at = _last_sent(session, case) if case.is_open else (None, None)
    tried = tried_last(session, case_id)
    ahead_of = plans(session, case, policy=now_policy, of_case=policy, now=now) if case.is_open else {}
    runs = _runs(session, policies, case, ahead_of, of_case=policy, policy=now_policy, now=now)
    asked_by = [sent.asked_by if sent else None, tried.closing.asked_by if tried else None, case.overridden_by]
    users = [
        person,
        case.acknowledged_by,
        case.opened_by,
        *asked_by,
        *(each.person for each in coming),
        *runs.people,
        *named,
    ]
    return CardFacts(
        case=case,
        names=names(session, now_policy, users),
        person=person,
        on_call=case.assignee is None,
        possible=possible(session, case, now_policy) if case.is_open else NOTHING,
        coming=coming,
        still=tuple(timer.kind for timer in timers if timer.kind in LADDER_OF and timer.due_at is None),
        behind=waiting_behind(session, case_id) if case.is_open else 0,
        sent=sent,
        sent_at=sent_at,
        held=held_of_cases(session, [case_id]).get(case_id, 0),
        plans=ahead_of,
        tried=tried,
        runs=runs,
        gone=_gone(session, case),
    )


def _gone(session: Session, case: Case) -> str | None:
    if case.event_id is None:
        return None
    return session.execute(select(col(Event.gone)).where(col(Event.id) == case.event_id)).scalar()


def _runs(
    session: Session,
    policies: Policies,
    case: Case,
    sent_again: Mapping[Verb, Plan],
    *,
    of_case: Policy,
    policy: Policy,
    now: datetime,
) -> RunsShown:
    """The runbooks that may be pressed, which are none of a closed case or a drill, and the runs; of those that wait
    for a yes also what they will do."""
    can_start = case.is_open and not case.is_drill
    given = list(offered(of_case, policy, case).values()) if can_start else []
    books = [runbook for runbook, _ in given]
    seen = runs_of_case(session, policies, case.id)
    wanting = [each.run for each in seen if each.run.state in ("approving", "proposed")]
    ahead = {run.id or 0: in_words(foreseen(session, policies, run, now=now)) for run in wanting}
    twice = {book.name: may_be_twice(book, sent_again) for book in books}
    lasting = {book.name: cannot_be_undone(book, by.runbooks) for book, by in given}
    return RunsShown(books, seen, ahead, twice, lasting)


def tried_last(session: Session, case_id: int) -> Tried | None:
    """The last closing of a case, and its checks."""
    row = closing.last_closing(session, case_id)
    return Tried(row, closing.results(session, row.id or 0)) if row else None


def _last_sent(session: Session, case: Case) -> tuple[Delivery | None, datetime | None]:
    if case.event_id is None:
        return None, None
    newest = select(Delivery).where(col(Delivery.case_id) == case.id).order_by(col(Delivery.id).desc())
    last = session.execute(newest.limit(1)).scalar_one_or_none()
    if last is None:
        return None, None
    attempts = select(col(Attempt.at)).where(col(Attempt.delivery_id) == last.id).order_by(col(Attempt.id).desc())
    return last, session.execute(attempts.limit(1)).scalar() or last.asked_at


def names(session: Session, policy: Policy, users: Iterable[str | None]) -> Names:
    """What these people and all roles and workflows are called."""
    wanted = {user for user in users if user}
    rows = session.execute(select(col(Person.id), col(Person.name)).where(col(Person.id).in_(wanted))).all()
    roles = {role.name: role.title for role in policy.team.roles.values()}
    workflows = {contract.workflow: contract.title for contract in policy.workflows.values()}
    return Names({user: name for user, name in rows if name}, roles, workflows)


def find_case_of_thread(session: Session, channel: str, thread_ts: str) -> Case | None:
    """The case whose card or thread this is: the open one, or else the latest."""
    here = or_(col(Case.thread_ts) == thread_ts, col(Case.card_ts) == thread_ts)
    mine = select(Case).where(col(Case.channel) == channel, here)
    return session.execute(mine.order_by(col(Case.closed_at).isnot(None), col(Case.id).desc()).limit(1)).scalar()


def _coming(
    session: Session, now_policy: Policy, policy: Policy, case: Case, timers: Iterable[Timer]
) -> Iterable[Coming]:
    terms = terms_of(policy, workflow=case.workflow, failure_mode=case.failure_mode, rule=case.route_rule)
    reminders = len(policy.team.defaults.remind_at)
    for timer in timers:
        ladder = LADDER_OF.get(timer.kind)
        if ladder is None or timer.due_at is None:
            continue
        ahead = rungs_of(terms.ladders, ladder)[max(timer.step - reminders, 0) :]
        role = next((role for rung in ahead if (role := _role_of(now_policy, case, rung.to))), None)
        if role:
            at = timer.due_at if timer.step >= reminders else _window_end(case, timer.kind)
            named = person_on_call(session, now_policy, role, at=at)
            yield Coming(at, ladder.value, role.name, named[0] if named else None)


def _window_end(case: Case, kind: str) -> datetime:
    return case.acknowledge_due_at if kind == "response" else case.resolve_due_at


def _role_of(policy: Policy, case: Case, to: str) -> Role | None:
    accountable, steward = roles_of_contract(policy, case)
    name = role_named(to, owner=find_role(policy, case.owner), accountable=accountable, steward=steward)
    return find_role(policy, name) if name else None
