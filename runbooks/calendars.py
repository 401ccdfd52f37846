"""When a company works: business time on real clocks, with lunch breaks, holidays and the nights of DST.

A moment is open if the clock on the wall shows one of the hours of its day. So an interval over a night when
clocks go forward is shorter than it reads, and an hour that happens twice counts twice: what is counted is time
that passes. All instants are aware; results are in UTC.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from runbooks.holiday_dates import check_holidays, holidays_of
from runbooks.hours import Hours, Week, parse_hours, parse_week
from runbooks.lengths import Length
from runbooks.wallclock import instant, stretches, zone

Interval = tuple[datetime, datetime]

_DAY = timedelta(days=1)
_HORIZON = 5 * 366
_DAYS_KEPT = 8_192
_DATES_LIMIT = 1_000
_EARLIEST, _LATEST = date(1970, 1, 2), date(2200, 1, 1)
_NEVER = "no hours in the next 5 years"


@dataclass(frozen=True, slots=True)
class Calendar:
    """Business hours in a zone; made by `build_calendar`, which holds that it opens again and again."""

    timezone: ZoneInfo
    week: Week
    holidays: str | None = None
    closed: frozenset[date] = frozenset()
    open: Mapping[date, Hours] = field(default_factory=dict, hash=False)
    _days: dict[date, tuple[Interval, ...]] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of time that is counted as business time or not, and why."""

    start: datetime
    end: datetime
    counted: bool
    why: str


def build_calendar(
    timezone: str,
    hours: Mapping[str, str],
    *,
    holidays: str | None = None,
    closed: Iterable[date | str] = (),
    open: Mapping[date | str, str] | None = None,
) -> Calendar:
    """A calendar: an IANA zone, the hours of the week, the code of public holidays (`DE-BE`), dates that are
    closed, and dates with other hours (which win over holidays).

    Raises ValueError, in words for the author of the policy, for what cannot be read, and for a calendar that
    has a stretch of 5 years without hours.
    """
    if holidays is not None:
        check_holidays(holidays)
    other = {_date(day, "open"): parse_hours(written, f"open.{day}") for day, written in (open or {}).items()}
    shut = frozenset(_date(day, "closed") for day in closed)
    if both := shut & other.keys():
        raise ValueError(f"{min(both)} is both closed and open; write it once")
    if len(shut) + len(other) > _DATES_LIMIT:
        raise ValueError(f"more than {_DATES_LIMIT} closed and open dates; hours of the week are shorter to write")
    calendar = Calendar(zone(timezone), parse_week(hours), holidays, shut, other)
    _check_opens(calendar)
    return calendar


def _date(written: object, where: str) -> date:
    try:
        found = written if type(written) is date else date.fromisoformat(str(written))
    except ValueError:
        raise ValueError(f"{where}: {str(written)[:20]!r} is not a date; write 2026-12-24") from None
    if not _EARLIEST <= found < _LATEST:
        raise ValueError(f"{where}: {found} is not in the years from 1970 to 2199")
    return found


def _check_opens(calendar: Calendar) -> None:
    if not any(calendar.week):
        raise ValueError('hours: no day has any; write for example {mon-fri: "09:00-17:00"}')
    opens = date(2020, 1, 1)
    for day in (opens, *sorted(calendar.closed)):
        if day < opens:
            continue
        found = next((later for later in _dates(day, _HORIZON) if _hours(calendar, later)), None)
        if found is None:
            raise ValueError(f"{_NEVER} after {day}")
        opens = found


def _dates(first: date, days: int) -> Iterator[date]:
    return (first + timedelta(days=step) for step in range(days))


def _hours(calendar: Calendar, day: date) -> Hours:
    """The hours of a date, by the wall clock."""
    if day in calendar.open:
        return calendar.open[day]
    if day in calendar.closed or (calendar.holidays and day in holidays_of(calendar.holidays, day.year)):
        return ()
    return calendar.week[day.weekday()]


def is_open(calendar: Calendar, at: datetime) -> bool:
    """Whether the moment is in hours. Hours begin with their first moment and end before their last."""
    wall = at.astimezone(calendar.timezone)
    into_day = timedelta(hours=wall.hour, minutes=wall.minute, seconds=wall.second, microseconds=wall.microsecond)
    return any(
        timedelta(minutes=start) <= into_day < timedelta(minutes=end) for start, end in _hours(calendar, wall.date())
    )


def next_opening(calendar: Calendar, at: datetime) -> datetime:
    """The first moment in hours that is not before `at`: `at` itself, if that is in hours.

    Raises ValueError if there is none in 5 years.
    """
    start, _ = next(intervals(calendar, at))
    return start


def intervals(calendar: Calendar, start: datetime) -> Iterator[Interval]:
    """The stretches in hours from `start` on, each within one UTC day, in order, without end.

    Raises ValueError when 5 years bring none.
    """
    start = start.astimezone(UTC)
    day, idle = start.date(), 0
    while idle < _HORIZON:
        idle += 1
        for opens, closes in _utc_day(calendar, day):
            if closes > start:
                idle = 0
                yield max(opens, start), closes
        day += _DAY
    raise ValueError(_NEVER)


def _utc_day(calendar: Calendar, day: date) -> tuple[Interval, ...]:
    found = calendar._days.get(day)
    if found is None:
        if len(calendar._days) > _DAYS_KEPT:
            calendar._days.clear()
        found = calendar._days[day] = tuple(_merged(_pieces(calendar, day)))
    return found


