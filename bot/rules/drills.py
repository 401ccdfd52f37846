"""Drills: which failure is played with which events, and what has to follow. Decided by the contract alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from runbooks.contracts import Contract, Deliver
from runbooks.examples import NoExample, example_of
from runbooks.policy import Policy
from runbooks.templates import ExpressionFault, Missing
from runbooks.validation import EventSchema

TELLING_TAKES = timedelta(seconds=60)
"""What is detected has to be told within this time."""
OUTCOME_WITHIN = timedelta(seconds=5)
"""In place of the contract's window: what is tried out is that somebody notices, not how long it takes."""
ADDED = "pointsman_drill"


class Name(StrEnum):
    """The failures that can be played."""

    SCHEMA_DRIFT = "schema-drift"
    LOST_CALLBACK = "lost-callback"
    TIMEOUT = "timeout"
    DUPLICATE = "duplicate"
    SILENCE = "silence"


class Receiver(StrEnum):
    """Who takes a drill's event in place of the connector, and as what its delivery waits there. No connector can be
    called so."""

    TAKES = "drill:takes"
    SILENT = "drill:silent"


@dataclass(frozen=True, slots=True)
class Script:
    """What is played: the events in their order, who receives them (None: they are not to be delivered), in words what
    is wrong with them, and how long it may take until somebody is told."""

    workflow: str
    events: tuple[Mapping[str, Any], ...]
    receiver: Receiver | None
    words: str
    within: timedelta


class Impossible(Exception):
    """The drill cannot be played with this workflow; the text says why."""


def write_script(policy: Policy, name: Name, workflow: str | None, *, now: datetime) -> Script:
    """The script for this workflow; where none is named, for the first by name with which it can be played. Raises
    `Impossible`."""
    if workflow is not None:
        return _script(policy, name, workflow, now)
    why = []
    for each in sorted(policy.workflows):
        try:
            return _script(policy, name, each, now)
        except Impossible as fault:
            why.append(f"{each}: {fault}")
    raise Impossible("; ".join(why) or "the policy has no workflows")


def _script(policy: Policy, name: Name, workflow: str, now: datetime) -> Script:
    contract = policy.workflows.get(workflow)
    if contract is None:
        raise Impossible(f"there is no workflow {workflow!r}; there are {', '.join(sorted(policy.workflows))}")
    if name is Name.SILENCE:
        return _silence(contract)
    schema = policy.event_schemas.get(workflow)
    if contract.trigger is None or schema is None:
        raise Impossible("it has no trigger")
    if contract.rollout.mode == "shadow":
        raise Impossible("it is in shadow: nothing of it becomes a case")
    event = _example(contract, schema, now)
    return _WRITERS[name](contract, schema, event, now)


def _silence(contract: Contract) -> Script:
    if contract.freshness is None:
        raise Impossible("it has no freshness rule: silence is not noticed")
    words = f"no event in a window of {contract.freshness.every}"
    return Script(contract.workflow, (), None, words, TELLING_TAKES)


def _example(contract: Contract, schema: EventSchema, now: datetime) -> dict[str, Any]:
    """An event that would be accepted."""
    try:
        event = example_of(schema)
    except NoExample as fault:
        raise Impossible(f"no event can be made for it: {fault}") from None
    for precondition in contract.preconditions:
        try:
            decision = precondition.expect.decide({"event": event, "now": now})
        except ExpressionFault as fault:
            raise Impossible(f"precondition {precondition.name!r} has a fault: {fault}") from None
        if not decision.met:
            hint = 'write an event that meets it under "examples" in the schema'
            raise Impossible(f"precondition {precondition.name!r} is not met ({decision.because}): {hint}")
    return event


def _drifted(contract: Contract, schema: EventSchema, event: dict[str, Any], now: datetime) -> Script:
    """A required field is called otherwise; the last one: the first is often the identity."""
    required = [name for name in schema.data.get("required", ()) if name in event]
    for name in reversed(required):
        other = f"{name}_renamed"
        drifted = {other if key == name else key: value for key, value in event.items()}
        if schema.misfits(drifted):
            words = f"an event in which `{name}` is called `{other}`"
            return Script(contract.workflow, (drifted,), None, words, TELLING_TAKES)
    raise Impossible("its schema requires no field: nothing can drift")


def _twice(contract: Contract, schema: EventSchema, event: dict[str, Any], now: datetime) -> Script:
    """The same identity, and something else in the event."""
    assert contract.trigger is not None
    identity = _identity(contract, event, now)
    for other in _others(schema, event, ignored=contract.trigger.ignore):
        if not schema.misfits(other) and _identity(contract, other, now) == identity:
            words = "two events of one identity that differ"
            return Script(contract.workflow, (event, other), None, words, TELLING_TAKES)
    raise Impossible("every field of its events is their identity: two that differ are not the same")


def _others(schema: EventSchema, event: Mapping[str, Any], *, ignored: tuple[str, ...]) -> list[dict[str, Any]]:
    """The event with something else in it: a field more, a field less, a number one higher, another of its words."""
    found = [{**event, ADDED: "second"}]
    found += [{key: kept for key, kept in event.items() if key != name} for name in event if name not in ignored]
    for name, value in event.items():
        if name in ignored or isinstance(value, bool):
            continue
        if isinstance(value, int | float):
            found.append({**event, name: value + 1})
        words = (schema.declared(f"/{name}") or {}).get("enum", ())
        found += [{**event, name: word} for word in words if word != value]
        if isinstance(value, str):
            found.append({**event, name: f"{value}2"})
    return found


def _identity(contract: Contract, event: Mapping[str, Any], now: datetime) -> str | None:
    assert contract.trigger is not None
    try:
        return contract.trigger.id.render_text({"event": event, "now": now})
    except (Missing, ExpressionFault):
        return None


def _unanswered(contract: Contract, schema: EventSchema, event: dict[str, Any], now: datetime) -> Script:
    """The contract's own retries go by its own clock: that is what is tried out."""
    retry = _deliver(contract).retry
    waits = [min(retry.first.seconds * retry.factor**made, retry.max.seconds) for made in range(retry.attempts - 1)]
    attempts = "1 attempt" if retry.attempts == 1 else f"{retry.attempts} attempts"
    words = f"an event that its receiver never answers, after {attempts}"
    return Script(
        contract.workflow, (event,), Receiver.SILENT, words, TELLING_TAKES + timedelta(seconds=round(sum(waits)))
    )


def _lost(contract: Contract, schema: EventSchema, event: dict[str, Any], now: datetime) -> Script:
    _deliver(contract)
    if contract.outcome is None:
        raise Impossible("its contract waits for no outcome: a lost callback is not noticed")
    seconds = round(OUTCOME_WITHIN.total_seconds())
    words = f"an event that is delivered and whose outcome never comes ({seconds}s, not {contract.outcome.within})"
    return Script(contract.workflow, (event,), Receiver.TAKES, words, TELLING_TAKES + OUTCOME_WITHIN)


def _deliver(contract: Contract) -> Deliver:
    deliver = contract.deliver
    if deliver is None or deliver.connector is None or deliver.request is None:
        raise Impossible("its contract delivers to no connector")
    return deliver


_Writer = Callable[[Contract, EventSchema, dict[str, Any], datetime], Script]
_WRITERS: Mapping[Name, _Writer] = {
    Name.SCHEMA_DRIFT: _drifted,
    Name.DUPLICATE: _twice,
    Name.TIMEOUT: _unanswered,
    Name.LOST_CALLBACK: _lost,
}
