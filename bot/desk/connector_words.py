"""What the case of a connector says: that it is left alone, or down by its health path, since when and what follows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bot.rules.actors import SYSTEM
from bot.rules.circuit import State
from bot.rules.instants import at_second
from store.models import Case

if TYPE_CHECKING:
    from bot.desk.connectors import Listened

OF_SYSTEM = "connector:"
"""What the key of a connector's case begins with."""


def is_of_system(case: Case) -> bool:
    """Whether the case is about a connector, and no event: others who report may use a key like it."""
    return case.event_id is None and case.opened_by == SYSTEM.id and (case.dedup_key or "").startswith(OF_SYSTEM)


def title_of(seen: Listened) -> str:
    """What is wrong."""
    if seen.circuit.state is State.REFUSED:
        return f"{seen.connector} refuses our credentials: its events are held"
    if not seen.is_shut_off:
        return f"{seen.connector} is down by its health path"
    return f"{seen.connector} does not answer: its events are held"


def detail_of(seen: Listened, held: int, variables: Sequence[str]) -> str:
    """Since when, how many events are held, and what happens next. `variables`: where its credentials come from."""
    down = f"Down by its health path since {at_second(seen.down.since_at)}: {seen.down.because}." if seen.down else ""
    if not seen.is_shut_off:
        return f"{down}\nIts events are still sent; they are held as soon as one of them is in vain."
    events = "1 event is held and goes" if held == 1 else f"{held:,} events are held and go"
    again = f" It is asked again with one of them at {at_second(seen.probe_at)}." if seen.probe_at else ""
    lines = [
        f"Since {at_second(seen.since_at)}: {seen.because}.",
        f"{events} on by themselves when it answers well.{again}",
    ]
    if down:
        lines.append(down)
    if seen.circuit.state is State.REFUSED:
        names = f" ({', '.join(variables)})" if variables else ""
        lines.append(f"Look at the credentials of the connector {seen.connector}{names}, then press Retry.")
    return "\n".join(lines)
