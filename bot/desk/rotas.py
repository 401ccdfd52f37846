"""Rotas as people change them: somebody takes a stretch, whoever would have had it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, insert
from sqlmodel import col

from bot.desk.acting import answer, answered, check_can_be_given, is_listed, name_of, roles_among
from bot.desk.commands import Outcome, OverrideRota
from bot.desk.kept import digest_of
from bot.desk.people import find_role
from bot.desk.tx import Tx
from bot.rules.permissions import Act, Denied, Standing, may
from bot.rules.refusals import Refused
from bot.rules.saying import What
from runbooks.team import Role
from store.models import RotaCalendar, RotaOverride

LONGEST_OVERRIDE = timedelta(days=92)


def override_rota(tx: Tx, command: OverrideRota) -> Outcome:
    """The person is on call from the start to the end. Who may: the roles that have the rota, and the governance
    role. Raises `Refused` for a stretch that is over, turned round or longer than three months."""
    if before := answered(tx, command):
        return before
    rota = _rota(tx, command.rota)
    _allow(tx, rota)
    _check_stretch(tx, command)
    check_can_be_given(tx, command.person)
    row = {"rota": rota, "start_at": command.start_at, "end_at": command.end_at, "person": command.person}
    tx.session.execute(insert(RotaOverride), [row | {"made_by": tx.actor.id, "made_at": tx.now}])
    facts: dict[str, Any] = {
        "rota": rota,
        "person": command.person,
        "start_at": command.start_at.isoformat(),
        "end_at": command.end_at.isoformat(),
    }
    tx.record("rota.overridden", **facts)
    return answer(tx, command.request_key, Outcome(0, "", What.ROTA_OVERRIDDEN, {"by": tx.actor.id, **facts}))


def _rota(tx: Tx, name: str) -> str:
    team = tx.policy.team
    if name in team.rotas:
        return name
    role = team.roles.get(name)
    if role and role.on_call:
        return role.on_call
    if role:
        raise Refused("no_rota", f"{role.title} has no rota; all its members are told.")
    raise Refused("no_rota", f"There is no rota {name!r}; there are: {', '.join(team.rotas) or 'none'}.")


def _roles_with(tx: Tx, rota: str) -> list[Role]:
    return [role for role in tx.policy.team.roles.values() if role.on_call == rota]


def _allow(tx: Tx, rota: str) -> None:
    governance = find_role(tx.policy, tx.policy.team.defaults.governance)
    having = _roles_with(tx, rota)
    roles = roles_among(tx, [*having, governance])
    owner = next((role for role in having if role.name in roles), having[0] if having else governance)
    standing = Standing(roles, owner, governance, governance, is_listed=is_listed(tx, tx.actor.id))
    verdict = may(Act.OVERRIDE_ROTA, actor=tx.actor, standing=standing)
    if isinstance(verdict, Denied):
        raise Refused("not_allowed", verdict.because)


def _check_stretch(tx: Tx, command: OverrideRota) -> None:
    if command.start_at >= command.end_at:
        raise Refused("wrong_stretch", "The end must be after the start.")
    if command.end_at <= tx.now:
        raise Refused("wrong_stretch", "That stretch is over already.")
    if command.end_at - command.start_at > LONGEST_OVERRIDE:
        who = name_of(tx.session, command.person)
        raise Refused("wrong_stretch", f"Longer than three months: put {who} into the rota of the policy instead.")


@dataclass(frozen=True, slots=True)
class Fetched:
    """A calendar as its address gave it, found to be a rota."""

    address: str
    text: str


def keep_calendar(tx: Tx, command: Fetched) -> bool:
    """Keeps the copy in force for its rotas; whether it is another one than before. A change is on record."""
    kept = tx.session.get(RotaCalendar, command.address)
    if kept and kept.text == command.text:
        return False
    tx.session.execute(delete(RotaCalendar).where(col(RotaCalendar.address) == command.address))
    row = {"address": command.address, "text": command.text, "fetched_at": tx.now}
    tx.session.execute(insert(RotaCalendar), [row])
    digest = digest_of(tx, command.text)
    tx.record("rota.calendar_changed", address=command.address.partition("?")[0], digest=digest)
    return True
