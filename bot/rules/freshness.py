"""The aligned windows in which something has to come, and what it means when too little did.

Lengths on the clock are aligned to what the wall clock of the calendar's zone shows (UTC without a calendar): those of
a day and less to its midnight, longer ones to the midnight of a Monday. An hour that happens twice has its windows
twice; one that is skipped makes the window around it shorter. Business hours and minutes are chunks of a day's open
time, from its opening on. A business day ends when it closes, and the next window begins there, so that what comes at
night counts for the day after it. What is left of a day when no whole window fits in any more belongs to its last."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby, islice, pairwise
from zoneinfo import ZoneInfo

from runbooks.calendars import Calendar, intervals
from runbooks.lengths import Length
from runbooks.wallclock import instant, stretches

DAY = timedelta(days=1)
LOOKED_BACK = timedelta(days=14)

Interval = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Aligned:
    """One window: [start, end), in UTC."""

    start: datetime
    end: datetime


def next_window(every: Length, calendar: Calendar | None, at: datetime) -> Aligned:
    """The first whole window that does not begin before `at`. Lengths in business time need a calendar."""
    return next(each for each in _windows(every, calendar, at.astimezone(UTC)) if each.start >= at)


def window_to_come(every: Length, calendar: Calendar | None, *, after: datetime, now: datetime) -> Aligned:
    """The window that follows the one that ended at `after`. Where that has passed too, because nobody looked for so
    long, it is the first that has not: nothing could come in while nothing ran, which says nothing of the source."""
    since = max(after, now - LOOKED_BACK).astimezone(UTC)
    return next(each for each in _windows(every, calendar, since) if each.start >= since and each.end > now)


def _windows(every: Length, calendar: Calendar | None, at: datetime) -> Iterator[Aligned]:
    """The windows from about `at` on, in order, without end."""
    if every.seconds:
        edges = _clock_edges(every.seconds, calendar.timezone if calendar else ZoneInfo("UTC"), at)
        return (Aligned(*pair) for pair in pairwise(edges))
    if calendar is None:
        raise ValueError(f"{every} is business time: name a calendar beside it")
    days = _business_days(calendar, at)
    if every.business_days:
        closings = (day[-1][1] for day in days if day[-1][1] >= at)
        return (Aligned(*pair) for pair in pairwise(islice(closings, 0, None, every.business_days)))
    length = timedelta(minutes=every.business_minutes)
    return (chunk for day in days for chunk in _chunks(day, length))


def _clock_edges(seconds: int, zone: ZoneInfo, at: datetime) -> Iterator[datetime]:
    """The instants at which the wall clock shows a multiple of the length, from about `at` on."""
    start, ahead = at - DAY, max(timedelta(seconds=seconds), DAY)
    while True:
        for since, until, offset in stretches(zone, start, start + ahead):
            yield from _edges_of_stretch(seconds, since, until, offset)
        start += ahead


def _edges_of_stretch(seconds: int, since: datetime, until: datetime, offset: timedelta) -> Iterator[datetime]:
    day = (since + offset).date()
    while (dawn := datetime.combine(day, time(), UTC) - offset) < until:
        yield from (edge for edge in _edges_of_day(seconds, day, dawn) if since <= edge < until)
        day += DAY


def _edges_of_day(seconds: int, day: date, dawn: datetime) -> Iterator[datetime]:
    """Of a day with 24 hours on the wall, as they are counted from its midnight or from a Monday's."""
    whole_day = int(DAY.total_seconds())
    if seconds <= whole_day:
        yield from (dawn + timedelta(seconds=seconds * number) for number in range(whole_day // seconds))
        return
    since_a_monday = (day.toordinal() - 1) * whole_day
    into_day = -since_a_monday % seconds
    if into_day < whole_day:
        yield dawn + timedelta(seconds=into_day)


def _business_days(calendar: Calendar, at: datetime) -> Iterator[list[Interval]]:
    """The open time of each date that has any, from the day before `at` on, which may close at its very end."""
    zone = calendar.timezone
    midnight = instant(zone, datetime.combine(at.astimezone(zone).date() - DAY, time()))
    pieces = (piece for interval in intervals(calendar, midnight) for piece in _by_date(zone, *interval))
    return (list(day) for _, day in groupby(pieces, key=lambda piece: piece[0].astimezone(zone).date()))


def _by_date(zone: ZoneInfo, opens: datetime, closes: datetime) -> Iterator[Interval]:
    while True:
        tomorrow = opens.astimezone(zone).date() + DAY
        midnight = instant(zone, datetime.combine(tomorrow, time()))
        if closes <= midnight:
            yield opens, closes
            return
        yield opens, midnight
        opens = midnight


def _chunks(day: Sequence[Interval], length: timedelta) -> Iterator[Aligned]:
    """The day's open time in whole chunks; the last one ends when the day closes."""
    total = sum((closes - opens for opens, closes in day), timedelta())
    count = max(total // length, 1)
    for number in range(count):
        end = day[-1][1] if number == count - 1 else _into(day, length * (number + 1), ending=True)
        yield Aligned(_into(day, length * number, ending=False), end)


def _into(day: Sequence[Interval], passed: timedelta, *, ending: bool) -> datetime:
    """The moment at which so much of the day's open time has passed: at a break, its beginning or its end."""
    for opens, closes in day:
        if passed < closes - opens or (ending and passed == closes - opens):
            return opens + passed
        passed -= closes - opens
    raise AssertionError("a day has its chunks")
