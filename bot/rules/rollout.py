"""Which version of a contract an event goes by, while a new one is rolled out: decided by the event, the same every
time and on every replica."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from runbooks.contracts import Contract
from runbooks.templates import ExpressionFault, Missing, Text

PARTS = 10_000


class Share(StrEnum):
    """What applies to an event."""

    NEW = "new"
    BEFORE = "before"
    SHADOW = "shadow"


@dataclass(frozen=True, slots=True)
class Chosen:
    """What applies, and why."""

    share: Share
    because: str


def choose(contract: Contract, content: Mapping[str, Any], *, has_before: bool, names: Mapping[str, Any]) -> Chosen:
    """`shadow`: the contract decides and delivers nothing. `canary`: it applies where `match` holds and to a stable
    share of the subjects (of the identities, where there is no subject), the version before to the rest. Without a
    version before there is nothing to compare with, and it applies to all. `live`: it applies to all."""
    rollout = contract.rollout
    if rollout.mode == "shadow":
        return Chosen(Share.SHADOW, "the contract is in shadow")
    if rollout.mode == "live":
        return Chosen(Share.NEW, "the contract is live")
    if not has_before:
        return Chosen(Share.NEW, "canary: there is no version before")
    if rollout.match is not None and _holds(contract, names):
        return Chosen(Share.NEW, "canary: its match holds")
    if rollout.percent is not None and place(contract, content, names) < rollout.percent * PARTS / 100:
        return Chosen(Share.NEW, f"canary: it is in the {rollout.percent:g} % share")
    return Chosen(Share.BEFORE, "canary: it is not in the share")


def place(contract: Contract, content: Mapping[str, Any], names: Mapping[str, Any]) -> int:
    """Where the event's subject stands among 10,000 places: from SHA-256, so that it depends on nothing else."""
    trigger = contract.trigger
    texts = (trigger.subject, trigger.id) if trigger else ()
    known = next((text for text in (_rendered(each, names) for each in texts) if text), None)
    about = f"{contract.workflow}\0{known if known is not None else sorted(map(str, content))}"
    return int.from_bytes(hashlib.sha256(about.encode(errors="replace")).digest()[:8]) % PARTS


def _holds(contract: Contract, names: Mapping[str, Any]) -> bool:
    """A `match` that gives neither true nor false does not hold: the version before is the safe side."""
    assert contract.rollout.match is not None
    try:
        return contract.rollout.match.decide(names).met
    except ExpressionFault:
        return False


def _rendered(text: Text | None, names: Mapping[str, Any]) -> str | None:
    if text is None:
        return None
    try:
        return text.render_text(names)
    except (Missing, ExpressionFault):
        return None
