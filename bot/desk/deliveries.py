"""Events on their way to their workflow's connector: owed when they are accepted, claimed by lease, each under an
Idempotency-Key of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import and_, bindparam, exists, func, or_, select, update
from sqlmodel import Session, col

from bot.desk.kept import Kept, removed_from
from bot.desk.tx import Tx
from bot.rules.actors import Actor
from bot.rules.redaction import restored
from runbooks.contracts import Contract, Deliver
from runbooks.policy import Policy
from store.columns import Instant
from store.contract_models import Trigger
from store.models import Case, Delivery, Event
from store.rows import insert_rows

LEASE = timedelta(seconds=90)
COLUMNS = (
    "id",
    "case_id",
    "event_id",
    "workflow",
    "verb",
    "state",
    "attempts",
    "idempotency_key",
    "policy_digest",
    "content",
)
PENDING = ("delivering", "failed")
"""An event in these states holds up the later ones of its lane."""


@dataclass(frozen=True, slots=True)
class First:
    """An event that is to be delivered for the first time."""

    event_id: int
    contract: Contract
    policy_digest: str
    identity: str
    digest: str
    lane: str | None
    by: Actor


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery to carry on with now. `names` is what its texts and conditions see; `case_id` None: it is the first
    of its event. `shown_event` is the event as it may be shown, `removed` what that leaves out (None: it was erased,
    and there is nothing to send)."""

    id: int
    case_id: int | None
    event_id: int
    workflow: str
    verb: str
    phase: str
    attempts: int
    idempotency_key: str
    policy: Policy
    names: Mapping[str, Any]
    shown_event: Mapping[str, Any]
    removed: Mapping[str, Any] | None


def deliver_of(policy: Policy, workflow: str) -> Deliver | None:
    """How the events of a workflow are sent; None: its contract does not say."""
    contract = policy.workflows.get(workflow)
    return contract.deliver if contract and can_deliver(contract) else None


def can_deliver(contract: Contract) -> bool:
    """Whether the contract says where its events go, by one request."""
    return bool(contract.deliver and contract.deliver.connector and contract.deliver.request)


def owe_first(tx: Tx, firsts: Sequence[First]) -> None:
    """Owes the first delivery of each of these events."""
    insert_rows(tx.session, Delivery, [_first_row(tx, first) for first in firsts])


def _first_row(tx: Tx, first: First) -> dict[str, Any]:
    deliver = first.contract.deliver
    assert deliver is not None
    return {
        "case_id": None,
        "event_id": first.event_id,
        "workflow": first.contract.workflow,
        "connector": deliver.connector,
        "lane": first.lane,
        "verb": "deliver",
        "generation": 1,
        "idempotency_key": f"{first.identity}:{first.digest[:16]}:1",
        "key_born_at": tx.now,
        "policy_digest": first.policy_digest,
        "state": "sending",
        "content": None,
        "asked_by": first.by.id,
        "asked_at": tx.now,
        "confirmed": False,
        "attempts": 0,
        "due_at": tx.now,
        "because": "",
    }


def claim(tx: Tx, limit: int) -> list[Claimed]:
    """Takes deliveries that are due, for one lease. One whose sender did not come back is taken up again under the
    same key: whether it arrived is not known, and the receiver knows the key. A later event of a lane waits until the
    earlier ones are delivered, or their cases closed."""
    rows = tx.session.execute(_due(), {"now": tx.now, "limit": limit}).all()
    if not rows:
        return []
    taken = {"ids": [row.id for row in rows], "until": tx.now + LEASE}
    tx.session.connection().execute(_taken(), taken)
    wanted = select(Case).where(col(Case.id).in_({row.case_id for row in rows if row.case_id}))
    cases = {case.id: case for case in tx.session.execute(wanted).scalars()}
    events = list(tx.session.execute(_CONTENTS, {"ids": [row.event_id for row in rows]}))
    kept = {
        event.id: Kept(event.content, out) for event, out in zip(events, removed_from(tx.session, events), strict=True)
    }
    return [_claimed(tx, row, kept[row.event_id], cases.get(row.case_id)) for row in rows]


_CONTENTS = select(*(getattr(Event, name) for name in ("id", "content", "sealed", "subject_key"))).where(
    col(Event.id).in_(bindparam("ids", expanding=True))
)


@cache
def _due() -> Any:
    now = bindparam("now", type_=Instant)
    free = or_(col(Delivery.lease_until).is_(None), col(Delivery.lease_until) <= now)
    behind = exists().where(
        col(Trigger.lane) == col(Delivery.lane),
        col(Trigger.event_id) < col(Delivery.event_id),
        col(Trigger.state).in_(bindparam(None, PENDING, expanding=True, literal_execute=True)),
    )
    return (
        select(*(getattr(Delivery, name) for name in COLUMNS))
        .where(col(Delivery.due_at) <= now, free, ~behind)
        .order_by(col(Delivery.due_at), col(Delivery.id))
        .limit(bindparam("limit"))
        .with_for_update(skip_locked=True)
    )


@cache
def _taken() -> Any:
    table = Delivery.__table__  # type: ignore[attr-defined]
    mine = update(table).where(table.c.id.in_(bindparam("ids", expanding=True)))
    return mine.values(lease_until=bindparam("until", type_=Instant), attempts=table.c.attempts + 1)


def _claimed(tx: Tx, row: Any, kept: Kept, case: Case | None) -> Claimed:
    policy = tx.policies.compiled(tx.session, row.policy_digest)
    names = {"event": restored(kept.shown, kept.removed or {}), "now": tx.now, "case": case_names(case) if case else {}}
    return Claimed(
        row.id,
        row.case_id,
        row.event_id,
        row.workflow,
        row.verb,
        row.state,
        row.attempts + 1,
        row.idempotency_key,
        policy,
        names,
        kept.shown,
        kept.removed,
    )


def case_names(case: Case) -> dict[str, Any]:
    """A case as expressions and texts see it."""
    return {
        "ref": case.ref,
        "title": case.title,
        "subject": case.subject,
        "priority": case.priority,
        "state": case.state,
        "workflow": case.workflow,
        "failure_mode": case.failure_mode,
        "risk": case.risk,
        "owner": case.owner,
        "opened_at": case.opened_at,
        "quarantined": 0,
    }


def some_are_due(session: Session, now: datetime) -> bool:
    """Whether a claim may find something."""
    free = or_(col(Delivery.lease_until).is_(None), col(Delivery.lease_until) <= now)
    due = select(col(Delivery.id)).where(col(Delivery.due_at) <= now, free).limit(1)
    return session.execute(due).first() is not None


def next_due(session: Session) -> datetime | None:
    """When the next delivery may go on; None: none is under way."""
    waits = and_(col(Delivery.due_at).is_not(None), col(Delivery.lease_until).is_(None))
    taken = col(Delivery.lease_until).is_not(None)
    times = [
        session.execute(select(func.min(col(Delivery.due_at))).where(waits)).scalar(),
        session.execute(select(func.min(col(Delivery.lease_until))).where(taken)).scalar(),
    ]
    return min((at for at in times if at is not None), default=None)
