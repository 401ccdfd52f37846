"""What every act on a case has in common: asked once, allowed, possible in its state, and told afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import bindparam, select
from sqlmodel import Session, col

from bot.desk.clocks import renew_lease
from bot.desk.commands import Outcome
from bot.desk.ongoing import Ongoing, load, save
from bot.desk.people import find_role, members, person_on_call
from bot.desk.telling import in_thread
from bot.desk.tx import Tx
from bot.rules.actors import Kind
from bot.rules.lifecycle import Action, Found, State, check
from bot.rules.permissions import Act, Denied, Standing, may, may_run
from bot.rules.refusals import Refused
from bot.rules.saying import What
from runbooks.policy import Policy
from runbooks.team import Role
from store.audit import chain_of
from store.audit import read as read_audit
from store.models import Case, Paged, Person, SeenRequest
from store.rows import insert_rows

ACTIONS = {
    Act.NOTE: Action.NOTE,
    Act.ACKNOWLEDGE: Action.ACKNOWLEDGE,
    Act.RUN: Action.RUN,
    Act.RELEASE: Action.RELEASE,
    Act.ESCALATE: Action.ESCALATE,
    Act.SNOOZE: Action.SNOOZE,
    Act.ASSIGN: Action.ASSIGN,
    Act.HAND_OFF: Action.HAND_OFF,
    Act.SET_PRIORITY: Action.SET_PRIORITY,
    Act.SET_STATE: Action.SET_STATE,
    Act.RESOLVE: Action.RESOLVE,
    Act.FAIL: Action.FAIL,
    Act.REOPEN: Action.REOPEN,
    Act.WRITE_POST_MORTEM: Action.NOTE,
}
SENDS = (Act.RUN, Act.RELEASE)
BROUGHT_BY = {
    State.RESOLVED: "case.resolved",
    State.FAILED: "case.failed",
}
SLACKBOT = "USLACKBOT"
"""Slack's own bot, which Slack does not call one."""
REMEMBERED = ("what", "facts", "existed", "case_id", "ref")


class Asked(Protocol):
    """A command that may come twice."""

    @property
    def request_key(self) -> str | None: ...


