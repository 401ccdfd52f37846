"""Which policy decides: the folder proposes, the database decides.

A folder without faults waits as proposed where it changes what is gated; else it is in force at once. A faulty one
changes nothing, and is one open case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from sqlalchemy import insert, select
from sqlmodel import col

from bot.desk.comparing import Compared
from bot.desk.enacting import keep, lock, move, owe_card, put_in_force
from bot.desk.opening import Opening, open_cases, report_row
from bot.desk.people import find_role
from bot.desk.telling import in_thread
from bot.desk.tx import Tx
from bot.rules.actors import SYSTEM
from bot.rules.changes import on_record
from bot.rules.fingerprint import fingerprint, match_key
from bot.rules.routing import Routing, route
from bot.rules.saying import What
from runbooks.policy import Fault, Policy, PolicyFaults, digest_of, load
from store import audit
from store.contract_models import PolicyProposal
from store.models import Case, ExceptionReport
from store.writing import change

FAULTS_TOLD = 200
PSEUDO_WORKFLOW = "policy"
"""What a case about the folder as a whole belongs to; the governance role owns it."""


class Verdict(StrEnum):
    """What became of a folder."""

    IN_FORCE = "in_force"
    PROPOSED = "proposed"
    SAME = "same"
    WAITS = "waits"
    DECIDED = "decided"
    FAULTY = "faulty"
    LOOK_AGAIN = "look_again"


@dataclass(frozen=True, slots=True)
class Proposal:
    """A folder's texts by path, and what is wrong with them: nothing, if they may come into force; then `policy` is
    what they say. `compared`: the policy beside the one in force; needed where there is one. `is_changed`: the folder
    was another one when it was last read, so somebody means it."""

    files: Mapping[str, str]
    faults: tuple[Fault, ...] = ()
    policy: Policy | None = None
    compared: Compared | None = None
    is_changed: bool = False


def examine(files: Mapping[str, str]) -> Proposal:
    """The proposal that these files make. Slow (it compiles them): not to be called in a transaction."""
    try:
        return Proposal(files, policy=load(files))
    except PolicyFaults as raised:
        return Proposal(files, raised.faults)


def propose(tx: Tx, proposal: Proposal) -> Verdict:
    """What becomes of the folder. It is in force at once if nothing in it needs a yes, and waits otherwise; then one
    that waited before is superseded. A policy that was decided about (withdrawn, superseded, rolled back, replaced) is
    not proposed again unless the folder was changed in between. `LOOK_AGAIN`: another policy is in force than the one
    that this was compared with."""
    before = lock(tx)
    if proposal.policy is None:
        _open_case(tx, proposal)
        return Verdict.FAULTY
    verdict = _settle(tx, proposal.policy, proposal, before)
    if verdict is not Verdict.LOOK_AGAIN:
        _tell_healed(tx, proposal.policy.digest)
    return verdict


def _settle(tx: Tx, policy: Policy, proposal: Proposal, before: str | None) -> Verdict:
    waiting = find_waiting(tx)
    if before == policy.digest:
        if waiting and proposal.is_changed:
            supersede(tx, waiting)
        return Verdict.SAME
    if waiting and waiting.digest == policy.digest:
        return Verdict.WAITS
    if not proposal.is_changed and _proposals_of(tx, policy.digest):
        return Verdict.DECIDED
    if before and (proposal.compared is None or proposal.compared.before != before):
        return Verdict.LOOK_AGAIN
    if waiting:
        supersede(tx, waiting)
    return enter(tx, policy, proposal.compared or Compared(None, frozenset(), (), {}))


def find_waiting(tx: Tx) -> PolicyProposal | None:
    """The proposal that waits for its yes, if there is one."""
    waiting = select(PolicyProposal).where(col(PolicyProposal.state) == "proposed")
    return tx.session.execute(waiting).scalar_one_or_none()


def _proposals_of(tx: Tx, digest: str) -> Sequence[int]:
    known = select(col(PolicyProposal.id)).where(col(PolicyProposal.digest) == digest)
    return [number for number in tx.session.execute(known).scalars() if number]


def supersede(tx: Tx, waiting: PolicyProposal) -> None:
    """A waiting proposal is over: another folder came, and its yeses are gone."""
    assert waiting.id
    move(tx, waiting.id, "superseded")
    tx.record("policy.superseded", proposal=waiting.id, digest=waiting.digest)


def enter(tx: Tx, policy: Policy, compared: Compared) -> Verdict:
    """The policy waits for its yeses, or is in force if it needs none."""
    keep(tx, policy)
    row = _row(tx, policy, compared)
    for earlier in _proposals_of(tx, policy.digest):
        owe_card(tx, earlier)
    proposal_id = int(tx.session.execute(insert(PolicyProposal).returning(col(PolicyProposal.id)), [row]).scalar_one())
    if row["state"] == "proposed":
        _announce(tx, proposal_id, policy, compared)
        return Verdict.PROPOSED
    replaced(tx, compared.before, but=proposal_id)
    put_in_force(tx, policy, compared.before, proposal=proposal_id)
    owe_card(tx, proposal_id)
    return Verdict.IN_FORCE


def _row(tx: Tx, policy: Policy, compared: Compared) -> dict[str, Any]:
    """A first folder, and one that says the same in other words, has no card."""
    is_waiting = bool(compared.needs)
    return {
        "digest": policy.digest,
        "before": compared.before,
        "state": "proposed" if is_waiting else "in_force",
        "proposed_at": tx.now,
        "decided_at": None if is_waiting else tx.now,
        "decided_by": None if is_waiting else tx.actor.id,
        "needs": on_record(compared.needs),
        "told": dict(compared.told),
        "channel": find_role(tx.policy, tx.policy.team.defaults.governance).channel if compared.parts else None,
        "version": 1,
    }


def replaced(tx: Tx, digest: str | None, *, but: int) -> None:
    """The policy that was in force is replaced by another one (`but`)."""
    was = col(PolicyProposal.state) == "in_force", col(PolicyProposal.digest) == digest, col(PolicyProposal.id) != but
    for proposal_id in tx.session.execute(select(col(PolicyProposal.id)).where(*was)).scalars().all():
        move(tx, int(proposal_id or 0), "replaced", decided=False)


def _announce(tx: Tx, proposal_id: int, policy: Policy, compared: Compared) -> None:
    tx.record(
        "policy.proposed",
        proposal=proposal_id,
        digest=policy.digest,
        before=compared.before,
        needs=on_record(compared.needs),
        changes=compared.told.get("count"),
        breaking=compared.told.get("breaking"),
    )
    owe_card(tx, proposal_id)


def _open_case(tx: Tx, proposal: Proposal) -> None:
    """One open case for the folder, however often it is proposed: the faults of now are its latest report."""
    detail = _told(proposal.faults)
    case = _find_case(tx)
    if case is None:
        (case_id,) = open_cases(tx, [_opening(tx, proposal.faults, detail)])
    else:
        case_id = case.id
        _join(tx, case, detail)
    tx.record("policy.refused", digest=digest_of(proposal.files), faults=len(proposal.faults), case=f"C-{case_id}")


def _opening(tx: Tx, faults: Sequence[Fault], detail: str) -> Opening:
    workflow, routing = _routed(tx, faults)
    return Opening(
        workflow=workflow,
        failure_mode="policy_fault",
        title=_TITLE,
        by=SYSTEM,
        routing=routing,
        fingerprint=fingerprint(workflow, "policy_fault", title=_TITLE, subject=None),
        match_key=_MATCH_KEY,
        detail=detail,
    )


_GOOD_AGAIN = "policy.good_again"
_TITLE = "The policy folder has faults: what was in force before still is"
_MATCH_KEY = match_key(PSEUDO_WORKFLOW, dedup_key="folder", fingerprint="")


def _find_case(tx: Tx) -> Case | None:
    open_one = select(Case).where(col(Case.match_key) == _MATCH_KEY, col(Case.closed_at).is_(None))
    return tx.session.execute(open_one.with_for_update()).scalar_one_or_none()


def _join(tx: Tx, case: Case, detail: str) -> None:
    occurrence = case.occurrences + 1
    row = report_row(
        tx, case_id=case.id, occurrence=occurrence, by=SYSTEM, title=_TITLE, detail=detail, event_id=None, links=()
    )
    tx.session.execute(insert(ExceptionReport), [row])
    change(tx.session, case, occurrences=occurrence, last_seen_at=tx.now, detail=detail)
    tx.record("exception.joined", case_id=case.id, occurrence=occurrence, event=None)
    tx.owe_card(case.id, case.channel)


def _tell_healed(tx: Tx, digest: str) -> None:
    """The folder is good again: the case's thread says so, once; closing it is for its owner."""
    case = _find_case(tx)
    if case is None or audit.read(tx.session, audit.chain_of(case.id))[-1]["action"] == _GOOD_AGAIN:
        return
    in_thread(tx, case, What.POLICY_CHANGED, digest=digest)
    tx.record(_GOOD_AGAIN, case_id=case.id, digest=digest)


def _routed(tx: Tx, faults: Sequence[Fault]) -> tuple[str, Routing]:
    """The workflow whose file alone has the faults, and its steward; or else the governance role."""
    workflow = _only_workflow(tx.policy, faults)
    names = {"event": {}, "case": {}, "now": tx.now}
    routing = route(tx.policy, workflow=workflow or PSEUDO_WORKFLOW, failure_mode="policy_fault", names=names)
    if workflow:
        return workflow, routing
    terms = replace(routing.terms, owner=tx.policy.team.defaults.governance)
    return PSEUDO_WORKFLOW, replace(routing, terms=terms, because="the policy folder is the governance role's")


def _only_workflow(policy: Policy, faults: Sequence[Fault]) -> str | None:
    files = {fault.file for fault in faults}
    if len(files) != 1:
        return None
    name = files.pop().removeprefix("workflows/").removesuffix(".yml")
    return name if name in policy.workflows else None


def _told(faults: Sequence[Fault]) -> str:
    lines = [str(fault) for fault in faults[:FAULTS_TOLD]]
    more = len(faults) - len(lines)
    return "\n".join([*lines, f"and {more} more: `pointsman check` names them all"] if more else lines)
