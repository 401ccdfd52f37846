"""The company's systems as the Home tab shows them."""

from __future__ import annotations

from collections.abc import Iterator

from bot.desk.health import ConnectorNow
from bot.rules.circuit import State
from bot.rules.health import Health
from bot.slack.words import date, quote


def system_line(system: ConnectorNow) -> str:
    """One system: whether it is up, since when, what is held for it, and when it answered last."""
    return f"{_mark(system)} *{quote(system.name, 60)}*: {' · '.join(_parts(system))}"


def _mark(system: ConnectorNow) -> str:
    if not system.is_well:
        return ":red_circle:"
    return ":large_green_circle:" if system.health is Health.UP else ":white_circle:"


def _parts(system: ConnectorNow) -> Iterator[str]:
    yield _health(system)
    if system.circuit is not State.CLOSED and system.circuit_since_at:
        why = "refuses our credentials" if system.circuit is State.REFUSED else "does not answer events"
        yield f"{why} since {date(system.circuit_since_at)}"
        yield "1 event held" if system.held == 1 else f"{system.held:,} events held"
    if not system.is_well and system.because:
        yield quote(system.because, 150)
    if system.answered_at:
        yield f"answered last {date(system.answered_at)} ({system.status})"


def _health(system: ConnectorNow) -> str:
    if system.health is None:
        return "no health path"
    if system.health is Health.UNKNOWN or system.since_at is None:
        return "not asked yet"
    return f"{system.health} since {date(system.since_at)}"
