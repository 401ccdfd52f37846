"""Office hours as people write them: `{mon-thu: "09:00-12:30, 13:30-18:00", fri: "09:00-15:00"}`."""

import re
from collections.abc import Mapping
from itertools import pairwise

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

Hours = tuple[tuple[int, int], ...]
"""The hours of one day: minutes since midnight, from and to (exclusive, up to 1440), in order, apart."""

Week = tuple[Hours, ...]
"""The hours of the seven days, Monday first."""

_INTERVAL = re.compile(r"\s*([0-9]{2}:[0-9]{2})\s*-\s*([0-9]{2}:[0-9]{2})\s*")
_TIME = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00")


def parse_week(hours: Mapping[str, str]) -> Week:
    """The week of a mapping from days (`mon`, `mon-thu`, `sat-sun`, `mon, wed`) to hours.

    Days that are not named have none. Raises ValueError if a day is named twice, or hours cannot be read.
    """
    week: dict[int, Hours] = {}
    for days, written in hours.items():
        for day in _days(str(days)):
            if day in week:
                raise ValueError(f"hours: {DAYS[day]} stands there twice; write all its hours in one text")
            week[day] = parse_hours(written, f"hours.{days}")
    return tuple(week.get(day, ()) for day in range(7))


def parse_hours(written: object, where: str) -> Hours:
    """The hours of one day, `09:00-12:30, 13:30-18:00`. Raises ValueError, beginning with `where`."""
    if not isinstance(written, str) or len(written) > 500:
        raise ValueError(f'{where}: hours are a text such as "09:00-17:00"')
    intervals = sorted(_interval(each, where) for each in written.split(","))
    for (start, end), (later, _) in pairwise(intervals):
        if later < end:
            raise ValueError(f"{where}: {_shown(start)}-{_shown(end)} overlaps what begins at {_shown(later)}")
    return tuple(intervals)


def _interval(written: str, where: str) -> tuple[int, int]:
    found = _INTERVAL.fullmatch(written)
    if not found or not all(_TIME.fullmatch(time) for time in found.groups()):
        raise ValueError(f"{where}: {written.strip()[:40]!r} is not from-to; write 09:00-17:00, with 24:00 as the end")
    start, end = _minutes(found[1]), _minutes(found[2])
    if start >= end:
        hint = "write hours past midnight as two days: 22:00-24:00, and 00:00-02:00 on the next"
        raise ValueError(f"{where}: {written.strip()} ends before it begins; {hint}")
    return start, end


def _minutes(time: str) -> int:
    return int(time[:2]) * 60 + int(time[3:])


def _shown(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _days(written: str) -> list[int]:
    days: list[int] = []
    for part in written.split(","):
        first, _, last = part.strip().partition("-")
        start, end = _day(first), _day(last or first)
        days.extend((start + step) % 7 for step in range((end - start) % 7 + 1))
    return days


def _day(written: str) -> int:
    word = written.strip()
    if word in DAYS:
        return DAYS.index(word)
    hint = f"write {word[:3].lower()}" if word[:3].lower() in DAYS else f"write one of {', '.join(DAYS)}"
    raise ValueError(f"hours: {word[:20]!r} is not a day; {hint}")
