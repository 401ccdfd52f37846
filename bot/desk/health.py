"""Connectors as their health paths answer: who is asked next, what was heard, and the one case of a system that is
down, which is the same as that of its circuit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select, update
from sqlmodel import Session, col

from bot.desk import connectors
from bot.desk.passing import take_room
from bot.desk.tx import Tx
from bot.rules.circuit import Circuit, State
from bot.rules.health import Health, Pulse, judged, next_in
from runbooks.connectors import Connector
from runbooks.policy import Policy
from store.contract_models import ConnectorHealth, ConnectorState
from store.rows import Unless, insert_rows

LEASE = timedelta(seconds=30)
"""Beyond the connector's own timeout."""
AT_ONCE = 20
LONGEST_UNASKED = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class DueHealth:
    """A connector whose health path is to be asked now; it is the caller's until then."""

    connector: Connector
    until: datetime


@dataclass(frozen=True, slots=True)
class HeardHealth:
    """What came of asking. `fault`: it could not be asked at all, which says nothing of the system; `share` (0 to 1) is
    the jitter of the next look."""

    due: DueHealth
    status: int | None
    because: str
    share: float
    fault: bool = False


def asked_of(policy: Policy) -> list[str]:
    """The connectors that have a health path."""
    return [each.name for each in policy.connectors.values() if each.health]


def is_in_step(session: Session, policy: Policy) -> bool:
    """Whether those are asked that have a health path by the policy, and no others."""
    known = select(col(ConnectorHealth.connector)).where(col(ConnectorHealth.due_at).is_not(None))
    return set(session.execute(known).scalars()) == set(asked_of(policy))


def bring_in_step(tx: Tx, _: None = None) -> None:
    """Begins to ask those that have a health path now; of one that has none any more nothing is known."""
    wanted = asked_of(tx.policy)
    connectors.know(tx, wanted)
    row = {"state": "unknown", "failures": 0, "since_at": tx.now, "due_at": tx.now, "because": ""}
    rows = [{"connector": each, **row} for each in wanted]
    insert_rows(tx.session, ConnectorHealth, rows, unless=Unless(("connector",)))
    again = update(ConnectorHealth).where(
        col(ConnectorHealth.connector).in_(wanted), col(ConnectorHealth.due_at).is_(None)
    )
    tx.session.execute(again.values(due_at=tx.now).execution_options(synchronize_session=False))
    for each in _locked(tx, ~col(ConnectorHealth.connector).in_(wanted), col(ConnectorHealth.due_at).is_not(None)):
        _write(tx, each.connector, state="unknown", failures=0, since_at=tx.now, due_at=None, because="")
        if each.state == Health.DOWN:
            _is_up(tx, each.connector)


def some_are_due(session: Session, now: datetime) -> bool:
    """Whether a claim would find something."""
    return session.execute(select(col(ConnectorHealth.connector)).where(_due(now)).limit(1)).first() is not None


def next_due(session: Session) -> datetime | None:
    """When the next one is asked."""
    first: datetime | None = session.execute(select(func.min(col(ConnectorHealth.due_at)))).scalar_one_or_none()
    return first


def claim(tx: Tx, most: int) -> list[DueHealth]:
    """Those that are due and that nobody else is asking. Another process takes one over when its lease ends."""
    due = select(ConnectorHealth).where(_due(tx.now)).order_by(col(ConnectorHealth.due_at)).limit(most)
    claimed = []
    rows = tx.session.execute(due.with_for_update(skip_locked=True)).scalars().all()
    for row in sorted(rows, key=lambda row: row.connector):
        connector = tx.policy.connectors.get(row.connector)
        if connector is None or not connector.health:
            continue
        if room_at := _room_at(tx, row):
            _write(tx, row.connector, due_at=room_at)
            continue
        until = tx.now + timedelta(seconds=connector.timeout.seconds) + LEASE
        _write(tx, row.connector, due_at=until)
        claimed.append(DueHealth(connector, until))
    return claimed


