"""A rate holds in every stretch of its time, whoever looks how often, and what it allows is used."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.rules.rates import after, passes
from runbooks.connectors import Rate

NINE = datetime(2026, 11, 23, 9, tzinfo=UTC)
RATES = [Rate(1, 1), Rate(20, 1), Rate(100, 1), Rate(5000, 3600), Rate(600, 60), Rate(999_999, 1)]


def left_at(rate: Rate, looks: list[timedelta], wanted: int = 1000) -> list[tuple[datetime, int]]:
    """How many leave at each look, with always as many waiting."""
    free_at, found = None, []
    for look in looks:
        now = NINE + look
        left = passes(rate, free_at, now, wanted=wanted)
        free_at = after(rate, free_at, now, left=left)
        found.append((now, left))
    return found


def test_twenty_a_second_are_two_at_once_and_then_spaced() -> None:
    first = passes(Rate(20, 1), None, NINE, wanted=100)
    free_at = after(Rate(20, 1), None, NINE, left=first)
    assert first == 2
    assert free_at is not None
    assert passes(Rate(20, 1), free_at, free_at - timedelta(microseconds=1), wanted=100) == 0
    assert passes(Rate(20, 1), free_at, free_at, wanted=100) == 1


def test_no_more_leave_than_are_wanted() -> None:
    assert passes(Rate(5000, 1), None, NINE, wanted=3) == 3
    assert passes(Rate(5000, 1), None, NINE, wanted=0) == 0
    assert after(Rate(5000, 1), None, NINE, left=0) is None


@pytest.mark.parametrize("rate", RATES)
@given(looks=st.lists(st.integers(0, 4_000), min_size=1, max_size=80).map(sorted))
@example(looks=[0, 1, *range(101, 1_000, 100)])
def test_never_more_in_its_time_than_it_says(rate: Rate, looks: list[int]) -> None:
    left = left_at(rate, [timedelta(milliseconds=look) for look in looks], wanted=2_000_000)
    for begin, _ in left:
        within = [count for at, count in left if begin <= at < begin + timedelta(seconds=rate.seconds)]
        assert sum(within) <= rate.count


@pytest.mark.parametrize("rate", RATES)
def test_what_it_allows_is_used(rate: Rate) -> None:
    now, free_at, left = NINE, None, 0
    while now < NINE + timedelta(seconds=rate.seconds * 3):
        count = passes(rate, free_at, now, wanted=2_000_000)
        free_at = after(rate, free_at, now, left=count)
        left += count
        now = max(now + timedelta(milliseconds=20), free_at or now)
    assert left >= rate.count * 3 * 0.9
