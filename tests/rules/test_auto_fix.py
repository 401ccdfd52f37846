"""When auto-fixes may begin, and how long they have."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bot.rules.auto_fix import HOUR, MOST_AN_HOUR, after_waiting, begins_at
from runbooks.calendars import build_calendar
from runbooks.lengths import parse_length

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
OFFICE = build_calendar("UTC", {"mon-fri": "09:00-17:00"})


def test_so_many_begin_at_once_and_the_next_when_the_first_is_an_hour_ago() -> None:
    assert begins_at([], MOST_AN_HOUR + 1, now=NOON) == [NOON] * MOST_AN_HOUR + [NOON + HOUR]


def test_what_began_counts_for_an_hour_and_what_is_held_keeps_its_turn() -> None:
    before = [NOON - 59 * MINUTE + n * MINUTE for n in range(MOST_AN_HOUR)]
    assert begins_at(before, 2, now=NOON) == [NOON + MINUTE, NOON + 2 * MINUTE]
    assert begins_at(before, 1, now=NOON + 2 * MINUTE) == [NOON + 2 * MINUTE]


@pytest.mark.parametrize(
    ("give_up_after", "since", "until", "answered", "then"),
    [
        ("20m", "12:05", "12:20", "14:00", "14:15"),
        ("30bm", "16:55", "17:25", "18:00", "09:05"),
    ],
)
def test_the_time_that_was_left_is_left_after_a_yes(
    give_up_after: str, since: str, until: str, answered: str, then: str
) -> None:
    moved = after_waiting(
        _at(until), since=_at(since), now=_at(answered), calendar=OFFICE, give_up_after=parse_length(give_up_after)
    )
    assert f"{moved:%H:%M}" == then


def _at(clock: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-23T{clock}+00:00")
