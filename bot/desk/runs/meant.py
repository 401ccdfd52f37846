"""Whom a runbook means: who asked for the run, a part in its case, or a role; and who of them can say yes."""

from __future__ import annotations

from collections.abc import Collection

from bot.desk.acting import roles_of_contract
from bot.desk.people import Reach, find_role, members, person_on_call, reach, slack_id
from bot.desk.runs.rows import Going
from bot.desk.tx import Tx
from bot.rules.escalation import role_named
from runbooks.team import Role
from store.models import Case


def asker_of(going: Going) -> str | None:
    """The person who asked for the run; None: it began by itself."""
    asked_by = going.run.asked_by
    return asked_by if asked_by[:1] in ("U", "W") and asked_by.isalnum() else None


def role_meant(tx: Tx, case: Case, who: str) -> Role | None:
    """The role that a part in the case (`owner`, `on_call`, `backup`, `accountable`, `steward`) or a name means now.
    None: the owner role's backup, and it has none."""
    accountable, steward = roles_of_contract(tx.policy_of(case), case)
    name = role_named(
        "on_call" if who == "owner" else who,
        owner=find_role(tx.policy, case.owner),
        accountable=accountable,
        steward=steward,
    )
    return find_role(tx.policy, name) if name else None


def reached(tx: Tx, case: Case, who: str) -> Reach:
    """Whom telling them reaches now; the owner role, where there is no backup."""
    role = role_meant(tx, case, who)
    return reach(tx, role.name if role else case.owner)


def people_in(tx: Tx, role: Role) -> tuple[str, ...]:
    """Everybody who is in the role now: its members, and the person on call for it."""
    found = [slack_id(tx.session, person) for person in members(tx.session, role)]
    named = person_on_call(tx.session, tx.policy, role, at=tx.now)
    return tuple(dict.fromkeys(person for person in (*found, named[0] if named else None) if person))


def reached_but(tx: Tx, role: Role, without: Collection[str]) -> Reach:
    """Whom telling the role reaches without these people; where that leaves nobody, all others who are in it."""
    found = reach(tx, role.name)
    people = tuple(person for person in found.people if person not in without)
    rest = people or tuple(person for person in people_in(tx, role) if person not in without)
    return Reach(found.role, found.channel, rest, found.because)
