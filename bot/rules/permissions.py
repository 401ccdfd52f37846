"""Who may do what to a case: section *Who may* of the policy, as one rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from bot.rules.actors import Actor, Kind
from runbooks.team import Role


class Act(StrEnum):
    """What a person may want to do; the value is how a refusal says it."""

    SHOW = "see it"
    OPEN = "open a case"
    NOTE = "note something on it"
    ACKNOWLEDGE = "acknowledge it"
    RUN = "run this on it"
    RELEASE = "release or drop its events in quarantine"
    ESCALATE = "escalate it"
    SNOOZE = "snooze it"
    ASSIGN = "assign it"
    HAND_OFF = "hand it off"
    SET_PRIORITY = "change its priority"
    SET_STATE = "change its state"
    RESOLVE = "resolve it"
    OVERRIDE_CHECK = "close it in spite of a failed check"
    FAIL = "give it up"
    REOPEN = "reopen it"
    OVERRIDE_ROTA = "change who is on call"
    WRITE_POST_MORTEM = "write its post-mortem"


@dataclass(frozen=True, slots=True)
class Standing:
    """What a person is to a case. `roles`: the names of the roles that the person is in (listed, in the user group,
    or on call for it); `is_listed`: some role names the person itself as a member; `is_paged`: was told to act.
    `backup`: the owner role's backup, once it was told to act."""

    roles: frozenset[str]
    owner: Role
    accountable: Role
    steward: Role
    is_paged: bool = False
    is_listed: bool = False
    backup: Role | None = None


@dataclass(frozen=True, slots=True)
class Allowed:
    """Yes, and by what right."""

    right: str


@dataclass(frozen=True, slots=True)
class Denied:
    """No; `because` names who may, in words for the person."""

    because: str


ANYONE = frozenset({Act.SHOW, Act.OPEN, Act.NOTE})
OWNER, PAGED, ACCOUNTABLE, STEWARD, BACKUP = "owner", "paged", "accountable", "steward", "backup"
ON_CALL = "on_call"
_PARTS = (OWNER, ON_CALL, BACKUP, ACCOUNTABLE, STEWARD)
_RESPONDERS = (OWNER, PAGED, ACCOUNTABLE, STEWARD)
_RIGHTS: dict[Act, tuple[str, ...]] = {
    Act.RUN: (OWNER, BACKUP),
    Act.OVERRIDE_CHECK: (OWNER, ACCOUNTABLE),
    Act.OVERRIDE_ROTA: (OWNER, ACCOUNTABLE),
}
"""Which rights suffice, where they are not the owner role's, the paged, the accountable's and the steward's. To run:
what a runbook without `allow` grants, as Retry and Replay are. A rota's owner is the role that has it, its accountable
the governance role."""


def may(act: Act, *, actor: Actor, standing: Standing) -> Allowed | Denied:
    """Whether the actor may. Sources, timers and the product itself are not judged. Guests, bots and users of other
    workspaces may do nothing unless a role lists them as members; then they may what its members may."""
    if actor.kind is not Kind.PERSON:
        return Allowed(actor.kind.value)
    if not actor.is_ours and not standing.is_listed:
        return Denied(f"You cannot {act.value}{_why_not(actor)}")
    if act in ANYONE:
        return Allowed("anyone")
    enough = _RIGHTS.get(act, _RESPONDERS)
    right = next((right for right in enough if _has(right, standing)), None)
    return Allowed(right) if right else Denied(f"You cannot {act.value}: {_who_may(enough, standing)} can.")


def may_run(
    allowed: Sequence[str], *, actor: Actor, standing: Standing, named: Sequence[Role], mine: frozenset[str]
) -> Allowed | Denied:
    """Whether the actor may run a runbook whose `allow` says so: parts in the case (`owner`, `on_call`, `backup`,
    `accountable`, `steward`), roles, or `anyone`. `named` are the roles that it names, `mine` those of them that the
    actor is in."""
    if not actor.is_ours and not standing.is_listed:
        return Denied(f"You cannot {Act.RUN.value}{_why_not(actor)}")
    if "anyone" in allowed:
        return Allowed("anyone")
    rights = tuple(dict.fromkeys(OWNER if each == ON_CALL else each for each in allowed if each in _PARTS))
    right = next((right for right in rights if _has(right, standing)), None)
    if right or mine:
        return Allowed(right or sorted(mine)[0])
    titles = [role.title for role in named]
    who = " or ".join(filter(None, (_who_may(rights, standing) if rights else "", ", ".join(titles))))
    return Denied(f"You cannot {Act.RUN.value}: {who} can.")


def _why_not(actor: Actor) -> str:
    if actor.is_unknown:
        return f" yet: {actor.why_not_ours}. Try again in a moment."
    who = actor.why_not_ours or "guests, bots and users of other workspaces"
    return f": {who} may act only where a role lists them as a member."


def _has(right: str, standing: Standing) -> bool:
    if right == PAGED:
        return standing.is_paged
    role = _role(right, standing)
    return role is not None and role.name in standing.roles


def _role(right: str, standing: Standing) -> Role | None:
    return {
        OWNER: standing.owner,
        ACCOUNTABLE: standing.accountable,
        STEWARD: standing.steward,
        BACKUP: standing.backup,
    }.get(right)


def _who_may(rights: tuple[str, ...], standing: Standing) -> str:
    """The roles by their titles, each once, those who were paged, and the backup that may later."""
    names = list(dict.fromkeys(role.title for right in rights if (role := _role(right, standing))))
    if PAGED in rights:
        names.append("whoever was told to act on it")
    if BACKUP in rights and standing.owner.backup and not standing.backup:
        names.append("its backup once that was told to act on it")
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
