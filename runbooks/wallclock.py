"""From what a clock on the wall shows to an instant, on the nights when that is not one and the same."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from runbooks.suggestions import nearest

_SAMPLE = timedelta(hours=6)


def zone(name: str) -> ZoneInfo:
    """The IANA zone of a name. Raises ValueError with the nearest name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        near = nearest(name, available_timezones())
        hint = f'did you mean "{near}"?' if near else "write an IANA zone such as Europe/Berlin"
        raise ValueError(f"unknown timezone {name[:60]!r}; {hint}") from None


def instant(timezone: ZoneInfo, wall: datetime) -> datetime:
    """The instant, in UTC, at which clocks in the zone show `wall` (naive).

    A time that happens twice is its first occurrence; one that is skipped is the next instant that there is,
    when clocks go forward (PEP 495 tells the two cases apart).
    """
    first = wall.replace(tzinfo=timezone, fold=0).astimezone(UTC)
    if first.astimezone(timezone).replace(tzinfo=None) == wall:
        return first
    return _change(timezone, wall.replace(tzinfo=timezone, fold=1).astimezone(UTC), first)


def stretches(timezone: ZoneInfo, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime, timedelta]]:
    """The stretches of [start, end) (UTC) with one offset from UTC each: start, end, offset.

    Two changes within six hours of each other would be missed; no zone has had them.
    """
    since, offset = start, _offset(timezone, start)
    at = start
    while at < end:
        later = min(at + _SAMPLE, end)
        if _offset(timezone, later) != offset:
            change = _change(timezone, at, later)
            if change > since:
                yield since, change, offset
            since, offset = change, _offset(timezone, later)
        at = later
    if since < end:
        yield since, end, offset


def _offset(timezone: ZoneInfo, at: datetime) -> timedelta:
    offset = at.astimezone(timezone).utcoffset()
    assert offset is not None
    return offset


def _change(timezone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The second in (before, after] at which the zone's offset changes."""
    old = _offset(timezone, before)
    low, high = 0, int((after - before).total_seconds())
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _offset(timezone, before + timedelta(seconds=middle)) == old else (low, middle)
    return before + timedelta(seconds=high)
