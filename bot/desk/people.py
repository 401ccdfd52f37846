"""Who a role is at a moment: the person whom its rota names, or else its members."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from sqlalchemy import bindparam, select
from sqlmodel import Session, col

from bot.desk.tx import Tx
from runbooks.ical import IcalRota, parse_ical
from runbooks.policy import Policy
from runbooks.rotas import Override, Rota, on_call, shifts
from runbooks.team import Role
from store.columns import Instant
from store.models import Person, RotaCalendar, RotaOverride


@dataclass(frozen=True, slots=True)
class Reach:
    """Whom telling a role reaches now, and why them."""

    role: str
    channel: str
    people: tuple[str, ...]
    because: str


def find_role(policy: Policy, name: str) -> Role:
    """A role of the policy; a role that the policy no longer has is the one for what is unrouted."""
    roles = policy.team.roles
    return roles.get(name) or roles[policy.team.defaults.unrouted]


def members(session: Session, role: Role) -> tuple[str, ...]:
    """The people of a role: those listed, and those whom its user group had when Slack was last asked."""
    if not role.usergroup:
        return tuple(role.members)
    group = session.get(Person, role.usergroup)
    return tuple(dict.fromkeys((*role.members, *((group.members if group else None) or ()))))


def person_on_call(session: Session, policy: Policy, role: Role, *, at: datetime) -> tuple[str, str] | None:
    """The Slack id of the person whom the role's rota names at `at`, overrides included, and why; None: nobody."""
    if not role.on_call:
        return None
    named = on_call(find_rota(session, policy, role.on_call), at, overrides(session, role.on_call, at=at))
    if named is None:
        return None
    person = slack_id(session, named.person)
    return (person, named.why) if person else None


def find_rota(session: Session, policy: Policy, name: str) -> Rota | IcalRota:
    """A rota of the policy; one that is kept at an https address as its last good copy has it."""
    address = policy.team.rota_addresses.get(name)
    kept = session.get(RotaCalendar, address) if address else None
    return parsed(kept.text, name) if kept else policy.team.rotas[name]


def people_ahead(session: Session, policy: Policy, *, start: datetime, end: datetime) -> set[str]:
    """Everybody whom a rota names between the two, as the policy or its calendars write them."""
    rotas = [find_rota(session, policy, name) for name in policy.team.rotas]
    return {shift.person for rota in rotas for shift in shifts(rota, start, end) if shift.person}


@lru_cache(maxsize=64)
def parsed(text: str, name: str) -> IcalRota:
    """The calendar, read once for each text of it. Raises `ValueError` for one that is no rota."""
    return parse_ical(text, name)


def slack_id(session: Session, person: str) -> str | None:
    """The Slack id of a person whom the policy names by id or by e-mail; None: Slack does not know the e-mail."""
    if "@" not in person:
        return person
    return session.execute(select(col(Person.id)).where(col(Person.email) == person.lower())).scalars().first()


_TAKEN_OVER = (
    select(col(RotaOverride.start_at), col(RotaOverride.end_at), col(RotaOverride.person))
    .where(col(RotaOverride.rota) == bindparam("rota"), col(RotaOverride.end_at) > bindparam("at", type_=Instant))
    .order_by(col(RotaOverride.id))
)


def overrides(session: Session, rota: str, *, at: datetime) -> list[Override]:
    """What people took over of a rota and is not past at `at`."""
    return [Override(*row) for row in session.execute(_TAKEN_OVER, {"rota": rota, "at": at})]


def reach(tx: Tx, role_name: str) -> Reach:
    """Whom telling the role reaches at this moment: the person on call, or each member where there is no rota."""
    return reach_at(tx.session, tx.policy, role_name, at=tx.now)


def reach_at(session: Session, policy: Policy, role_name: str, *, at: datetime) -> Reach:
    """Whom telling the role reaches at `at`."""
    role = find_role(policy, role_name)
    named = person_on_call(session, policy, role, at=at)
    if named:
        return Reach(role.name, role.channel, (named[0],), named[1])
    if role.on_call:
        return Reach(role.name, role.channel, (), f"rota {role.on_call} names nobody now")
    found = [slack_id(session, person) for person in members(session, role)]
    people = tuple(person for person in found if person)
    return Reach(role.name, role.channel, people, "its members" if people else "it has no members")
