"""The aligned windows in which something has to come: on the clock, in business time, and on the nights of DST."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.rules.freshness import Aligned, next_window, window_to_come
from runbooks.calendars import Calendar, build_calendar, is_open
from runbooks.lengths import parse_length
from tests.runbooks.nights import zones_and_moments

BERLIN = build_calendar("Europe/Berlin", {"mon-thu": "09:00-12:30, 13:30-18:00", "fri": "09:00-15:00"})
ALWAYS_BERLIN = build_calendar("Europe/Berlin", {"mon-sun": "00:00-24:00"})


def at(text: str) -> datetime:
    """`2026-11-23 09:00`, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def shown(window: Aligned) -> tuple[str, str]:
    return tuple(each.strftime("%m-%d %H:%M") for each in (window.start, window.end))  # type: ignore[return-value]


def following(length: str, calendar: Calendar | None, start: str, count: int) -> list[tuple[str, str]]:
    """Windows, each the one that follows when it ends."""
    found = [next_window(parse_length(length), calendar, at(start))]
    while len(found) < count:
        last = found[-1].end
        found.append(window_to_come(parse_length(length), calendar, after=last, now=last))
    return [shown(each) for each in found]


@pytest.mark.parametrize(
    ("length", "calendar", "start", "windows"),
    [
        ("15m", None, "2026-11-23 09:00", [("11-23 09:00", "11-23 09:15"), ("11-23 09:15", "11-23 09:30")]),
        ("15m", None, "2026-11-23 09:01", [("11-23 09:15", "11-23 09:30")]),
        ("1h", BERLIN, "2026-11-23 09:10", [("11-23 10:00", "11-23 11:00")]),
        ("4h", BERLIN, "2026-11-23 09:10", [("11-23 11:00", "11-23 15:00")]),  # 12:00 to 16:00 in Berlin
        ("1d", None, "2026-11-23 09:00", [("11-24 00:00", "11-25 00:00")]),
        ("1d", BERLIN, "2026-11-23 09:00", [("11-23 23:00", "11-24 23:00")]),
        ("1w", BERLIN, "2026-11-24 09:00", [("11-29 23:00", "12-06 23:00")]),  # Monday to Monday
        ("36h", None, "2026-11-23 00:00", [("11-23 12:00", "11-25 00:00"), ("11-25 00:00", "11-26 12:00")]),
        ("5h", None, "2026-11-23 14:00", [("11-23 15:00", "11-24 00:00"), ("11-24 00:00", "11-24 05:00")]),
    ],
)
def test_windows_on_the_clock_are_aligned_to_midnight(
    length: str, calendar: Calendar | None, start: str, windows: list[tuple[str, str]]
) -> None:
    assert following(length, calendar, start, len(windows)) == windows


@pytest.mark.parametrize(
    ("length", "start", "windows"),
    [
        # clocks go back at 01:00 UTC: 02:00 to 03:00 in Berlin happens twice
        ("1h", "2026-10-25 00:00", [("00:00", "01:00"), ("01:00", "02:00"), ("02:00", "03:00")]),
        ("30m", "2026-10-25 00:30", [("00:30", "01:00"), ("01:00", "01:30"), ("01:30", "02:00")]),
        ("4h", "2026-10-24 22:00", [("22:00", "03:00"), ("03:00", "07:00")]),
        ("1d", "2026-10-24 22:00", [("22:00", "23:00")]),
        # clocks go forward at 01:00 UTC: 02:00 to 03:00 in Berlin does not happen
        ("1h", "2027-03-28 00:00", [("00:00", "01:00"), ("01:00", "02:00")]),
        ("2h", "2027-03-27 23:00", [("23:00", "02:00"), ("02:00", "04:00")]),
        ("4h", "2027-03-27 23:00", [("23:00", "02:00"), ("02:00", "06:00")]),
        ("1d", "2027-03-27 23:00", [("23:00", "22:00")]),
    ],
)
def test_an_hour_that_happens_twice_has_its_windows_twice_and_one_that_is_skipped_has_none(
    length: str, start: str, windows: list[tuple[str, str]]
) -> None:
    found = following(length, BERLIN, start, len(windows))
    assert [(first[-5:], last[-5:]) for first, last in found] == windows


