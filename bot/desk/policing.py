"""Which policy decides: the folder proposes, the database keeps the one in force.

A folder without faults becomes the one in force at once. A faulty one changes nothing, and is one open case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from sqlalchemy import delete, insert, select
from sqlmodel import col

from bot.desk.opening import Opening, open_cases, report_row
from bot.desk.telling import in_thread
from bot.desk.tx import Tx
from bot.rules.actors import SYSTEM
from bot.rules.fingerprint import fingerprint, match_key
from bot.rules.routing import Routing, route
from bot.rules.saying import What
from runbooks.policy import Fault, Policy, PolicyFaults, digest_of, load
from store import audit
from store.models import Case, ExceptionReport, PolicyInForce, PolicyVersion
from store.writing import add_new, change

FAULTS_TOLD = 200
PSEUDO_WORKFLOW = "policy"
"""What a case about the folder as a whole belongs to; the governance role owns it."""


class Verdict(StrEnum):
    """What became of a proposal."""

    IN_FORCE = "in_force"
    SAME = "same"
    FAULTY = "faulty"


@dataclass(frozen=True, slots=True)
class Proposal:
    """A folder's texts by path, and what is wrong with them: nothing, if they may come into force."""

    files: Mapping[str, str]
    faults: tuple[Fault, ...] = ()


def examine(files: Mapping[str, str]) -> Proposal:
    """The proposal that these files make. Slow (it compiles them): not to be called in a transaction."""
    try:
        load(files)
    except PolicyFaults as raised:
        return Proposal(files, raised.faults)
    return Proposal(files)


def propose(tx: Tx, proposal: Proposal) -> Verdict:
    """Puts the proposal in force, on record, unless it is in force already or has faults."""
    before = tx.session.execute(select(col(PolicyInForce.digest)).with_for_update()).scalar_one_or_none()
    if proposal.faults:
        _open_case(tx, proposal)
        return Verdict.FAULTY
    digest = digest_of(proposal.files)
    if digest == before:
        verdict = Verdict.SAME
    else:
        _put_in_force(tx, proposal.files, digest, before)
        verdict = Verdict.IN_FORCE
    _tell_healed(tx, digest)
    return verdict


def _put_in_force(tx: Tx, files: Mapping[str, str], digest: str, before: str | None) -> None:
    old = tx.session.get_one(PolicyVersion, before).files if before else {}
    version = {"digest": digest, "files": dict(files), "recorded_at": tx.now}
    add_new(tx.session, PolicyVersion, [version], unique=["digest"])
    tx.session.execute(delete(PolicyInForce))
    tx.session.execute(insert(PolicyInForce).values(id=1, digest=digest, since_at=tx.now))
    tx.record("policy.in_force", digest=digest, before=before, files=_differences(old, files))


def _differences(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, list[str]]:
    return {
        "added": sorted(new.keys() - old.keys()),
        "removed": sorted(old.keys() - new.keys()),
        "changed": sorted(path for path in new.keys() & old.keys() if new[path] != old[path]),
    }


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
    tx.record("exception.joined", case_id=case.id, occurrence=occurrence, match_key=_MATCH_KEY, event=None)
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
