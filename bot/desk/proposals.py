"""People decide about a proposed policy: yes, take it back, roll it back, propose it again. Each locks the policy in
force first, so that the first click wins and the second is told what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select, update
from sqlmodel import Session, col

from bot.desk.acting import name_of, roles_among
from bot.desk.comparing import Compared
from bot.desk.enacting import lock, move, put_in_force, turn_versions_back
from bot.desk.policing import Verdict, enter, find_waiting, replaced
from bot.desk.seen import first_time
from bot.desk.tx import Tx
from bot.rules import changes
from bot.rules.actors import Kind
from bot.rules.changes import Need, No, Seat, Seated, Yes, is_met, missing, read_needs
from bot.rules.refusals import Refused
from runbooks.policy import Policy
from store.contract_models import Approval, PolicyProposal
from store.models import PolicyInForce


@dataclass(frozen=True, slots=True)
class Decide:
    """A decision about a proposal. The same `request_key` twice is one decision. `compared`, to propose it again: the
    policy beside the one in force."""

    proposal: int
    request_key: str | None = None
    compared: Compared | None = None


@dataclass(frozen=True, slots=True)
class Decided:
    """What came of it: the proposal's state now, and the yeses that are still missing. `repeated`: the same request
    came before."""

    state: str = ""
    missing: tuple[Seated, ...] = ()
    repeated: bool = False


def approve(tx: Tx, command: Decide) -> Decided:
    """A yes to all parts that the person may say yes to; with the last one that is needed, the policy is in force."""
    before = _begin(tx, command)
    if before is None:
        return Decided(repeated=True)
    row = _get(tx, command.proposal, "proposed")
    needs, yeses = read_needs(row.needs), read_yeses(tx.session, command.proposal)
    given = changes.approve(
        needs, yeses, person=tx.actor.id, roles=_roles(tx, tx.policy, _seats(needs)), titles=_titles(tx.policy)
    )
    if isinstance(given, No):
        raise Refused(given.code, given.because)
    _keep_yeses(tx, command.proposal, given)
    yeses = (*yeses, *given)
    if is_met(needs, yeses):
        _enact(tx, row, before, yeses)
        return Decided("in_force")
    move(tx, command.proposal, "proposed", decided=False)
    return Decided("proposed", tuple(seated for need in needs for seated in missing(need, yeses)))


def withdraw(tx: Tx, command: Decide) -> Decided:
    """The proposal is taken back; what is in force stays so."""
    if _begin(tx, command) is None:
        return Decided(repeated=True)
    row = _get(tx, command.proposal, "proposed")
    right = _right(tx, row)
    move(tx, command.proposal, "withdrawn")
    tx.record("policy.withdrawn", proposal=command.proposal, digest=row.digest, role=right.role)
    return Decided("withdrawn")


def roll_back(tx: Tx, command: Decide) -> Decided:
    """The policy that was in force before this one is in force again, with its contract versions. A proposal that
    waits was compared with what is no longer in force: it is superseded."""
    digest = _begin(tx, command)
    if digest is None:
        return Decided(repeated=True)
    row = _get(tx, command.proposal, "in_force")
    if row.before is None or row.digest != digest:
        raise Refused("not_in_force", "That policy is not the one in force any more.")
    to = tx.policies.compiled(tx.session, row.before)
    right = _right_to_roll_back(tx, row, to)
    waiting = find_waiting(tx)
    if waiting and waiting.id:
        move(tx, waiting.id, "superseded")
        tx.record("policy.superseded", proposal=waiting.id, digest=waiting.digest)
    _back_to(tx, row, to, right)
    return Decided("rolled_back")


def propose_again(tx: Tx, command: Decide) -> Decided:
    """A policy that was decided about is proposed anew, by a person; it needs its yeses again. Raises `Refused` as long
    as another one waits."""
    before = _begin(tx, command)
    if before is None:
        return Decided(repeated=True)
    row = _get(tx, command.proposal, "withdrawn", "superseded", "rolled_back", "replaced")
    right = _right(tx, row)
    if row.digest == before:
        raise Refused("in_force", "That policy is in force already.")
    if find_waiting(tx):
        raise Refused("another_waits", "Another change waits for its yes: approve or withdraw that one first.")
    if command.compared is None or command.compared.before != before:
        raise Refused("look_again", "The policy in force changed just now. Press again.")
    tx.record("policy.proposed_again", proposal=command.proposal, digest=row.digest, role=right.role)
    verdict = enter(tx, tx.policies.compiled(tx.session, row.digest), command.compared)
    return Decided("in_force" if verdict is Verdict.IN_FORCE else "proposed")


def digests_of(session: Session, proposal_id: int) -> list[str]:
    """The policy that was proposed, and the one before it. Raises `Refused` if there is no such proposal."""
    row = session.get(PolicyProposal, proposal_id)
    if row is None:
        raise Refused("no_such_proposal", "There is no such change any more.")
    return [digest for digest in (row.digest, row.before) if digest]


def find_way_back(session: Session, workflow: str) -> PolicyProposal | None:
    """The change that brought the contract as it is in force, if it can be rolled back: nothing came into force after
    it."""
    digest = select(col(PolicyInForce.digest)).scalar_subquery()
    latest = select(PolicyProposal).where(col(PolicyProposal.state) == "in_force", col(PolicyProposal.digest) == digest)
    row = session.execute(latest.order_by(col(PolicyProposal.id).desc()).limit(1)).scalar_one_or_none()
    return row if row and row.before and workflow in row.told.get("versions", ()) else None


def read_yeses(session: Session, proposal_id: int) -> tuple[Yes, ...]:
    """The yeses that were given, in their order."""
    given = select(Approval).where(col(Approval.proposal_id) == proposal_id)
    rows = session.execute(given.order_by(col(Approval.at), col(Approval.person), col(Approval.part))).scalars()
    return tuple(Yes(row.part, row.person, frozenset(map(Seat, row.seats))) for row in rows)


def _begin(tx: Tx, command: Decide) -> str | None:
    """The digest of the policy in force, locked; None: the same request came before. Raises `Refused` for what is no
    person."""
    digest = lock(tx)
    if tx.actor.kind is not Kind.PERSON:
        raise Refused("not_allowed", "Only people decide about the policy.")
    if command.request_key and not first_time(tx, command.request_key):
        return None
    return digest


def _get(tx: Tx, proposal_id: int, *states: str) -> PolicyProposal:
    """The proposal, which is in one of these states. Raises `Refused` that says what became of it."""
    one = select(PolicyProposal).where(col(PolicyProposal.id) == proposal_id).with_for_update()
    row: PolicyProposal | None = tx.session.execute(one.execution_options(populate_existing=True)).scalar_one_or_none()
    if row is None:
        raise Refused("no_such_proposal", "There is no such change any more.")
    if row.state not in states:
        raise Refused(f"is_{row.state}", _became(tx, row))
    return row


_BECAME = {
    "proposed": "That change waits for its yes.",
    "in_force": "That change is in force already",
    "replaced": "That policy is not in force any more: another one has replaced it.",
    "superseded": "That change is over: another policy came in between.",
    "withdrawn": "That change was withdrawn",
    "rolled_back": "That change was rolled back",
}


def _became(tx: Tx, row: PolicyProposal) -> str:
    said = _BECAME[row.state]
    if said.endswith("."):
        return said
    is_person = row.decided_by and row.decided_by[:1] in ("U", "W")
    return f"{said}, by {name_of(tx.session, row.decided_by or '')}." if is_person else f"{said}."


def _seats(needs: tuple[Need, ...]) -> set[str]:
    return {seated.role for need in needs for seated in need.seats}


def _roles(tx: Tx, policy: Policy, names: set[str]) -> frozenset[str]:
    """Which of these roles, as the policy has them, the actor is in."""
    return roles_among(tx, [policy.team.roles[name] for name in sorted(names) if name in policy.team.roles], policy)


def _titles(policy: Policy) -> dict[str, str]:
    return {role.name: role.title for role in policy.team.roles.values()}


def _right(tx: Tx, row: PolicyProposal) -> Seated:
    """By what right the actor decides about the proposal. Raises `Refused`."""
    needs, governance = read_needs(row.needs), tx.policy.team.defaults.governance
    roles = _roles(tx, tx.policy, {governance, *_seats(needs)})
    return _given(changes.decide(needs, governance, roles=roles, titles=_titles(tx.policy)))


def _right_to_roll_back(tx: Tx, row: PolicyProposal, to: Policy) -> Seated:
    """By the policy in force, or by the one before it: who governed until the change may take it back."""
    workflows = tuple(row.told.get("versions", ()))
    answers = []
    for policy in (tx.policy, to):
        names = set(policy.team.roles)
        answer = changes.roll_back(policy, workflows, roles=_roles(tx, policy, names), titles=_titles(policy))
        answers.append(answer)
    return _given(next((answer for answer in answers if isinstance(answer, Seated)), answers[0]))


def _given(answer: Seated | No) -> Seated:
    if isinstance(answer, No):
        raise Refused(answer.code, answer.because)
    return answer


def _keep_yeses(tx: Tx, proposal_id: int, given: tuple[Yes, ...]) -> None:
    rows = [
        {
            "proposal_id": proposal_id,
            "part": yes.part,
            "person": yes.person,
            "seats": sorted(seat.value for seat in yes.seats),
            "at": tx.now,
        }
        for yes in given
    ]
    tx.session.execute(insert(Approval), rows)
    tx.record("policy.approved", proposal=proposal_id, yeses=[_said(yes) for yes in given])


def _said(yes: Yes) -> dict[str, Any]:
    return {"part": yes.part, "person": yes.person, "seats": sorted(seat.value for seat in yes.seats)}


def _enact(tx: Tx, row: PolicyProposal, before: str, yeses: tuple[Yes, ...]) -> None:
    assert row.id
    if row.before != before:
        raise Refused("is_superseded", "The policy in force is another one since this was proposed: propose it again.")
    policy = tx.policies.compiled(tx.session, row.digest)
    replaced(tx, before, but=row.id)
    move(tx, row.id, "in_force")
    put_in_force(tx, policy, before, proposal=row.id, yeses=[_said(yes) for yes in yeses])


def _back_to(tx: Tx, row: PolicyProposal, to: Policy, right: Seated) -> None:
    assert row.id
    move(tx, row.id, "rolled_back")
    tx.session.execute(update(PolicyInForce).values(digest=to.digest, since_at=tx.now))
    turn_versions_back(tx, to)
    again = select(col(PolicyProposal.id)).where(
        col(PolicyProposal.digest) == to.digest, col(PolicyProposal.state) == "replaced"
    )
    latest = tx.session.execute(again.order_by(col(PolicyProposal.id).desc()).limit(1)).scalar()
    if latest:
        move(tx, latest, "in_force", decided=False)
    tx.record("policy.rolled_back", proposal=row.id, digest=row.digest, to=to.digest, role=right.role)
