"""What an outcome means for the event that waits for it: read by the contract, and settled once.

Outcomes of one event are not ordered: a webhook that was sent first may come last. So a failure counts whichever came
first, and an event that failed is never called done by a later message alone: a person decides, who is told both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from runbooks.contracts import OutcomeRule
from runbooks.templates import Decision, Expression, ExpressionFault, Missing


class Meaning(StrEnum):
    """What an outcome says by its contract."""

    DONE = "done"
    FAILED = "failed"
    WAITING = "waiting"
    """Neither: more is to come."""
    UNCLEAR = "unclear"
    """The contract's conditions could not tell: a fault of the policy."""


@dataclass(frozen=True, slots=True)
class Read:
    """An outcome as its contract reads it. `key` None: it cannot be told whose it is. `facts` are what the conditions
    looked at; `fault` is what is wrong with the contract."""

    key: str | None
    meaning: Meaning
    because: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    fault: str | None = None


def read(rule: OutcomeRule, names: Mapping[str, Any]) -> Read:
    """The outcome in `names`, read. `failed` is asked before `done`: where both hold, it failed. Raises nothing."""
    try:
        key = rule.id.render_text(names)
    except Missing as missing:
        return Read(None, Meaning.UNCLEAR, str(missing))
    except ExpressionFault as fault:
        return Read(None, Meaning.UNCLEAR, "outcome.id has a fault", fault=f"outcome.id: {fault}")
    facts = {**rule.done.facts(names), **(rule.failed.facts(names) if rule.failed else {})}
    meaning, because, wrong = _meaning(rule, names)
    return Read(key, meaning, because, facts, wrong)


def _meaning(rule: OutcomeRule, names: Mapping[str, Any]) -> tuple[Meaning, str, str | None]:
    try:
        failed = _decide("failed", rule.failed, names) if rule.failed else Decision(False, "")
        done = _decide("done", rule.done, names)
    except ExpressionFault as fault:
        return Meaning.UNCLEAR, fault.message, str(fault)
    if failed.met:
        return Meaning.FAILED, failed.because, None
    return (Meaning.DONE if done.met else Meaning.WAITING), done.because, None


def _decide(name: str, condition: Expression, names: Mapping[str, Any]) -> Decision:
    try:
        return condition.decide(names)
    except ExpressionFault as fault:
        raise ExpressionFault(f"outcome.{name}: {fault.message}", fault.hint) from None


class Then(StrEnum):
    """What follows for the cases of the event."""

    NOTHING = "nothing"
    CLOSE = "close"
    """What its open case waited for is there."""
    REPORT = "report"
    """It failed: a case `outcome_failed`. What its case before waited for is there."""
    TELL = "tell"
    """Its case has to hear of it, and stays open."""


@dataclass(frozen=True, slots=True)
class Settled:
    """The state of the event's expectation from now on, what the sender is told, and what follows."""

    state: str
    status: str
    then: Then


def settle(state: str, meaning: Meaning, *, is_late: bool) -> Settled:
    """What an outcome does to an expectation in a state. `is_late`: it came after the window."""
    match meaning:
        case Meaning.UNCLEAR:
            return Settled(state, "unclear", Then.NOTHING)
        case Meaning.WAITING:
            return Settled(state, "waiting", Then.TELL if state == "missing" else Then.NOTHING)
        case Meaning.FAILED:
            return Settled("failed", "failed", Then.REPORT)
        case Meaning.DONE if state == "failed":
            return Settled("failed", "done", Then.TELL)
        case Meaning.DONE if state in ("done", "late"):
            return Settled(state, "done", Then.NOTHING)
        case Meaning.DONE:
            late = is_late or state == "missing"
            return Settled("late" if late else "done", "late" if late else "done", Then.CLOSE)
