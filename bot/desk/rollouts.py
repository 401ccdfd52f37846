"""Which version of its contract an event goes by, and how the versions do side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, func, select
from sqlmodel import Session, col

from bot.desk.tx import Tx
from bot.rules.rollout import Chosen, Share, choose
from runbooks.contracts import Contract
from runbooks.policy import Policy
from store.columns import Instant
from store.contract_models import ContractVersion, Trigger

COMPARED = timedelta(days=7)
STATES = (
    "delivered",
    "accepted",
    "delivering",
    "failed",
    "quarantined",
    "ignored",
    "shadowed",
    "released",
    "dropped",
)


@dataclass(frozen=True, slots=True)
class Applied:
    """The policy and the contract that an event goes by; in shadow it is only told what would have become of it."""

    policy: Policy
    contract: Contract | None
    chosen: Chosen

    @property
    def is_shadow(self) -> bool:
        """Whether nothing may be delivered and nobody told."""
        return self.chosen.share is Share.SHADOW


_LIVE = Chosen(Share.NEW, "")


@dataclass(slots=True)
class Rollouts:
    """Chooses for the events of one transaction; each workflow's version before is looked up once."""

    tx: Tx
    _before: dict[str, Policy | None] = field(default_factory=dict)

    def applied(self, workflow: str, content: Mapping[str, Any]) -> Applied:
        """What applies to this event."""
        policy = self.tx.policy
        contract = policy.workflows.get(workflow)
        if contract is None or contract.rollout.mode == "live":
            return Applied(policy, contract, _LIVE)
        before = self._policy_before(workflow) if contract.rollout.mode == "canary" else None
        names = {"event": content, "now": self.tx.now}
        chosen = choose(contract, content, has_before=before is not None, names=names)
        if chosen.share is Share.BEFORE and before is not None:
            return Applied(before, before.workflows[workflow], chosen)
        return Applied(policy, contract, chosen)

    def _policy_before(self, workflow: str) -> Policy | None:
        if workflow not in self._before:
            self._before[workflow] = policy_before(self.tx, workflow)
        return self._before[workflow]


_BEFORE = (
    select(col(ContractVersion.policy_digest))
    .where(col(ContractVersion.workflow) == bindparam("workflow"), col(ContractVersion.state) == "before")
    .order_by(col(ContractVersion.id).desc())
    .limit(1)
)


def policy_before(tx: Tx, workflow: str) -> Policy | None:
    """The policy that had the version of this contract before the one in force; None: there was none."""
    digest = tx.session.execute(_BEFORE, {"workflow": workflow}).scalar()
    policy = tx.policies.compiled(tx.session, digest) if digest else None
    return policy if policy and workflow in policy.workflows else None


@dataclass(frozen=True, slots=True)
class Figures:
    """How the events of one version of a contract did. Drills do not count."""

    version: int
    came: int
    by_state: Mapping[str, int]
    first_at: datetime
    last_at: datetime

    @property
    def success(self) -> float | None:
        """The share (0 to 1) of what arrived among what was to be delivered and has ended; None: nothing has."""
        ended = sum(self.by_state.get(state, 0) for state in ("delivered", "failed", "quarantined"))
        return self.by_state.get("delivered", 0) / ended if ended else None


_FIGURES = (
    select(
        col(Trigger.contract_version),
        col(Trigger.state),
        func.count(),
        func.min(col(Trigger.received_at)),
        func.max(col(Trigger.received_at)),
    )
    .where(
        col(Trigger.workflow) == bindparam("workflow"),
        col(Trigger.received_at) >= bindparam("since", type_=Instant),
        col(Trigger.is_drill).is_(False),
    )
    .group_by(col(Trigger.contract_version), col(Trigger.state))
)


def figures(session: Session, workflow: str, *, now: datetime) -> list[Figures]:
    """The versions of a contract whose events came in the last seven days, the newest first."""
    rows: dict[int, list[Any]] = {}
    for row in session.execute(_FIGURES, {"workflow": workflow, "since": now - COMPARED}):
        rows.setdefault(row[0], []).append(row)
    return [_figures(version, rows[version]) for version in sorted(rows, reverse=True)]


def _figures(version: int, rows: list[Any]) -> Figures:
    by_state = {state: count for _, state, count, _, _ in rows}
    return Figures(version, sum(by_state.values()), by_state, min(row[3] for row in rows), max(row[4] for row in rows))
