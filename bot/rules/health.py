"""Whether a system is up, by what its health path answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from runbooks.policy import Policy

DOWN_AFTER = 2
"""Bad answers in a row: one alone may be a restart."""
EVERY = timedelta(minutes=1)
RISKS = ("critical", "high", "medium", "low")
DESK = "policy"
JITTER = 0.2
"""So much of a minute the looks lie apart from one another, so that not all systems are asked at once."""


class Health(StrEnum):
    """What is known of a system."""

    UNKNOWN = "unknown"
    UP = "up"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Pulse:
    """What its health path said so far. `failures`: bad answers, or none, in a row."""

    state: Health = Health.UNKNOWN
    failures: int = 0


def judged(before: Pulse, status: int | None) -> Pulse:
    """What is known after an answer with this status (None: there was none). Well is what begins with 2; that it has
    too much to do (429) says nothing."""
    if status == 429:
        return before
    if status is not None and 200 <= status < 300:
        return Pulse(Health.UP)
    failures = before.failures + 1
    return Pulse(Health.DOWN if failures >= DOWN_AFTER else before.state, failures)


def speaks_for(policy: Policy, connector: str) -> str:
    """The workflow in whose name a system is spoken of that nothing is on its way to: of those that use it the one with
    the highest risk; of none, the desk's own."""
    using = [
        contract
        for contract in policy.workflows.values()
        if contract.source_of_record == connector or (contract.deliver and contract.deliver.connector == connector)
    ]
    return min(using, key=lambda contract: RISKS.index(contract.risk)).workflow if using else DESK


def next_in(share: float) -> timedelta:
    """When to look again. `share` (0 to 1) is the jitter."""
    return EVERY * (1 + JITTER * (share - 0.5))