class AskedOfCase(Asked, Protocol):
    """A command about a case."""

    @property
    def case_id(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Acting:
    """An act that may go on: its case, locked, and the key of the request that asked for it."""

    going: Ongoing
    request_key: str | None

    @property
    def case(self) -> Case:
        """The case, as it is now."""
        return self.going.case


def begin(tx: Tx, command: AskedOfCase, act: Act, *, to: State | None = None) -> Acting | Outcome:
    """The act, ready to go on, or the outcome that the same request had before. Raises `Refused` where there is no
    such case, the actor may not, or the case's state does not allow it (`to`: the state that is asked for)."""
    if before := answered(tx, command):
        return before
    going = get_ongoing(tx, command.case_id)
    allow(tx, going.case, act)
    if going.case.is_drill and act in SENDS:
        raise Refused("drill", f"{going.case.ref} is a drill: nothing of it may leave. It closes by itself.")
    check(ACTIONS[act], found(tx, going.case), to=to, now=tx.now)
    return Acting(going, command.request_key)


def finish(tx: Tx, acting: Acting, what: What, facts: Mapping[str, Any], *, silent: bool = False) -> Outcome:
    """Writes the case, owes its card and (unless `silent`) the line in its thread, renews the lease if somebody has
    it and the actor is one of those who work on it, and remembers the answer."""
    case = acting.case
    renew_if_working(tx, acting.going)
    save(tx, [acting.going])
    tx.owe_card(case.id, case.channel)
    if not silent:
        in_thread(tx, case, what, **facts)
    return answer(tx, acting.request_key, Outcome(case.id, case.ref, what, dict(facts)))


def renew_if_working(tx: Tx, going: Ongoing) -> None:
    """Work on a case that somebody has renews the lease; what bystanders say does not."""
    if going.case.is_open and going.case.acknowledged_at and _works_on(tx, going.case):
        renew_lease(tx, going)


_ANSWER = select(col(SeenRequest.answer)).where(col(SeenRequest.key) == bindparam("key"))
_TOLD = select(col(Paged.who)).where(col(Paged.case_id) == bindparam("case_id"))
"""Made once: each click asks them."""


def answered(tx: Tx, command: Asked) -> Outcome | None:
    """What the same request was answered before; None: it is new."""
    if not command.request_key:
        return None
    kept = tx.session.execute(_ANSWER, {"key": command.request_key}).scalar()
    if kept is None:
        return None
    return Outcome(
        kept["case_id"], kept["ref"], What(kept["what"]), kept["facts"], repeated=True, existed=kept["existed"]
    )


def answer(tx: Tx, request_key: str | None, outcome: Outcome) -> Outcome:
    """Remembers the outcome under the request's key, and gives it back."""
    if request_key:
        kept = {name: getattr(outcome, name) for name in REMEMBERED}
        insert_rows(tx.session, SeenRequest, [{"key": request_key, "at": tx.now, "digest": "", "answer": kept}])
    return outcome


def get_ongoing(tx: Tx, case_id: int) -> Ongoing:
    """The case, locked. Raises `Refused` if there is none."""
    going = load(tx, [case_id]).get(case_id)
    if going is None:
        raise Refused("no_such_case", f"There is no case C-{case_id}; `/case list` shows those that are open.")
    return going


def found(tx: Tx, case: Case) -> Found:
    """The case as a refusal speaks of it."""
    state = State(case.state)
    by, since = _closed_by(tx, case) if state in BROUGHT_BY else ("", case.acknowledged_at)
    return Found(case.ref, state, since or case.opened_at, by)


def _closed_by(tx: Tx, case: Case) -> tuple[str, Any]:
    wanted = BROUGHT_BY[State(case.state)]
    entries = reversed(read_audit(tx.session, chain_of(case.id)))
    actor = next((entry["actor"] for entry in entries if entry["action"] == wanted), None)
    return (name_of(tx.session, actor["id"]) if actor else "somebody", case.closed_at)


def name_of(session: Session, user: str) -> str:
    """How a person is called, or else a mention of them."""
    known = session.get(Person, user)
    name = "".join(each for each in known.name if each not in "<>&") if known else ""
    return name or (f"<@{user}>" if user[:1] in "UW" else user)


def allow(tx: Tx, case: Case, act: Act) -> None:
    """Passes if the actor may. Raises `Refused` that names who may."""
    if tx.actor.kind is not Kind.PERSON:
        return
    verdict = may(act, actor=tx.actor, standing=standing(tx, case))
    if isinstance(verdict, Denied):
        raise Refused("not_allowed", f"{case.ref}: {verdict.because}", case_id=case.id)


def check_right(tx: Tx, case: Case, allowed: Sequence[str]) -> None:
    """Passes if the actor is among those whom a runbook's `allow` names. Raises `Refused` that names who may."""
    if tx.actor.kind is not Kind.PERSON:
        return
    named = [tx.policy.team.roles[name] for name in allowed if name in tx.policy.team.roles]
    mine = roles_among(tx, named)
    verdict = may_run(allowed, actor=tx.actor, standing=standing(tx, case), named=named, mine=mine)
    if isinstance(verdict, Denied):
        raise Refused("not_allowed", f"{case.ref}: {verdict.because}", case_id=case.id)


def check_may_open(tx: Tx) -> None:
    """Passes for anyone of the workspace. Raises `Refused` for others."""
    role = find_role(tx.policy, tx.policy.team.defaults.unrouted)
    nobody = Standing(frozenset(), role, role, role, is_listed=is_listed(tx, tx.actor.id))
    verdict = may(Act.OPEN, actor=tx.actor, standing=nobody)
    if isinstance(verdict, Denied):
        raise Refused("not_allowed", verdict.because)


def _works_on(tx: Tx, case: Case) -> bool:
    if tx.actor.kind is not Kind.PERSON:
        return False
    if tx.actor.id in (case.assignee, case.acknowledged_by):
        return True
    return not isinstance(may(Act.ACKNOWLEDGE, actor=tx.actor, standing=standing(tx, case)), Denied)


def standing(tx: Tx, case: Case) -> Standing:
    """What the actor is to the case: by its owner role, the roles of its contract as it was opened with, and who was
    told; the people of a role are those of now."""
    accountable, steward = roles_of_contract(tx.policy_of(case), case)
    owner, accountable, steward = (find_role(tx.policy, name).name for name in (case.owner, accountable, steward))
    told = set(tx.session.execute(_TOLD, {"case_id": case.id}).scalars())
    told_roles = {who.removeprefix("role:") for who in told if who.startswith("role:")}
    wanted = {owner, accountable, steward} | (told_roles & set(tx.policy.team.roles))
    roles = roles_among(tx, [tx.policy.team.roles[name] for name in wanted])
    backup = tx.policy.team.roles[owner].backup
    return Standing(
        roles=roles,
        owner=tx.policy.team.roles[owner],
        accountable=tx.policy.team.roles[accountable],
        steward=tx.policy.team.roles[steward],
        is_paged=tx.actor.id in told or bool(roles & told_roles),
        is_listed=is_listed(tx, tx.actor.id),
        backup=tx.policy.team.roles[backup] if backup and backup in told_roles else None,
    )


def roles_of_contract(policy: Policy, case: Case) -> tuple[str, str]:
    """The accountable role and the steward; of an unknown workflow, the role for what is unrouted."""
    contract = policy.workflows.get(case.workflow)
    if contract is None:
        return policy.team.defaults.unrouted, policy.team.defaults.unrouted
    return contract.owners.accountable, contract.owners.steward


def roles_among(tx: Tx, roles: Iterable[Role], policy: Policy | None = None) -> frozenset[str]:
    """Those of the roles, which are of `policy` (None: the one in force), that the actor is in: a member, or on call
    now. A guest, a bot or a user of another workspace is only in roles that list them."""
    return frozenset(role.name for role in roles if _is_in(tx, role, policy or tx.policy))


def _is_in(tx: Tx, role: Role, policy: Policy) -> bool:
    if not tx.actor.is_ours:
        return _lists(tx.session, role.members, tx.actor.id)
    if _lists(tx.session, members(tx.session, role), tx.actor.id):
        return True
    named = person_on_call(tx.session, policy, role, at=tx.now)
    return named is not None and named[0] == tx.actor.id


def is_listed(tx: Tx, user: str) -> bool:
    """Whether some role lists the person as a member."""
    return any(_lists(tx.session, role.members, user) for role in tx.policy.team.roles.values())


def _lists(session: Session, people: Iterable[str], user: str) -> bool:
    listed = {person.lower() if "@" in person else person for person in people}
    if user in listed or not any("@" in person for person in listed):
        return user in listed
    known = session.get(Person, user)
    return bool(known and known.email and known.email.lower() in listed)


def check_can_be_given(tx: Tx, person: str) -> None:
    """Passes for somebody who can take a case or a shift. Raises `Refused` for what is no person, and for one who may
    do nothing here."""
    if person[:1] not in ("U", "W") or not person.isalnum():
        raise Refused("no_such_person", "Name a person of this workspace, for example @Ada.")
    known = tx.session.get(Person, person)
    if person == SLACKBOT or (known and (known.is_bot or known.is_deleted)):
        raise Refused("no_such_person", f"{name_of(tx.session, person)} is a bot or has left; name a colleague.")
    if known and (strange := _strange(tx, known)) and not is_listed(tx, person):
        raise Refused("no_such_person", f"{name_of(tx.session, person)} is {strange} whom no role lists.")


def _strange(tx: Tx, known: Person) -> str:
    if known.is_guest:
        return "a guest"
    asking = tx.session.get(Person, tx.actor.id) if tx.actor.is_ours else None
    is_elsewhere = asking and known.team_id and asking.team_id and known.team_id != asking.team_id
    return "a user of another workspace" if is_elsewhere else ""
