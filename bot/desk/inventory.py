"""The handoff matrix: each workflow with what starts it, who answers for it, where each of its failures goes, and how
it does. What the contract says, beside what happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from sqlmodel import Session

from bot.desk.people import Reach, reach_at
from bot.desk.runs.proposals import Share, accepted_shares
from bot.rules.routing import Terms, terms
from runbooks.contracts import OTHER, Contract
from runbooks.policy import Policy
from runbooks.raised_modes import raised_modes
from store.queries.workflows import Figures, connectors_held, figures

COUNTED = timedelta(days=7)
"""What the success rate is of."""
PROPOSED = timedelta(days=30)
"""What the share of accepted proposals is of."""


class State(StrEnum):
    """How a workflow does, what matters most first."""

    STALE = "stale"
    HELD = "held"
    OPEN_CASES = "open_cases"
    HEALTHY = "healthy"


class Named(StrEnum):
    """By what words of the contract a failure mode is handled."""

    ITSELF = "itself"
    OTHER = "other"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Path:
    """Where a failure mode goes, without what routing rules may change for one case."""

    failure_mode: str
    named: Named
    terms: Terms


@dataclass(frozen=True, slots=True)
class Proposals:
    """How many of a runbook's proposals were accepted, of those that somebody answered. `mode`: what it is in now."""

    runbook: str
    title: str
    mode: str
    accepted: int
    answered: int
    proposed: int


@dataclass(frozen=True, slots=True)
class Line:
    """A workflow. `reached` has each role that it names, and whom telling it reaches now; `held` are the events in
    quarantine and those that wait for a connector, `held_by` is why that one is held. `proposals` are those of the
    runbooks that have made some."""

    contract: Contract
    state: State
    held: int
    held_by: str | None
    figures: Figures
    paths: tuple[Path, ...]
    reached: Mapping[str, Reach]
    proposals: tuple[Proposals, ...] = ()


def inventory(session: Session, policy: Policy, *, at: datetime, only: Sequence[str] | None = None) -> list[Line]:
    """A line for each workflow of the policy (of those in `only`), by name."""
    names = sorted(name for name in policy.workflows if only is None or name in only)
    counted = figures(session, names, since=at - COUNTED)
    held = connectors_held(session)
    shares = accepted_shares(session, names, at - PROPOSED)
    known: dict[str, Reach] = {}
    lines = [_line(session, policy, policy.workflows[name], counted[name], held, known, at) for name in names]
    return [replace(line, proposals=_proposals(policy, shares[line.contract.workflow])) for line in lines]


def _proposals(policy: Policy, shares: Mapping[str, Share]) -> tuple[Proposals, ...]:
    """Of runbooks that there still are."""
    there = [policy.runbooks[name] for name in sorted(shares) if name in policy.runbooks]
    return tuple(Proposals(each.name, each.title, each.mode, *shares[each.name]) for each in there)


def _line(
    session: Session,
    policy: Policy,
    contract: Contract,
    counted: Figures,
    held: Mapping[str, str],
    known: dict[str, Reach],
    at: datetime,
) -> Line:
    paths = tuple(_paths(policy, contract))
    roles = [contract.owners.accountable, contract.owners.steward, *(path.terms.owner for path in paths)]
    for role in set(roles) - known.keys():
        known[role] = reach_at(session, policy, role, at=at)
    connector = contract.deliver.connector if contract.deliver else None
    held_by = held.get(connector) if connector else None
    count = counted.quarantined + (counted.under_way if held_by is not None else 0)
    state = _state(counted, is_held=bool(count) or held_by is not None)
    return Line(contract, state, count, held_by, counted, paths, {role: known[role] for role in dict.fromkeys(roles)})


def _state(counted: Figures, *, is_held: bool) -> State:
    if "stale" in counted.open_cases:
        return State.STALE
    if is_held:
        return State.HELD
    return State.OPEN_CASES if counted.open_cases else State.HEALTHY


def _paths(policy: Policy, contract: Contract) -> list[Path]:
    """Of the modes that the contract names, and of those that the machine can report by it."""
    modes = dict.fromkeys((*raised_modes(contract), *(mode for mode in contract.exceptions if mode != OTHER), OTHER))
    return [Path(mode, _named(contract, mode), terms(policy, contract, mode, None)) for mode in modes]


def _named(contract: Contract, mode: str) -> Named:
    if mode in contract.exceptions:
        return Named.ITSELF
    return Named.OTHER if OTHER in contract.exceptions else Named.NOTHING
