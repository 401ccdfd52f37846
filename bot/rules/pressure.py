"""When the service asks senders to wait: what it cannot commit in time, it does not take in. What is committed is not
counted: it costs no memory, and whoever is owed something by it is owed it all the same."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

MOST_WAITING = 20_000
"""Reports, events and outcomes that wait for their commit in one process: some megabytes."""
LONGEST_WAIT = 3.0
"""Seconds. Most senders give up after five or ten, and then nobody knows."""
LONGEST_RETRY = 30


class Because(StrEnum):
    """Why a sender is asked to wait."""

    MANY = "more is waiting to be written than is taken in"
    SLOW = "the database takes longer than usual"


@dataclass(frozen=True, slots=True)
class Load:
    """What waits for its commit in this process: how much, and for how many seconds the first of it has."""

    waiting: int
    waited: float


@dataclass(frozen=True, slots=True)
class ComeBack:
    """A sender is asked to come back after so many seconds."""

    because: Because
    after: int


def come_back(load: Load) -> ComeBack | None:
    """Whether the next request has to wait; None: it is taken in. As long again as the first one has waited."""
    if load.waiting >= MOST_WAITING:
        because = Because.MANY
    elif load.waited >= LONGEST_WAIT:
        because = Because.SLOW
    else:
        return None
    return ComeBack(because, min(max(1, math.ceil(load.waited)), LONGEST_RETRY))
