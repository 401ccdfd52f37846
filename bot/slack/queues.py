"""What waits for somebody: the cases of a person and of roles, the lists that are asked for, who is on call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, false, func, not_, or_, select
from sqlmodel import Session, col

from bot.desk.people import members, person_on_call, slack_id
from runbooks.policy import Policy
from runbooks.team import Role
from store.models import Case

MOST = 20


@dataclass(frozen=True, slots=True)
class Cases:
    """Some cases, the most urgent first, and how many there are."""

    shown: tuple[Case, ...]
    count: int


@dataclass(frozen=True, slots=True)
class OnCallNow:
    """Who is on call for a role at the moment; `person` None: nobody, or it has no rota."""

    role: Role
    person: str | None
    because: str


def of_person(session: Session, user: str, *, on_call_for: Sequence[str] = (), most: int = MOST) -> Cases:
    """Open cases that wait for the person: assigned to them, acknowledged by them, or had by nobody and owned by a
    role for which they are on call."""
    return _open(session, waits_for(user, on_call_for), most)


def of_roles(
    session: Session, roles: Sequence[str], *, besides: ColumnElement[bool] | None = None, most: int = MOST
) -> Cases:
    """Open cases that the roles own, without those of `besides`."""
    if not roles:
        return Cases((), 0)
    owned = col(Case.owner).in_(roles)
    wanted = owned if besides is None else and_(owned, not_(func.coalesce(besides, false())))
    return _open(session, wanted, most)


def of_workflow(session: Session, workflow: str) -> Cases:
    """Open cases of a workflow."""
    return _open(session, col(Case.workflow) == workflow, MOST)


def of_all(session: Session) -> Cases:
    """All open cases."""
    return _open(session, col(Case.id) > 0, MOST)


def late(session: Session, *, since: datetime) -> int:
    """How many cases missed a window since then."""
    missed = ~col(Case.is_drill) & or_(
        col(Case.response_breached_at) >= since, col(Case.resolution_breached_at) >= since
    )
    return int(session.execute(select(func.count()).select_from(Case).where(missed)).scalar_one())


def roles_of(session: Session, policy: Policy, user: str, *, at: datetime) -> list[Role]:
    """The roles that a person is in: listed, in the user group, or on call for it."""
    return [role for role in policy.team.roles.values() if _is_in(session, policy, role, user, at)]


def on_call_now(session: Session, policy: Policy, *, at: datetime) -> list[OnCallNow]:
    """Who is on call, role by role."""
    return [_on_call(session, policy, role, at) for role in policy.team.roles.values()]


def on_call_for(session: Session, policy: Policy, user: str, *, at: datetime) -> list[str]:
    """The roles for which the person is on call."""
    return [row.role.name for row in on_call_now(session, policy, at=at) if row.person == user]


def _on_call(session: Session, policy: Policy, role: Role, at: datetime) -> OnCallNow:
    named = person_on_call(session, policy, role, at=at)
    if named:
        return OnCallNow(role, named[0], named[1])
    return OnCallNow(role, None, "nobody now" if role.on_call else "no rota: all its members are told")


def _is_in(session: Session, policy: Policy, role: Role, user: str, at: datetime) -> bool:
    if user in [slack_id(session, person) for person in members(session, role)]:
        return True
    named = person_on_call(session, policy, role, at=at)
    return named is not None and named[0] == user


def waits_for(user: str, on_call_for: Sequence[str]) -> ColumnElement[bool]:
    """That a case is one of `of_person`."""
    is_free = and_(col(Case.assignee).is_(None), col(Case.acknowledged_by).is_(None))
    return or_(col(Case.assignee) == user, _acknowledged_by(user), and_(is_free, col(Case.owner).in_(on_call_for)))


def _acknowledged_by(user: str) -> ColumnElement[bool]:
    return and_(col(Case.assignee).is_(None), col(Case.acknowledged_by) == user)


def _open(session: Session, which: ColumnElement[bool], most: int) -> Cases:
    is_open = and_(col(Case.closed_at).is_(None), which)
    count = session.execute(select(func.count()).select_from(Case).where(is_open)).scalar_one()
    urgent = select(Case).where(is_open).order_by(col(Case.priority), col(Case.resolve_due_at), col(Case.id))
    return Cases(tuple(session.execute(urgent.limit(most)).scalars()), count)