def _room_at(tx: Tx, row: ConnectorHealth) -> datetime | None:
    """When its rate has room for the question; None: now. One that was not asked for long is asked all the same."""
    if (row.answered_at or row.since_at) + LONGEST_UNASKED <= tx.now:
        return None
    return take_room(tx, row.connector)


def heard(tx: Tx, came: HeardHealth) -> None:
    """Takes in an answer. A system that has gone down, or is up again, has its one case opened, or healed. An answer
    that comes after another process took the connector over changes nothing."""
    name = came.due.connector.name
    row = next(iter(_locked(tx, col(ConnectorHealth.connector) == name)), None)
    if row is None or row.due_at != came.due.until:
        return
    before = Pulse(Health(row.state), row.failures)
    after = before if came.fault else judged(before, came.status)
    is_new = after.state is not before.state
    seen: dict[str, Any] = {"answered_at": tx.now, "status": came.status} if came.status is not None else {}
    since = {"since_at": tx.now} if is_new else {}
    kept = {"state": after.state.value, "failures": after.failures, "because": came.because}
    _write(tx, name, due_at=tx.now + next_in(came.share), **kept, **seen, **since)
    if is_new and after.state is Health.DOWN:
        tx.record("connector.down", connector=name, because=came.because)
        connectors.went_down(tx, name)
    elif before.state is Health.DOWN and after.state is not Health.DOWN:
        tx.record("connector.up", connector=name, because=came.because)
        _is_up(tx, name)


def _is_up(tx: Tx, name: str) -> None:
    """What is held is asked about now; where nothing is, the case is over."""
    connectors.came_up(tx, name)


def _due(now: datetime) -> Any:
    return col(ConnectorHealth.due_at) <= now


def _locked(tx: Tx, *which: Any) -> list[ConnectorHealth]:
    rows = select(ConnectorHealth).where(*which).order_by(col(ConnectorHealth.connector)).with_for_update()
    return list(tx.session.execute(rows.execution_options(populate_existing=True)).scalars())


def _write(tx: Tx, name: str, **values: Any) -> None:
    mine = update(ConnectorHealth).where(col(ConnectorHealth.connector) == name).values(**values)
    tx.session.execute(mine.execution_options(synchronize_session=False))


# --- read


@dataclass(frozen=True, slots=True)
class ConnectorNow:
    """A connector as it is: by its health path (`health` None: it has none), by its circuit, and how many events are
    held for it."""

    name: str
    health: Health | None
    since_at: datetime | None
    answered_at: datetime | None
    status: int | None
    because: str
    circuit: State
    circuit_since_at: datetime | None
    held: int

    @property
    def is_well(self) -> bool:
        """Whether nobody has to look at it."""
        return self.health is not Health.DOWN and self.circuit is State.CLOSED


def connectors_now(session: Session, policy: Policy) -> Sequence[ConnectorNow]:
    """Every connector of the policy, in its order."""
    pulses = {row.connector: row for row in session.execute(select(ConnectorHealth)).scalars()}
    circuits = {row.connector: row for row in session.execute(select(ConnectorState)).scalars()}
    return [_now(session, each, pulses.get(each.name), circuits.get(each.name)) for each in policy.connectors.values()]


def _now(
    session: Session, connector: Connector, pulse: ConnectorHealth | None, circuit: ConnectorState | None
) -> ConnectorNow:
    asked = pulse if connector.health and pulse else None
    state = State(circuit.state) if circuit else Circuit().state
    is_shut = state is not State.CLOSED
    return ConnectorNow(
        name=connector.name,
        health=(Health(asked.state) if asked else Health.UNKNOWN) if connector.health else None,
        since_at=asked.since_at if asked else None,
        answered_at=asked.answered_at if asked else None,
        status=asked.status if asked else None,
        because=(circuit.because if circuit and is_shut else asked.because if asked else ""),
        circuit=state,
        circuit_since_at=circuit.since_at if circuit and is_shut else None,
        held=connectors.held(session, connector.name) if is_shut else 0,
    )