@pytest.mark.parametrize(
    ("length", "start", "windows"),
    [
        # a business day ends when it closes: at 17:00 UTC, on Fridays at 14:00
        ("1bd", "2026-11-23 09:00", [("11-23 17:00", "11-24 17:00"), ("11-24 17:00", "11-25 17:00")]),
        ("1bd", "2026-11-27 15:00", [("11-30 17:00", "12-01 17:00")]),
        ("1bd", "2026-11-26 16:00", [("11-26 17:00", "11-27 14:00"), ("11-27 14:00", "11-30 17:00")]),
        ("2bd", "2026-11-26 16:00", [("11-26 17:00", "11-30 17:00"), ("11-30 17:00", "12-02 17:00")]),
        # 3.5 hours, lunch, 4.5 hours: what is left belongs to the last
        ("3bh", "2026-11-23 07:00", [("11-23 08:00", "11-23 11:00"), ("11-23 11:00", "11-23 17:00")]),
        ("210bm", "2026-11-23 07:00", [("11-23 08:00", "11-23 11:30"), ("11-23 12:30", "11-23 17:00")]),
        ("8bh", "2026-11-27 07:00", [("11-27 08:00", "11-27 14:00"), ("11-30 08:00", "11-30 17:00")]),
        ("2bh", "2026-11-27 09:30", [("11-27 10:00", "11-27 12:00"), ("11-27 12:00", "11-27 14:00")]),
    ],
)
def test_windows_in_business_time_are_aligned_to_what_is_open(
    length: str, start: str, windows: list[tuple[str, str]]
) -> None:
    assert following(length, BERLIN, start, len(windows)) == windows


def test_a_business_day_over_a_night_of_dst_ends_at_its_wall_clock_time() -> None:
    assert following("1bd", BERLIN, "2026-10-23 12:00", 2) == [
        ("10-23 13:00", "10-26 17:00"),
        ("10-26 17:00", "10-27 17:00"),
    ]


def test_where_it_is_always_open_a_business_day_ends_at_midnight() -> None:
    assert following("1bd", ALWAYS_BERLIN, "2026-11-23 09:00", 2) == [
        ("11-23 23:00", "11-24 23:00"),
        ("11-24 23:00", "11-25 23:00"),
    ]


@pytest.mark.parametrize(
    ("length", "after", "now", "window"),
    [
        ("15m", "2026-11-23 09:15", "2026-11-23 09:16", ("11-23 09:15", "11-23 09:30")),
        ("15m", "2026-11-23 09:15", "2026-11-23 12:20", ("11-23 12:15", "11-23 12:30")),
        ("15m", "2025-11-23 09:15", "2026-11-23 12:20", ("11-23 12:15", "11-23 12:30")),
        ("15m", "2026-11-23 09:15", "2026-11-23 12:15", ("11-23 12:15", "11-23 12:30")),
        ("1bd", "2026-11-23 17:00", "2026-11-26 09:00", ("11-25 17:00", "11-26 17:00")),
        ("1bd", "2025-11-24 17:00", "2026-11-26 09:00", ("11-25 17:00", "11-26 17:00")),
    ],
)
def test_windows_that_passed_while_nobody_looked_are_left_out(
    length: str, after: str, now: str, window: tuple[str, str]
) -> None:
    found = window_to_come(parse_length(length), BERLIN, after=at(after), now=at(now))
    assert shown(found) == window


def test_business_time_without_a_calendar_is_refused() -> None:
    with pytest.raises(ValueError, match="name a calendar"):
        next_window(parse_length("1bd"), None, at("2026-11-23 09:00"))


@settings(max_examples=150, deadline=None)
@given(zones_and_moments(1), st.sampled_from(["15m", "1h", "90m", "4h", "5h", "1d", "36h", "1w"]))
def test_windows_on_the_clock_follow_each_other_without_gaps(drawn: tuple[str, list[datetime]], length: str) -> None:
    name, (moment,) = drawn
    calendar = build_calendar(name, {"mon-sun": "09:00-17:00"})
    every = parse_length(length)
    found = [next_window(every, calendar, moment)]
    for _ in range(5):
        found.append(window_to_come(every, calendar, after=found[-1].end, now=found[-1].end))
    assert found[0].start >= moment
    assert all(first.end == second.start and first.start < first.end for first, second in pairwise(found))
    most = timedelta(seconds=2 * every.seconds) + timedelta(hours=26)
    assert all(each.end - each.start <= most for each in found)


@settings(max_examples=100, deadline=None)
@given(zones_and_moments(1), st.sampled_from(["30bm", "2bh", "20bh", "1bd", "3bd"]))
def test_windows_in_business_time_end_when_it_is_open_or_closes(drawn: tuple[str, list[datetime]], length: str) -> None:
    name, (moment,) = drawn
    calendar = build_calendar(name, {"mon-fri": "09:00-12:00, 13:00-17:00"})
    window = next_window(parse_length(length), calendar, moment)
    assert moment <= window.start < window.end
    assert is_open(calendar, window.end - timedelta(seconds=1))
