"""Runbooks that go first: when one may begin, and how long it has."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from runbooks.calendars import Calendar, add, business_time
from runbooks.lengths import Length

MOST_AN_HOUR = 20
"""So many runs of one workflow begin by themselves within an hour. A fix that brings its own cause about again does not
go on for ever."""
HOUR = timedelta(hours=1)


def begins_at(before: Sequence[datetime], count: int, *, now: datetime) -> list[datetime]:
    """When so many more may begin; `before`: when the ones before them began or will."""
    begun = sorted(before)
    for _ in range(count):
        begun.append(now if len(begun) < MOST_AN_HOUR else max(now, begun[-MOST_AN_HOUR] + HOUR))
    return begun[len(begun) - count :]


def after_waiting(
    gives_up_at: datetime, *, since: datetime, now: datetime, calendar: Calendar, give_up_after: Length
) -> datetime:
    """When an auto-fix gives up that has waited for a person's yes `since` then: the time that was left is left now.
    What is counted in business time is left in business time."""
    if give_up_after.is_business:
        left = business_time(calendar, since, gives_up_at)
        return add(calendar, now, Length(business_minutes=max(round(left.total_seconds() / 60), 1)))
    return now + max(gives_up_at - since, timedelta(0))
