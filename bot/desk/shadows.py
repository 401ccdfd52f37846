"""What a contract in shadow would have done: told from the events that it saw, without doing any of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlmodel import Session, col

from bot.desk.policies import Policies
from bot.desk.rollouts import COMPARED, Figures
from runbooks.filling import fill
from runbooks.policy import Policy
from runbooks.templates import ExpressionFault, Missing
from store.contract_models import Trigger
from store.models import Event

LONGEST = 300


@dataclass(frozen=True, slots=True)
class Would:
    """What would have become of one event, in words. Masked fields stay masked."""

    event: str
    received_at: datetime
    words: str


def would_have(
    session: Session, policies: Policies, workflow: str, versions: Sequence[Figures], *, now: datetime, limit: int
) -> list[Would]:
    """The latest events that a contract in shadow saw in the time that the figures of its versions are of, the newest
    first."""
    if not any(each.by_state.get("shadowed") for each in versions):
        return []
    seen = (
        select(Trigger, Event)
        .join(Event, col(Event.id) == col(Trigger.event_id))
        .where(
            col(Trigger.workflow) == workflow,
            col(Trigger.received_at) >= now - COMPARED,
            col(Trigger.state) == "shadowed",
        )
        .order_by(col(Trigger.received_at).desc(), col(Trigger.event_id).desc())
        .limit(limit)
    )
    return [
        Would(f"E-{event.id}", came.received_at, _words(policies.compiled(session, came.policy_digest), came, event))
        for came, event in session.execute(seen)
    ]


def _words(policy: Policy, came: Trigger, event: Event) -> str:
    if came.misfit:
        return f"would be held: {came.misfit.get('title', 'it does not fit')}"
    if came.because:
        return f"would not be delivered: {came.because}"
    deliver = policy.workflows[came.workflow].deliver
    if deliver is None or deliver.request is None:
        return "would be accepted; the contract says nothing of a delivery"
    try:
        filled = fill(deliver.request, {"event": event.content, "now": came.received_at})
    except (Missing, ExpressionFault) as fault:
        return f"could not be sent: {fault}"
    return f"would send {filled.method} {filled.path} to {deliver.connector}: {filled.json}"[:LONGEST]