def _pieces(calendar: Calendar, day: date) -> Iterator[Interval]:
    """The hours that fall into a UTC day, in order: for each stretch with one offset, the hours of each date
    that its wall clock shows."""
    midnight = datetime.combine(day, time(), UTC)
    for start, end, offset in stretches(calendar.timezone, midnight, midnight + _DAY):
        local_day = (start + offset).date()
        while (dawn := datetime.combine(local_day, time(), UTC) - offset) < end:
            for opens, closes in _hours(calendar, local_day):
                piece = (max(start, dawn + timedelta(minutes=opens)), min(end, dawn + timedelta(minutes=closes)))
                if piece[0] < piece[1]:
                    yield piece
            local_day += _DAY


def _merged(pieces: Iterable[Interval]) -> Iterator[Interval]:
    last: Interval | None = None
    for start, end in pieces:
        if last and last[1] == start:
            last = (last[0], end)
            continue
        if last:
            yield last
        last = (start, end)
    if last:
        yield last


def add(calendar: Calendar, start: datetime, length: Length) -> datetime:
    """The moment that is a length after `start`, in UTC.

    Clock lengths ignore the calendar. Business minutes run in hours only. So many business days later is the same
    wall-clock time on the day that is so many days with hours later; if that time is closed there, the next
    opening; and from a moment out of hours it counts from the next opening. (Days are counted at once: two days
    from Thursday 17:00 are Monday 17:00, also if Friday closes at 15:00.)
    """
    if length.business_days:
        return _add_days(calendar, start, length.business_days)
    if length.business_minutes:
        return _add_time(calendar, start, timedelta(minutes=length.business_minutes))
    return start.astimezone(UTC) + timedelta(seconds=length.seconds)


def _add_time(calendar: Calendar, start: datetime, left: timedelta) -> datetime:
    for opens, closes in intervals(calendar, start):
        if left <= closes - opens:
            return opens + left
        left -= closes - opens
    raise AssertionError("intervals have no end")


def _add_days(calendar: Calendar, start: datetime, days: int) -> datetime:
    wall = next_opening(calendar, start).astimezone(calendar.timezone).replace(tzinfo=None, fold=0)
    idle = 0
    while days:
        wall += _DAY
        idle += 1
        if _hours(calendar, wall.date()):
            days, idle = days - 1, 0
        if idle > _HORIZON:
            raise ValueError(_NEVER)
    return next_opening(calendar, instant(calendar.timezone, wall))


def end_of_day(calendar: Calendar, day: date) -> datetime:
    """When the hours of a date end, in UTC; of a date without hours, those of the next that has some. Raises ValueError
    if there is none in 5 years."""
    found = next((each for each in _dates(day, _HORIZON) if _hours(calendar, each)), None)
    if found is None:
        raise ValueError(_NEVER)
    _, last = _hours(calendar, found)[-1]
    return instant(calendar.timezone, datetime.combine(found, time()) + timedelta(minutes=last))


def business_time(calendar: Calendar, start: datetime, end: datetime) -> timedelta:
    """How much of [start, end) is in hours; nothing if `end` is not after `start`."""
    total = timedelta(0)
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    for day in _dates(start.date(), (end.date() - start.date()).days + 1):
        for opens, closes in _utc_day(calendar, day):
            total += max(min(closes, end) - max(opens, start), timedelta(0))
    return total


def explain(calendar: Calendar, start: datetime, end: datetime) -> tuple[Stretch, ...]:
    """Every stretch of [start, end), in order and without gaps: counted or not, and why not.

    `business_time` is the sum of those that are counted: "why is it due then?".
    """
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    found: list[Stretch] = []
    for day, since, until in _local_days(calendar, start, end):
        for stretch in _explained_day(calendar, day, since, until):
            last = found[-1] if found else None
            if last and (last.counted, last.why) == (stretch.counted, stretch.why):
                found[-1] = Stretch(last.start, stretch.end, stretch.counted, stretch.why)
            else:
                found.append(stretch)
    return tuple(found)


def _local_days(calendar: Calendar, start: datetime, end: datetime) -> Iterator[tuple[date, datetime, datetime]]:
    """The dates that the wall clock shows in [start, end), and from when to when."""
    for since, until, offset in stretches(calendar.timezone, start, end):
        at = since
        while at < until:
            day = (at + offset).date()
            next_day = min(until, datetime.combine(day + _DAY, time(), UTC) - offset)
            yield day, at, next_day
            at = next_day


def _explained_day(calendar: Calendar, day: date, start: datetime, end: datetime) -> Iterator[Stretch]:
    at = start
    for opens, closes in _between(calendar, start, end):
        if at < opens:
            yield Stretch(at, opens, False, _why_closed(calendar, day, at, opens))
        yield Stretch(opens, closes, True, "in hours")
        at = closes
    if at < end:
        yield Stretch(at, end, False, _why_closed(calendar, day, at, end))


def _between(calendar: Calendar, start: datetime, end: datetime) -> Iterator[Interval]:
    for day in _dates(start.date(), (end.date() - start.date()).days + 1):
        for opens, closes in _utc_day(calendar, day):
            if opens < end and closes > start:
                yield max(opens, start), min(closes, end)


def _why_closed(calendar: Calendar, day: date, start: datetime, end: datetime) -> str:
    hours = _hours(calendar, day)
    if not hours:
        return _why_no_hours(calendar, day)
    wall = start.astimezone(calendar.timezone)
    minutes = wall.hour * 60 + wall.minute
    return "break" if hours[0][1] <= minutes < hours[-1][0] else "out of hours"


def _why_no_hours(calendar: Calendar, day: date) -> str:
    if day in calendar.closed:
        return f"closed on {day}"
    if calendar.holidays and (name := holidays_of(calendar.holidays, day.year).get(day)):
        return f"holiday: {name}"
    return "weekend" if day.weekday() >= 5 else f"no hours on {day:%A}s"
