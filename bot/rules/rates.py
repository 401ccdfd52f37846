"""How much may leave for a system that takes so much in a time: the generic cell rate algorithm (ITU-T I.371), which
needs one instant to be kept and shared."""

from __future__ import annotations

from datetime import datetime, timedelta

from runbooks.connectors import Rate

_MICROSECOND = timedelta(microseconds=1)
BREATH = 0.1
"""Seconds: what may leave in so short a time may leave at once, for nobody looks more often."""


def passes(rate: Rate, free_at: datetime | None, now: datetime, *, wanted: int) -> int:
    """How many of those that are wanted may leave now. In no stretch of the rate's time are there more than it says."""
    ahead = _lasts(rate, _burst(rate) - 1)
    start = now if free_at is None else max(now, free_at + ahead)
    early = (now - (start - ahead)) // _MICROSECOND
    return max(0, min(wanted, early * _spaced(rate) // _microseconds(rate) + 1))


def after(rate: Rate, free_at: datetime | None, now: datetime, *, left: int) -> datetime | None:
    """From when on the next one may leave, now that so many left."""
    if not left:
        return free_at
    ahead = _lasts(rate, _burst(rate) - 1)
    start = now if free_at is None else max(now, free_at + ahead)
    return start + _lasts(rate, left) - ahead


def _burst(rate: Rate) -> int:
    return max(1, int(rate.count * BREATH / rate.seconds))


def _spaced(rate: Rate) -> int:
    """How many are spaced evenly over the rate's time; the others may leave at once before them."""
    return rate.count - _burst(rate) + 1


def _microseconds(rate: Rate) -> int:
    return rate.seconds * 1_000_000


def _lasts(rate: Rate, count: int) -> timedelta:
    """How long so many take, one after the other: rounded up once for all of them, never for each, since one of very
    many may take less than the microsecond that an instant is kept to."""
    return -(-_microseconds(rate) * count // _spaced(rate)) * _MICROSECOND
