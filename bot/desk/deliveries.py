"""Events on their way to their workflow's connector: owed when they are accepted, claimed by lease, each under an
Idempotency-Key of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import and_, bindparam, case, select, update
from sqlmodel import Session, col

from bot.desk import connectors, lanes
from bot.desk.connectors import Gate
from bot.desk.kept import CONTENT, Kept, removed_from
from bot.desk.tx import Tx
from bot.rules.actors import Actor
from bot.rules.drills import Receiver
from bot.rules.redaction import restored
from bot.rules.repair import Mending, mended
from bot.rules.sending import is_too_old
from runbooks.contracts import Contract, Deliver
from runbooks.policy import Policy
from store.columns import Instant
from store.contract_models import Trigger
from store.models import Case, Delivery, Event
from store.queries.quarantine import held_of_cases
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
    "key_born_at",
    "because",
    "content",
)


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
    receiver: Receiver | None = None
    """Who takes it in place of the connector, in a drill."""

    @property
    def connector(self) -> str:
        """Where its delivery waits."""
        assert self.contract.deliver
        assert self.contract.deliver.connector
        return self.receiver or self.contract.deliver.connector


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery to carry on with now. `names` is what its texts and conditions see; `case_id` None: it is the first
    of its event. `shown_event` is the event as it may be shown, `removed` what that leaves out (None: it was erased,
    and there is nothing to send). `is_probe`: it asks whether its connector is back. `is_key_old`: it may have arrived
    under a key that the receiver does not know any more. `is_drill`: nothing of it may leave."""

    id: int
    case_id: int | None
    event_id: int
    workflow: str
    connector: str
    verb: str
    phase: str
    attempts: int
    idempotency_key: str
    policy: Policy
    names: Mapping[str, Any]
    shown_event: Mapping[str, Any]
    removed: Mapping[str, Any] | None
    is_probe: bool = False
    is_key_old: bool = False
    is_drill: bool = False
    trace: str | None = None


def deliver_of(policy: Policy, workflow: str) -> Deliver | None:
    """How the events of a workflow are sent; None: its contract does not say."""
    contract = policy.workflows.get(workflow)
    return contract.deliver if contract and can_deliver(contract) else None


def can_deliver(contract: Contract) -> bool:
    """Whether the contract says where its events go, by one request."""
    return bool(contract.deliver and contract.deliver.connector and contract.deliver.request)


def owe_first(tx: Tx, firsts: Sequence[First]) -> None:
    """Owes the first delivery of each of these events, which are written already. One that has an earlier one of its
    lane in front of it is not looked at until that one has arrived."""
    if not firsts:
        return
    front = lanes.fronts(tx, {first.lane for first in firsts})
    behind = {first.event_id for first in firsts if front.get(first.lane or "", first.event_id) < first.event_id}
    insert_rows(tx.session, Delivery, [_first_row(tx, first, first.event_id in behind) for first in firsts])
    connectors.know(tx, {first.connector for first in firsts})
    if behind:
        lanes.owe_cards(tx, front)


def _first_row(tx: Tx, first: First, is_behind: bool) -> dict[str, Any]:
    return {
        "case_id": None,
        "event_id": first.event_id,
        "workflow": first.contract.workflow,
        "connector": first.connector,
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
        "due_at": tx.now + lanes.LOOKS_AGAIN_IN if is_behind else tx.now,
        "because": "",
    }


@dataclass(frozen=True, slots=True)
class Room:
    """How many deliveries a process can take on: in all, for each connector, and what it is at already."""

    in_all: int
    for_one: int
    under_way: Mapping[str, int] = field(default_factory=dict)

    def left(self, connector: str, taken: int) -> int:
        """For one connector, when so many are taken for the others."""
        mine = self.under_way.get(connector, 0)
        return max(0, min(self.in_all - sum(self.under_way.values()) - taken, self.for_one - mine))


def claim(tx: Tx, room: Room) -> list[Claimed]:
    """Takes deliveries that are due and that their connectors let pass, for one lease. One whose sender did not come
    back is taken up again under the same key: whether it arrived is not known, and the receiver knows the key. A later
    event of a lane waits until the earlier ones are delivered, or their cases closed."""
    claimed: list[Claimed] = []
    for connector, state in connectors.passable(tx):
        wanted = room.left(connector, len(claimed))
        gate = connectors.gate(tx, connector, state, wanted) if wanted else None
        if gate and gate.passing:
            rows = _take(tx, gate)
            connectors.passed(tx, gate, len(rows), lease=LEASE)
            claimed += _claimed_all(tx, gate, rows)
    return claimed


def _take(tx: Tx, gate: Gate) -> list[Any]:
    """The first that are due and have nobody in front of them; who has is due again later."""
    taken: list[Any] = []
    while len(taken) < gate.passing:
        most = gate.passing - len(taken)
        found = (
            tx.session.connection().execute(_due(), {"connector": gate.connector, "now": tx.now, "limit": most}).all()
        )
        behind = [row.id for row in found if row.is_behind]
        free = [row for row in found if not row.is_behind]
        if behind:
            tx.session.connection().execute(_put_off(), {"ids": behind, "until": tx.now + lanes.LOOKS_AGAIN_IN})
        if free:
            given = {"ids": [row.id for row in free], "until": tx.now + LEASE, "now": tx.now}
            tx.session.connection().execute(_taken(), given)
        taken += free
        if not behind:
            break
    return taken


