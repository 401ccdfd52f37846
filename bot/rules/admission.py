"""What becomes of an event at the door: who it is, whether it may be delivered, and why not. The schema is checked
before anything is computed from it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from runbooks.contracts import Contract, Precondition
from runbooks.templates import Decision, ExpressionFault, Missing, Text
from runbooks.validation import Violation

LONGEST_IDENTITY = 500


class Verdict(StrEnum):
    """What becomes of an event."""

    ACCEPT = "accept"
    IGNORE = "ignore"
    QUARANTINE = "quarantine"


@dataclass(frozen=True, slots=True)
class Admission:
    """The decision. `failure_mode` and `violations` say why it is in quarantine; `fault` is one of the contract."""

    verdict: Verdict
    identity: str
    subject: str | None
    because: str
    failure_mode: str | None = None
    violations: tuple[Violation, ...] = ()
    fault: str | None = None


def admit(
    contract: Contract | None,
    content: Mapping[str, Any],
    violations: tuple[Violation, ...],
    *,
    names: Mapping[str, Any],
    digest: Callable[[str], str],
) -> Admission:
    """The decision for an event of this workflow. One that does not fit its schema is known by the `digest` of what
    came, and its subject is told if it can be had. Without a contract or a trigger there is nothing to hold it to."""
    trigger = contract.trigger if contract else None
    if contract is None:
        return Admission(Verdict.QUARANTINE, _by_content(digest, content), None, "no contract is named so", "other")
    if trigger is None:
        return Admission(Verdict.QUARANTINE, _by_content(digest, content), None, "the contract has no trigger", "other")
    subject = _rendered(trigger.subject, names)
    if violations:
        identity = _by_content(digest, _without(content, trigger.ignore))
        return Admission(
            Verdict.QUARANTINE, identity, subject, "it does not fit its schema", "schema_drift", violations
        )
    try:
        identity = trigger.id.render_text(names)[:LONGEST_IDENTITY]
    except Missing as missing:
        return _nameless(contract, content, subject, missing, digest)
    except ExpressionFault as fault:
        because = f"trigger.id: {fault}"
        return Admission(
            Verdict.QUARANTINE, _by_content(digest, content), subject, because, "policy_fault", fault=because
        )
    return _by_preconditions(contract, identity, subject, names)


def _nameless(
    contract: Contract,
    content: Mapping[str, Any],
    subject: str | None,
    missing: Missing,
    digest: Callable[[str], str],
) -> Admission:
    """It fits its schema, but what it is known by is not in it."""
    assert contract.trigger is not None
    violation = Violation("", "identity", f"what trigger.id needs: {missing}", "nothing")
    identity = _by_content(digest, _without(content, contract.trigger.ignore))
    because = f"it cannot be told apart: {missing}"
    return Admission(Verdict.QUARANTINE, identity, subject, because, "schema_drift", (violation,))


def first_unmet(contract: Contract, names: Mapping[str, Any]) -> tuple[Precondition, str] | None:
    """The precondition that holds an event which fits its schema, and why in words; None: none does. Raises
    `ExpressionFault` for one that gives neither yes nor no."""
    for precondition in contract.preconditions:
        decision = precondition.expect.decide(names)
        if not decision.met:
            return precondition, _unmet(precondition, decision)
    return None


def _unmet(precondition: Precondition, decision: Decision) -> str:
    return f"precondition {precondition.name!r} is not met: {decision.because}"


def _by_preconditions(contract: Contract, identity: str, subject: str | None, names: Mapping[str, Any]) -> Admission:
    for precondition in contract.preconditions:
        try:
            decision = precondition.expect.decide(names)
        except ExpressionFault as raised:
            fault = f"precondition {precondition.name!r}: {raised}"
            return Admission(Verdict.QUARANTINE, identity, subject, fault, "policy_fault", fault=fault)
        if not decision.met:
            because = _unmet(precondition, decision)
            if precondition.otherwise == "ignore":
                return Admission(Verdict.IGNORE, identity, subject, because)
            return Admission(Verdict.QUARANTINE, identity, subject, because, precondition.otherwise)
    return Admission(Verdict.ACCEPT, identity, subject, "it fits its contract")


def lane(contract: Contract, subject: str | None) -> str | None:
    """What is delivered one after the other: the events of one subject, where the contract asks for it."""
    if contract.deliver is None or contract.deliver.order != "subject" or subject is None:
        return None
    return f"{contract.workflow}:{subject}"


def sameness(contract: Contract | None, content: Mapping[str, Any]) -> str:
    """What two deliveries of one event have in common, as canonical text: all but the fields that may differ."""
    ignored = contract.trigger.ignore if contract and contract.trigger else ()
    return _text(_without(content, ignored))


def with_content(identity: str, digest: str) -> str:
    """What an event is known by whose identity another one has: that, and its own content."""
    return f"{identity}#{digest[:16]}"


def identity_of(known_by: str, digest: str) -> str:
    """The identity in what `with_content` gave."""
    return known_by.removesuffix(f"#{digest[:16]}")


def _rendered(text: Text | None, names: Mapping[str, Any]) -> str | None:
    if text is None:
        return None
    try:
        return text.render_text(names)[:LONGEST_IDENTITY]
    except (Missing, ExpressionFault):
        return None


def _by_content(digest: Callable[[str], str], content: Mapping[str, Any]) -> str:
    return f"content:{digest(_text(content))}"


def _text(content: Any) -> str:
    return json.dumps(content, sort_keys=True, separators=(",", ":"))


def _without(content: Mapping[str, Any], ignored: tuple[str, ...]) -> Mapping[str, Any]:
    return {name: value for name, value in content.items() if name not in ignored} if ignored else content
