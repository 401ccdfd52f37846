"""Business time: lunch, weekends, holidays, and the nights on which clocks change."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from runbooks.calendars import Calendar, Stretch, add, build_calendar, business_time, explain, is_open, next_opening
from runbooks.lengths import Length, parse_length
from tests.runbooks.nights import ZONES, changes, zones_and_moments

BERLIN = ZoneInfo("Europe/Berlin")
SUPPORT = build_calendar(
    "Europe/Berlin",
    {"mon-thu": "09:00-12:30, 13:30-18:00", "fri": "09:00-15:00"},
    holidays="DE-BE",
    closed=["2026-12-24", date(2026, 12, 31)],
    open={"2026-12-27": "10:00-12:00"},
)
ALWAYS = build_calendar("UTC", {"mon-sun": "00:00-24:00"})
NIGHTS = {"mon-sun": "00:30-02:15, 02:45-04:00, 09:00-17:00, 22:00-24:00"}
MINUTES = st.integers(1, 6_000)


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("start", "length", "end"),
    [
        # on the clock
        ("2026-03-28T12:00", "1d", "2026-03-29T13:00"),
        ("2026-01-10T03:00", "15m", "2026-01-10T03:15"),
        # business minutes and hours
        ("2026-01-05T09:00", "30bm", "2026-01-05T09:30"),
        ("2026-01-05T12:15", "30bm", "2026-01-05T13:45"),
        ("2026-01-05T12:30", "1bm", "2026-01-05T13:31"),
        ("2026-01-05T08:00", "2bh", "2026-01-05T11:00"),
        ("2026-01-05T17:30", "1bh", "2026-01-06T09:30"),
        ("2026-01-09T14:00", "1bh", "2026-01-09T15:00"),  # ends with the week, not with the next
        ("2026-01-09T14:00", "2bh", "2026-01-12T10:00"),
        ("2026-01-10T12:00", "1bh", "2026-01-12T10:00"),
        ("2026-12-23T17:00", "4bh", "2026-12-28T10:00"),  # closed, two holidays, a Sunday with hours of its own
        # business days
        ("2026-01-05T10:00", "1bd", "2026-01-06T10:00"),
        ("2026-01-08T10:00", "1bd", "2026-01-09T10:00"),
        ("2026-01-08T17:00", "1bd", "2026-01-12T09:00"),  # Friday has no 17:00: the next opening
        ("2026-01-08T17:00", "2bd", "2026-01-12T17:00"),
        ("2026-01-09T10:00", "1bd", "2026-01-12T10:00"),
        ("2026-01-10T10:00", "1bd", "2026-01-13T09:00"),  # from out of hours: from the next opening
        ("2026-01-05T18:00", "1bd", "2026-01-07T09:00"),
        ("2026-01-05T13:00", "1bd", "2026-01-06T13:30"),
        ("2026-12-23T11:00", "1bd", "2026-12-27T11:00"),
        ("2026-12-23T17:00", "1bd", "2026-12-28T09:00"),
        ("2026-03-06T10:00", "1bd", "2026-03-09T10:00"),  # Women's Day is a Sunday
        ("2025-03-07T10:00", "5bd", "2025-03-14T10:00"),
    ],
)
def test_a_length_is_added(start: str, length: str, end: str) -> None:
    found = add(SUPPORT, berlin(start), parse_length(length))
    assert found == berlin(end)
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    ("start", "end", "minutes"),
    [
        ("2026-01-05T00:00", "2026-01-06T00:00", 480),
        ("2026-01-05T00:00", "2026-01-12T00:00", 4 * 480 + 360),
        ("2026-01-05T12:00", "2026-01-05T14:00", 60),
        ("2026-01-10T00:00", "2026-01-12T00:00", 0),
        ("2026-01-06T00:00", "2026-01-05T00:00", 0),
        ("2026-12-24T00:00", "2026-12-28T00:00", 120),
    ],
)
def test_business_time_between_two_moments(start: str, end: str, minutes: int) -> None:
    assert business_time(SUPPORT, berlin(start), berlin(end)) == timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("hours", "night", "expected"),
    [
        ("01:00-04:00", "2026-03-29", 2),  # 02:00 to 03:00 is skipped
        ("01:00-04:00", "2026-10-25", 4),  # and here comes twice
        ("02:00-03:00", "2026-03-29", 0),
        ("02:00-03:00", "2026-10-25", 2),
        ("02:00-02:30", "2026-10-25", 1),
        ("00:00-24:00", "2026-10-25", 25),
    ],
)
def test_hours_on_a_night_of_dst_are_what_passes(hours: str, night: str, expected: int) -> None:
    calendar = build_calendar("Europe/Berlin", {"mon-sun": hours})
    start = berlin(f"{night}T00:00")
    assert business_time(calendar, start, berlin(f"{night}T23:59") + timedelta(minutes=1)) == timedelta(hours=expected)


def test_an_interval_that_comes_twice_is_open_twice() -> None:
    calendar = build_calendar("Europe/Berlin", {"mon-sun": "02:00-02:30"})
    first = datetime(2026, 10, 25, 0, 0, tzinfo=UTC)
    shown = [is_open(calendar, first + timedelta(minutes=15 * step)) for step in range(8)]
    assert shown == [True, True, False, False, True, True, False, False]


@pytest.mark.parametrize(
    ("at", "opening"),
    [
        ("2026-01-05T09:00", "2026-01-05T09:00"),
        ("2026-01-05T10:17", "2026-01-05T10:17"),
        ("2026-01-05T12:30", "2026-01-05T13:30"),
        ("2026-01-09T15:00", "2026-01-12T09:00"),
        ("2026-12-23T18:00", "2026-12-27T10:00"),
    ],
)
def test_the_next_opening(at: str, opening: str) -> None:
    assert next_opening(SUPPORT, berlin(at)) == berlin(opening)


def test_why_a_case_is_due_then() -> None:
    start = berlin("2026-12-23T17:00")
    told = explain(SUPPORT, start, add(SUPPORT, start, parse_length("4bh")))
    assert [(each.start, each.counted, each.why) for each in told] == [
        (berlin("2026-12-23T17:00"), True, "in hours"),
        (berlin("2026-12-23T18:00"), False, "out of hours"),
        (berlin("2026-12-24T00:00"), False, "closed on 2026-12-24"),
        (berlin("2026-12-25T00:00"), False, "holiday: Christmas Day"),
        (berlin("2026-12-26T00:00"), False, "holiday: Second Day of Christmas"),
        (berlin("2026-12-27T00:00"), False, "out of hours"),
        (berlin("2026-12-27T10:00"), True, "in hours"),
        (berlin("2026-12-27T12:00"), False, "out of hours"),
        (berlin("2026-12-28T09:00"), True, "in hours"),
    ]


def test_lunch_and_weekends_are_called_so() -> None:
    week = explain(SUPPORT, berlin("2026-01-08T09:00"), berlin("2026-01-12T00:00"))
    assert [each.why for each in week if not each.counted] == ["break", "out of hours", "out of hours", "weekend"]
    assert [each.why for each in explain(ALWAYS, berlin("2026-01-08T09:00"), berlin("2026-02-12T00:00"))] == [
        "in hours"
    ]


def test_a_day_of_the_week_without_hours_is_named() -> None:
    calendar = build_calendar("UTC", {"tue-fri": "09:00-17:00"})
    start = datetime(2026, 1, 5, tzinfo=UTC)
    assert explain(calendar, start, start + timedelta(days=1)) == (
        Stretch(start, start + timedelta(days=1), False, "no hours on Mondays"),
    )


@pytest.mark.parametrize("days", ["mon-fri", "mon,tue-thu,fri", "sun-sat", "fri-mon, tue-thu"])
def test_days_are_written_in_several_ways(days: str) -> None:
    assert is_open(build_calendar("UTC", {days: "09:00-17:00"}), datetime(2026, 1, 5, 9, tzinfo=UTC))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"timezone": "Europe/Berln"}, 'did you mean "Europe/Berlin"?'),
        ({"hours": {}}, "hours: no day has any"),
        ({"hours": {"mon-thu": "09:00-17:00", "thu": "09:00-15:00"}}, "thu stands there twice"),
        ({"hours": {"monday": "09:00-17:00"}}, "'monday' is not a day; write mon"),
        ({"hours": {"montag": "09:00-17:00"}}, "write mon"),
        ({"hours": {"xyz": "09:00-17:00"}}, "write one of mon, tue"),
        ({"hours": {"mon": "9:00-17:00"}}, "'9:00-17:00' is not from-to; write 09:00-17:00"),
        ({"hours": {"mon": "09:00-25:00"}}, "is not from-to"),
        ({"hours": {"mon": "24:00-25:00"}}, "is not from-to"),
        ({"hours": {"mon": "22:00-02:00"}}, "ends before it begins; write hours past midnight as two days"),
        ({"hours": {"mon": "09:00-09:00"}}, "ends before it begins"),
        ({"hours": {"mon": "09:00-12:30, 12:00-17:00"}}, "hours.mon: 09:00-12:30 overlaps what begins at 12:00"),
        ({"hours": {"mon": 540}}, "hours are a text"),
        ({"holidays": "DEU-augsburg"}, 'did you mean "Augsburg"?'),
        ({"holidays": "ZZ"}, "no holidays are known for country 'ZZ'"),
        ({"holidays": "DE-XX"}, "no holidays are known for 'XX' in DE"),
        ({"closed": ["24.12.2026"]}, "closed: '24.12.2026' is not a date; write 2026-12-24"),
        ({"closed": ["0001-01-01"]}, "not in the years from 1970 to 2199"),
        ({"open": {"2026-12-24": "10-12"}}, "open.2026-12-24: '10-12' is not from-to"),
        ({"open": {"2026-12-24": "10:00-12:00"}, "closed": ["2026-12-24"]}, "2026-12-24 is both closed and open"),
        (
            {"hours": {"mon": "09:00-10:00"}, "closed": [date(2026, 1, 5) + timedelta(weeks=n) for n in range(300)]},
            "5 years",
        ),
        ({"closed": [date(2026, 1, 5) + timedelta(days=n) for n in range(2_000)]}, "more than 1000"),
    ],
)
def test_a_calendar_that_cannot_be_is_refused(changed: Mapping[str, Any], told: str) -> None:
    given: dict[str, Any] = {"timezone": "Europe/Berlin", "hours": {"mon-fri": "09:00-17:00"}}
    given.update(changed)
    with pytest.raises(ValueError, match=re.escape(told)):
        build_calendar(**given)


def test_a_calendar_may_touch_and_is_equal_by_what_it_says() -> None:
    touching = build_calendar("UTC", {"mon": "09:00-12:00, 12:00-17:00"})
    assert next_opening(touching, datetime(2026, 1, 5, 12, tzinfo=UTC)) == datetime(2026, 1, 5, 12, tzinfo=UTC)
    assert touching == build_calendar("UTC", {"mon": "09:00-12:00, 12:00-17:00"})
    assert hash(touching) == hash(build_calendar("UTC", {"mon": "09:00-12:00, 12:00-17:00"}))


def test_each_zone_counts_what_its_wall_clock_shows_on_its_nights() -> None:
    quarter = timedelta(minutes=15)
    for name in ZONES:
        calendar = build_calendar(name, NIGHTS)
        for night in changes(name, 2026):
            start = night - timedelta(hours=5)
            shown = sum(is_open(calendar, start + step * quarter) for step in range(40))
            assert business_time(calendar, start, start + 40 * quarter) == shown * quarter, (name, night)


@given(zones_and_moments(3))
def test_business_time_adds_up(drawn: tuple[str, list[datetime]]) -> None:
    name, (first, second, third) = drawn
    calendar = build_calendar(name, NIGHTS)
    parts = business_time(calendar, first, second) + business_time(calendar, second, third)
    assert parts == business_time(calendar, first, third) <= third - first


@given(zones_and_moments(1), MINUTES)
def test_what_is_added_is_what_has_passed(drawn: tuple[str, list[datetime]], minutes: int) -> None:
    name, (start,) = drawn
    calendar = build_calendar(name, NIGHTS)
    end = add(calendar, start, Length(business_minutes=minutes))
    assert business_time(calendar, start, end) == timedelta(minutes=minutes)
    assert is_open(calendar, end - timedelta(microseconds=1))


@given(zones_and_moments(2), MINUTES, MINUTES)
def test_later_starts_and_longer_lengths_end_later(drawn: tuple[str, list[datetime]], minutes: int, more: int) -> None:
    name, (first, second) = drawn
    calendar = build_calendar(name, NIGHTS)
    end = add(calendar, first, Length(business_minutes=minutes))
    assert end <= add(calendar, second, Length(business_minutes=minutes))
    assert end < add(calendar, first, Length(business_minutes=minutes + more))


@given(zones_and_moments(1), st.integers(1, 15))
def test_business_days_end_in_hours_at_the_same_wall_clock_time_or_an_opening(
    drawn: tuple[str, list[datetime]], days: int
) -> None:
    name, (start,) = drawn
    calendar = build_calendar(name, NIGHTS)
    end = add(calendar, start, Length(business_days=days))
    wall = next_opening(calendar, start).astimezone(calendar.timezone)
    assert is_open(calendar, end)
    assert end > start
    same_time = end.astimezone(calendar.timezone).time() == wall.time()
    assert same_time or not is_open(calendar, end - timedelta(microseconds=1)) or _skipped_before(calendar, end)


def _skipped_before(calendar: Calendar, at: datetime) -> bool:
    before, after = ((at + timedelta(microseconds=step)).astimezone(calendar.timezone) for step in (-1, 0))
    return before.utcoffset() != after.utcoffset()


@given(zones_and_moments(1))
def test_nothing_is_open_before_the_next_opening(drawn: tuple[str, list[datetime]]) -> None:
    name, (at,) = drawn
    calendar = build_calendar(name, NIGHTS)
    opening = next_opening(calendar, at)
    assert is_open(calendar, opening)
    assert business_time(calendar, at, opening) == timedelta(0)
    assume(opening > at)
    assert not is_open(calendar, at)


@given(zones_and_moments(2))
def test_the_explanation_is_whole_and_adds_up(drawn: tuple[str, list[datetime]]) -> None:
    name, (start, end) = drawn
    assume(start < end)
    calendar = build_calendar(name, NIGHTS)
    told = explain(calendar, start, end)
    assert (told[0].start, told[-1].end) == (start, end)
    assert all(one.end == other.start for one, other in pairwise(told))
    counted = sum((each.end - each.start for each in told if each.counted), timedelta(0))
    assert counted == business_time(calendar, start, end)
