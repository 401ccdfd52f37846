"""The two windows of a case, in the business time of its owner: when it is due, and what it is reminded of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from runbooks.calendars import Calendar, add
from runbooks.lengths import Length


def due(calendar: Calendar, *, start: datetime, within: Length) -> datetime:
    """When a window that starts at `start` has passed, in UTC."""
    return add(calendar, start, within)


@dataclass(frozen=True, slots=True)
class Step:
    """The next thing that a window's timer does: remind at a share of it, or say that it has passed."""

    number: int
    at: datetime
    share: float


def next_step(*, start: datetime, due_at: datetime, shares: Sequence[float], after: int, now: datetime) -> Step:
    """The step after number `after` of a window: its reminders at the shares of its length on the clock, then its
    end. Reminders whose time has gone by are skipped, all but the end; the end is due even when it is long past."""
    for number, share in enumerate(sorted(shares)):
        at = start + (due_at - start) * share
        if number >= after and at > now:
            return Step(number, at, share)
    return Step(len(shares), max(due_at, start), 1.0)


def lease_window(calendar: Calendar, *, now: datetime, resolve_due_at: datetime, lasts: Length | None) -> timedelta:
    """How long an acknowledgement holds: as the policy says, or else the shorter of 8 business hours and half of
    what is left of the resolution window; never less than a minute."""
    if lasts is not None:
        return add(calendar, now, lasts) - now
    eight_hours = add(calendar, now, Length(business_minutes=480)) - now
    half = (resolve_due_at - now) / 2
    return max(min(eight_hours, half) if half > timedelta(0) else eight_hours, timedelta(minutes=1))
