"""A policy comes into force: the one row that says so, the versions of its contracts, and what is on record of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlmodel import col

from bot.desk import connectors
from bot.desk.tx import Tx
from runbooks.differences import is_same_but_rollout
from runbooks.policy import Policy
from store.contract_models import ContractVersion, PolicyProposal
from store.models import PolicyInForce, PolicyVersion
from store.writing import add_new


def lock(tx: Tx) -> str | None:
    """The digest of the policy in force, locked until the commit: one change at a time. None: there is none yet."""
    return tx.session.execute(select(col(PolicyInForce.digest)).with_for_update()).scalar_one_or_none()


def keep(tx: Tx, policy: Policy) -> None:
    """Keeps the folder's texts under their digest."""
    version = {"digest": policy.digest, "files": dict(policy.files), "recorded_at": tx.now}
    add_new(tx.session, PolicyVersion, [version], unique=["digest"])


def put_in_force(tx: Tx, policy: Policy, before: str | None, **why: Any) -> None:
    """Lets the policy decide, from the next transaction on. `before` is the one that decided, as `lock` gave it."""
    old = tx.policies.compiled(tx.session, before) if before else None
    since = _switch(tx, policy.digest, before)
    _turn_versions(tx, old, policy, since)
    connectors.ask_refused(tx)
    changed = _files(old.files if old else {}, policy.files)
    tx.record("policy.in_force", digest=policy.digest, before=before, files=changed, **why)


def _switch(tx: Tx, digest: str, before: str | None) -> datetime:
    """Since when the policy before was in force."""
    if before is None:
        tx.session.execute(insert(PolicyInForce).values(id=1, digest=digest, since_at=tx.now))
        return tx.now
    since: datetime = tx.session.execute(select(col(PolicyInForce.since_at))).scalar_one()
    tx.session.execute(update(PolicyInForce).values(digest=digest, since_at=tx.now))
    return since


def _files(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, list[str]]:
    return {
        "added": sorted(new.keys() - old.keys()),
        "removed": sorted(old.keys() - new.keys()),
        "changed": sorted(path for path in new.keys() & old.keys() if new[path] != old[path]),
    }


def _turn_versions(tx: Tx, old: Policy | None, new: Policy, since: datetime) -> None:
    """The contract versions that are current are those of the new policy; each that was, and is another one now, is
    the one before. One whose number is the same, or of which only the rollout changed, is still the same version: what
    a canary is compared with stays the version before it."""
    current = _versions(tx, "current")
    if old:
        _insert(tx, [_version(old, name, since) for name in old.workflows if name not in current])
        current = _versions(tx, "current")
    changed = {name: row for name, row in current.items() if _digest(new, name) != row.digest}
    amended = {name for name, row in changed.items() if old and _is_amended(old, new, name, row.version)}
    for name in amended:
        values = {"digest": _digest(new, name), "version": new.workflows[name].version, "policy_digest": new.digest}
        _mark(tx, [changed[name].id], **values)
    _mark(tx, [row.id for name, row in changed.items() if name not in amended], state="before")
    kept = amended | (current.keys() - changed.keys())
    _insert(tx, [_version(new, name, tx.now) for name in new.workflows if name not in kept])


def _digest(policy: Policy, workflow: str) -> str | None:
    contract = policy.workflows.get(workflow)
    return contract.digest if contract else None


def _is_amended(old: Policy, new: Policy, workflow: str, version: int) -> bool:
    contract = new.workflows.get(workflow)
    if contract is None or workflow not in old.workflows:
        return False
    return contract.version == version or is_same_but_rollout(old, new, workflow)


def turn_versions_back(tx: Tx, to: Policy) -> None:
    """The contract versions after a way back: those that were rolled back are marked, and those before are current
    again."""
    gone = [row.id for name, row in _versions(tx, "current").items() if _digest(to, name) != row.digest]
    _mark(tx, gone, state="rolled_back")
    current, before = _versions(tx, "current"), _versions(tx, "before")
    missing = [name for name in to.workflows if name not in current]
    again = [name for name in missing if name in before and before[name].digest == _digest(to, name)]
    _mark(tx, [before[name].id for name in again], state="current")
    _insert(tx, [_version(to, name, tx.now) for name in missing if name not in again])


def _versions(tx: Tx, state: str) -> dict[str, Any]:
    """The latest version of each workflow in this state."""
    columns = (getattr(ContractVersion, name) for name in ("id", "workflow", "digest", "version"))
    among = select(*columns).where(col(ContractVersion.state) == state).order_by(col(ContractVersion.id))
    return {row.workflow: row for row in tx.session.execute(among)}


def _mark(tx: Tx, ids: Sequence[int], **values: Any) -> None:
    if ids:
        marked = update(ContractVersion).where(col(ContractVersion.id).in_(ids)).values(**values)
        tx.session.execute(marked.execution_options(synchronize_session=False))


def _version(policy: Policy, workflow: str, since: datetime) -> dict[str, Any]:
    contract = policy.workflows[workflow]
    return {
        "workflow": workflow,
        "digest": contract.digest,
        "version": contract.version,
        "policy_digest": policy.digest,
        "since_at": since,
        "state": "current",
    }


def _insert(tx: Tx, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        tx.session.execute(insert(ContractVersion), list(rows))


def move(tx: Tx, proposal_id: int, state: str, *, decided: bool = True) -> None:
    """Brings a proposal into another state, and owes its card if that is posted or will be."""
    values: dict[str, Any] = {"state": state, "version": PolicyProposal.version + 1}
    if decided:
        values |= {"decided_at": tx.now, "decided_by": tx.actor.id}
    moved = update(PolicyProposal).where(col(PolicyProposal.id) == proposal_id).values(**values)
    tx.session.execute(moved.execution_options(synchronize_session=False))
    owe_card(tx, proposal_id)


def owe_card(tx: Tx, proposal_id: int) -> None:
    """The proposal's card as it will be then. One without a channel has no card."""
    channel = tx.session.execute(
        select(col(PolicyProposal.channel)).where(col(PolicyProposal.id) == proposal_id)
    ).scalar_one()
    if channel:
        tx.owe("proposal", f"proposal:{proposal_id}", channel=channel, payload={"proposal": proposal_id})