def _claimed_all(tx: Tx, gate: Gate, rows: Sequence[Any]) -> list[Claimed]:
    if not rows:
        return []
    case_ids = {row.case_id for row in rows if row.case_id}
    wanted = select(Case).where(col(Case.id).in_(case_ids))
    cases = list(tx.session.execute(wanted).scalars()) if case_ids else []
    events = list(tx.session.connection().execute(_CONTENTS, {"ids": [row.event_id for row in rows]}))
    kept = {
        event.id: Kept(event.content, out) for event, out in zip(events, removed_from(tx.session, events), strict=True)
    }
    held = held_of_cases(tx.session, case_ids) if case_ids else {}
    about = {case.id: case_names(case, quarantined=held.get(case.id, 0)) for case in cases}
    marks = {event.id: event for event in events}
    claimed = [
        _claimed(tx, gate, row, kept[row.event_id], about.get(row.case_id, {}), marks[row.event_id]) for row in rows
    ]
    if asking := [each.id for each in claimed if each.is_key_old and each.phase == "finding"]:
        tx.session.connection().execute(_asking(), {"ids": asking})
    return claimed


_TABLE = Delivery.__table__  # type: ignore[attr-defined]
_EVENTS = Event.__table__  # type: ignore[attr-defined]
_TRIGGERS = Trigger.__table__  # type: ignore[attr-defined]
_CONTENTS = (
    select(*(_EVENTS.c[name] for name in CONTENT), _TRIGGERS.c.is_drill, _TRIGGERS.c.trace)
    .select_from(_EVENTS.outerjoin(_TRIGGERS, _TRIGGERS.c.event_id == _EVENTS.c.id))
    .where(_EVENTS.c.id.in_(bindparam("ids", expanding=True)))
)


@cache
def _due() -> Any:
    return (
        select(*(_TABLE.c[name] for name in COLUMNS), lanes.is_behind().label("is_behind"))
        .where(_TABLE.c.connector == bindparam("connector"), _TABLE.c.due_at <= bindparam("now", type_=Instant))
        .order_by(_TABLE.c.due_at, _TABLE.c.id)
        .limit(bindparam("limit"))
        .with_for_update(skip_locked=True, of=_TABLE)
    )


def _of_these() -> Any:
    return update(_TABLE).where(_TABLE.c.id.in_(bindparam("ids", expanding=True)))


@cache
def _put_off() -> Any:
    return _of_these().values(due_at=bindparam("until", type_=Instant))


@cache
def _asking() -> Any:
    return _of_these().values(state="finding")


@cache
def _taken() -> Any:
    """A key is as old as its first use: that of a first delivery is new until it is sent."""
    until, now = bindparam("until", type_=Instant), bindparam("now", type_=Instant)
    is_unused = and_(_TABLE.c.verb == "deliver", _TABLE.c.attempts == 0, _TABLE.c.because == "")
    return _of_these().values(
        lease_until=until,
        due_at=until,
        attempts=_TABLE.c.attempts + 1,
        key_born_at=case((is_unused, now), else_=_TABLE.c.key_born_at),
    )


def _claimed(tx: Tx, gate: Gate, row: Any, kept: Kept, about: Mapping[str, Any], marks: Any) -> Claimed:
    policy = tx.policies.compiled(tx.session, row.policy_digest)
    event = restored(kept.shown, kept.removed) if kept.removed else kept.shown
    if row.content:
        event = mended(event, Mending(values=row.content))
    is_old = _is_key_old(tx, row, deliver_of(policy, row.workflow))
    return Claimed(
        id=row.id,
        case_id=row.case_id,
        event_id=row.event_id,
        workflow=row.workflow,
        connector=gate.connector,
        verb=row.verb,
        phase="finding" if is_old and _has_find(policy, row.workflow) else row.state,
        attempts=row.attempts + 1,
        idempotency_key=row.idempotency_key,
        policy=policy,
        names={"event": event, "now": tx.now, "case": about},
        shown_event=kept.shown,
        removed=kept.removed,
        is_probe=gate.is_probe,
        is_key_old=is_old,
        is_drill=bool(marks.is_drill),
        trace=marks.trace,
    )


def _is_key_old(tx: Tx, row: Any, deliver: Deliver | None) -> bool:
    if deliver is None or row.state != "sending":
        return False
    was_tried = row.verb != "deliver" or row.attempts > 0 or row.because != ""
    lasts = timedelta(seconds=deliver.key_lasts.seconds)
    return is_too_old(row.key_born_at, key_lasts=lasts, may_have_been_sent=was_tried, now=tx.now)


def _has_find(policy: Policy, workflow: str) -> bool:
    deliver = deliver_of(policy, workflow)
    return deliver is not None and deliver.find is not None


def case_names(case: Case, *, quarantined: int, misfit: Mapping[str, str] | None = None) -> dict[str, Any]:
    """A case as expressions and texts see it: `quarantined` of its events are held, `misfit` is the first one's."""
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
        "quarantined": quarantined,
        **({"misfit": dict(misfit)} if misfit else {}),
    }


def some_are_due(session: Session, now: datetime) -> bool:
    """Whether a claim may find something."""
    return connectors.some_may_pass(session, now)


def next_due(session: Session) -> datetime | None:
    """When the next delivery may go on; None: none is under way."""
    return connectors.next_passing(session)
