"""What `doctor` says of the company's systems: as the running service last found them."""

from __future__ import annotations

from collections.abc import Iterator

from sqlmodel import Session

from bot.desk.health import ConnectorNow, connectors_now
from bot.findings import Finding, well, wrong
from bot.rules.circuit import State
from bot.rules.health import Health
from bot.rules.instants import in_utc
from runbooks.policy import Policy


def of_systems(session: Session, policy: Policy) -> Iterator[Finding]:
    """A line for each connector."""
    for system in connectors_now(session, policy):
        said = f"connector {system.name}: {'; '.join(_parts(system))}"
        yield well(said) if system.is_well else wrong(f"{said}: {_to_do(system)}")


def _parts(system: ConnectorNow) -> Iterator[str]:
    if system.health is None:
        yield "it has no health path"
    elif system.health is Health.UNKNOWN or system.since_at is None:
        yield f"its health is not known{f' ({system.because})' if system.because else ''}"
    else:
        yield f"{system.health} since {in_utc(system.since_at)}"
    if system.circuit is not State.CLOSED and system.circuit_since_at:
        events = "1 event" if system.held == 1 else f"{system.held:,} events"
        yield f"{events} held since {in_utc(system.circuit_since_at)}"
    if not system.is_well and system.because:
        yield system.because
    if system.answered_at:
        yield f"answered last {in_utc(system.answered_at)} with {system.status}"


def _to_do(system: ConnectorNow) -> str:
    if system.circuit is State.REFUSED:
        return "give it credentials that it takes, then press Retry on its case"
    return "look at the system; it goes on by itself when it answers well"
