"""How much may leave for a system that takes so much in a time: the generic cell rate algorithm (ITU-T I.371), which
needs one instant to be kept and shared."""

from __future__ import annotations

from datetime import datetime, timedelta

from runbooks.connectors import Rate

BREATH = 0.1
"""Seconds: what may leave in so short a time may leave at once, for nobody looks more often."""


def passes(rate: Rate, free_at: datetime | None, now: datetime, *, wanted: int) -> int:
    """How many of those that are wanted may leave now. In no stretch of the rate's time are there more than it says."""
    every, ahead = _spacing(rate)
    start = now if free_at is None else max(now, free_at + ahead)
    return max(0, min(wanted, (now - (start - ahead)) // every + 1))


def after(rate: Rate, free_at: datetime | None, now: datetime, *, left: int) -> datetime | None:
    """From when on the next one may leave, now that so many left."""
    if not left:
        return free_at
    every, ahead = _spacing(rate)
    start = now if free_at is None else max(now, free_at + ahead)
    return start + every * left - ahead


def _spacing(rate: Rate) -> tuple[timedelta, timedelta]:
    """How far apart they are, and how much earlier than that the first few may leave."""
    burst = max(1, int(rate.count * BREATH / rate.seconds))
    every = timedelta(seconds=rate.seconds) / (rate.count - burst + 1)
    return every, every * (burst - 1)
