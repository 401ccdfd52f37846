"""When a case is due, in business time and around pauses; what it is reminded of; how long a lease holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.rules.windows import (
    Pause,
    StateAt,
    Window,
    clock_record,
    lease_window,
    next_step,
    why_due,
    window,
)
from runbooks.calendars import build_calendar, business_time
from runbooks.lengths import Length, parse_length

BERLIN = build_calendar("Europe/Berlin", {"mon-thu": "09:00-12:30, 13:30-18:00", "fri": "09:00-15:00"})
MONDAY = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)  # 10:00 in Berlin
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
WAITING = ("waiting_for_customer",)


def due(length: str, *, start: datetime = MONDAY, pauses: list[Pause] | None = None) -> datetime:
    return window(BERLIN, start=start, within=parse_length(length), pauses=pauses or []).due_at


def waited(start: datetime, end: datetime | None) -> Pause:
    return Pause("waiting_for_customer", start, end)


@pytest.mark.parametrize(
    ("length", "at"),
    [
        ("15m", MONDAY + 15 * MINUTE),
        ("2bh", MONDAY + 2 * HOUR),
        ("3bh", MONDAY + 4 * HOUR),  # over lunch
        ("1bd", MONDAY + DAY),
        ("5bd", MONDAY + 7 * DAY),  # over a weekend
    ],
)
def test_a_window_runs_in_the_hours_that_its_length_is_in(length: str, at: datetime) -> None:
    assert due(length) == at


@pytest.mark.parametrize(
    ("length", "at"),
    [
        ("4h", MONDAY + 6 * HOUR),
        ("3bh", MONDAY + 5 * HOUR),  # an hour of lunch and an hour of hours were waited
        ("1bd", MONDAY + DAY + 1 * HOUR),
    ],
)
def test_what_is_waited_comes_on_top(length: str, at: datetime) -> None:
    assert due(length, pauses=[waited(MONDAY + 2 * HOUR, MONDAY + 4 * HOUR)]) == at


def test_waiting_out_of_hours_costs_nothing_of_business_time() -> None:
    night = MONDAY.replace(hour=20)
    assert due("1bd", pauses=[waited(night, night + 8 * HOUR)]) == due("1bd")


def test_a_window_that_had_passed_does_not_come_back() -> None:
    assert due("15m", pauses=[waited(MONDAY + HOUR, MONDAY + 2 * HOUR)]) == MONDAY + 15 * MINUTE


def test_while_it_stands_still_the_instants_are_those_of_the_stop() -> None:
    found = window(BERLIN, start=MONDAY, within=parse_length("4h"), pauses=[waited(MONDAY + HOUR, None)])
    assert (found.stands_still, found.due_at) == (True, MONDAY + 4 * HOUR)


def test_reminders_are_at_shares_of_business_time_and_not_in_the_night() -> None:
    friday = datetime(2026, 11, 27, 11, 0, tzinfo=UTC)
    found = window(BERLIN, start=friday, within=parse_length("1bd"), shares=(0.8, 0.5))
    assert found.reminders == (
        friday + 3 * HOUR,  # three hours on Friday and three on Monday
        datetime(2026, 11, 30, 9, 48, tzinfo=UTC),
    )


def test_reminders_move_with_what_was_waited() -> None:
    pause = waited(MONDAY + HOUR, MONDAY + 2 * HOUR)
    found = window(BERLIN, start=MONDAY, within=parse_length("4h"), shares=(0.25, 0.5), pauses=[pause])
    assert found.reminders == (MONDAY + HOUR, MONDAY + 3 * HOUR)


LENGTHS = st.one_of(
    st.integers(1, 2_000).map(lambda minutes: Length(seconds=60 * minutes)),
    st.integers(1, 2_000).map(lambda minutes: Length(business_minutes=minutes)),
    st.integers(1, 5).map(lambda days: Length(business_days=days)),
)
INSTANTS = st.lists(st.integers(0, 20_000), min_size=2, max_size=8, unique=True).map(sorted)


def pauses_of(minutes: list[int]) -> list[Pause]:
    at = [MONDAY + minute * MINUTE for minute in minutes[: len(minutes) // 2 * 2]]
    return [waited(start, end) for start, end in zip(at[::2], at[1::2], strict=True)]


def counted(length: Length, start: datetime, end: datetime) -> timedelta:
    return business_time(BERLIN, start, end) if length.is_business else max(end - start, timedelta(0))


@settings(max_examples=200, deadline=None)
@given(length=LENGTHS, minutes=INSTANTS)
def test_the_window_is_the_sum_of_the_time_in_states_that_count(length: Length, minutes: list[int]) -> None:
    pauses = pauses_of(minutes)
    plain = window(BERLIN, start=MONDAY, within=length).due_at
    shifted = window(BERLIN, start=MONDAY, within=length, pauses=pauses).due_at
    still = [counted(length, pause.start_at, min(pause.end_at or shifted, shifted)) for pause in pauses]
    assert counted(length, MONDAY, shifted) - sum(still, timedelta(0)) == counted(length, MONDAY, plain)


@settings(max_examples=100, deadline=None)
@given(length=LENGTHS, minutes=INSTANTS)
def test_reminders_come_in_order_and_before_the_end(length: Length, minutes: list[int]) -> None:
    found = window(BERLIN, start=MONDAY, within=length, shares=(0.2, 0.5, 0.8), pauses=pauses_of(minutes))
    assert list(found.reminders) == sorted(found.reminders)
    assert MONDAY < found.reminders[0] < found.due_at


def test_the_record_of_states_says_where_the_clock_stood_still() -> None:
    record = [
        StateAt("in_progress", MONDAY),
        StateAt("waiting_for_customer", MONDAY + HOUR),
        StateAt("in_progress", MONDAY + 2 * HOUR),
        StateAt("waiting_for_customer", MONDAY + 3 * HOUR),
    ]
    start, pauses = clock_record(MONDAY, record, WAITING)
    assert start == MONDAY
    assert pauses == [waited(MONDAY + HOUR, MONDAY + 2 * HOUR), waited(MONDAY + 3 * HOUR, None)]


def test_reopening_starts_the_window_anew() -> None:
    record = [
        StateAt("waiting_for_customer", MONDAY),
        StateAt("resolved", MONDAY + HOUR),
        StateAt("queued", MONDAY + DAY),
    ]
    assert clock_record(MONDAY, record, WAITING) == (MONDAY + DAY, [])


@given(states=st.lists(st.sampled_from(["queued", "in_progress", *WAITING, "resolved"]), max_size=12))
def test_pauses_never_overlap_and_only_the_last_is_open(states: list[str]) -> None:
    record = [StateAt(state, MONDAY + number * HOUR) for number, state in enumerate(states)]
    start, pauses = clock_record(MONDAY, record, WAITING)
    assert all(pause.start_at >= start for pause in pauses)
    assert all(before.end_at is not None and before.end_at <= after.start_at for before, after in pairwise(pauses))


FOUR_HOURS = Window(MONDAY, (MONDAY + 2 * HOUR, MONDAY + 3 * HOUR), MONDAY + 4 * HOUR)


@pytest.mark.parametrize(
    ("after", "hours", "number", "at"),
    [
        (0, 0, 0, 2),
        (1, 2, 1, 3),
        (0, 2.5, 1, 3),  # the first one was missed
        (0, 3.5, 2, 4),  # both were
        (2, 3, 2, 4),
        (0, 9, 2, 4),  # the end is due even when it is long past
    ],
)
def test_the_next_step_skips_reminders_that_were_missed(after: int, hours: float, number: int, at: int) -> None:
    step = next_step(FOUR_HOURS, after=after, now=MONDAY + hours * HOUR)
    assert (step.number, step.at) == (number, MONDAY + at * HOUR)


@pytest.mark.parametrize(
    ("within", "lasts", "holds"),
    [
        ("4h", None, 2 * HOUR),  # half of the window
        ("1bd", None, 5 * HOUR),  # half of eight business hours: four, over lunch
        ("5bd", None, DAY),  # eight business hours
        ("1m", None, MINUTE),
        ("5bd", "30m", 30 * MINUTE),
        ("5bd", "1bd", DAY),
    ],
)
def test_a_lease_holds_as_the_policy_says(within: str, lasts: str | None, holds: timedelta) -> None:
    said = parse_length(lasts) if lasts else None
    assert lease_window(BERLIN, now=MONDAY, resolve_within=parse_length(within), lasts=said) == holds


def test_why_it_is_due_then_can_be_read() -> None:
    pauses = [waited(MONDAY + 30 * MINUTE, MONDAY + HOUR)]
    assert why_due(BERLIN, start=MONDAY, within=parse_length("3bh"), pauses=pauses) == (
        "3bh from Mon 2026-11-23 10:00 CET",
        "stood still: Mon 2026-11-23 10:30 CET to Mon 2026-11-23 11:00 CET (waiting for customer)",
        "not counted: Mon 2026-11-23 12:30 CET to Mon 2026-11-23 13:30 CET (break)",
        "due Mon 2026-11-23 14:30 CET",
    )
