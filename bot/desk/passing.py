"""Requests that are no deliveries have their turn at a connector: by its rate, and by how it answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import bindparam, select

from bot.desk import connectors
from bot.desk.tx import Tx
from bot.rules.circuit import State, heard_in
from store.contract_models import ConnectorState

NO_EVENT = 0
LOOKS_AGAIN_IN = timedelta(seconds=1)
_CONNECTORS = ConnectorState.__table__  # type: ignore[attr-defined]
_STATE = select(_CONNECTORS.c.state, _CONNECTORS.c.probe_at, _CONNECTORS.c.free_at).where(
    _CONNECTORS.c.connector == bindparam("name")
)


@dataclass(frozen=True, slots=True)
class Turn:
    """How many requests may leave now. `is_probe`: one asks whether the system is back; `is_held`: it is left alone;
    `again_at`: when those that may not leave are looked at again."""

    passing: int
    is_probe: bool = False
    is_held: bool = False
    again_at: datetime | None = None


def take_turn(tx: Tx, connector: str, wanted: int, *, lease: timedelta) -> Turn:
    """Lets pass what may leave now; it counts. What asks whether the system is back is the only one within `lease`."""
    gate = _gate(tx, connector, wanted)
    connectors.passed(tx, gate, gate.passing, lease=lease)
    again_at = None if gate.passing == wanted else _opens_at(tx, connector)
    return Turn(gate.passing, gate.is_probe, gate.is_probe and not gate.passing, again_at)


def probed(tx: Tx, connector: str, status: int | None, because: str, *, workflow: str) -> None:
    """What asked whether the system is back was answered so, or not at all."""
    result = connectors.Result(
        connector=connector,
        heard=heard_in(status),
        event_id=NO_EVENT,
        workflow=workflow,
        because=because,
        is_probe=True,
        denied_before=False,
        retry_after=None,
    )
    connectors.tell(tx, connectors.listen(tx, [result]).values())


def take_room(tx: Tx, connector: str) -> datetime | None:
    """By the rate alone, for what asks whether a system is up: one that is left alone is asked all the same. None: it
    leaves now, and counts; else when there is room."""
    gate = _gate(tx, connector, 1)
    if gate.is_probe:
        return None
    connectors.passed(tx, gate, gate.passing, lease=timedelta(0))
    return None if gate.passing else _opens_at(tx, connector)


def _gate(tx: Tx, connector: str, wanted: int) -> connectors.Gate:
    """What the connector lets pass; one that has no rate and answers well is not looked at twice."""
    row = tx.session.connection().execute(_STATE, {"name": connector}).one_or_none()
    if row is None:
        connectors.know(tx, [connector])
    known = tx.policy.connectors.get(connector)
    if (row is None or (row.state == "closed" and row.free_at is None)) and (known is None or known.rate is None):
        return connectors.Gate(connector, State.CLOSED, None, wanted)
    return connectors.gate(tx, connector, row.state if row else "closed", wanted)


def _opens_at(tx: Tx, connector: str) -> datetime:
    row = tx.session.connection().execute(_STATE, {"name": connector}).one()
    at: datetime | None = row.free_at if row.state == "closed" else row.probe_at
    return max(at or tx.now, tx.now + LOOKS_AGAIN_IN)
