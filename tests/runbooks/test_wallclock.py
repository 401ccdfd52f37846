"""From the wall clock to an instant, on the nights of DST."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given

from runbooks.wallclock import instant, stretches, zone
from tests.runbooks.nights import zones_and_moments


@pytest.mark.parametrize(
    ("timezone", "wall", "expected"),
    [
        ("Europe/Berlin", "2026-01-05T09:00", "2026-01-05T08:00"),
        ("Europe/Berlin", "2026-03-29T02:30", "2026-03-29T01:00"),  # skipped: the next instant that there is
        ("Europe/Berlin", "2026-03-29T03:00", "2026-03-29T01:00"),
        ("Europe/Berlin", "2026-10-25T02:30", "2026-10-25T00:30"),  # twice: the first
        ("Australia/Lord_Howe", "2026-10-04T02:10", "2026-10-03T15:30"),  # half an hour is skipped
        ("America/New_York", "2026-03-08T02:00", "2026-03-08T07:00"),
        ("Pacific/Apia", "2011-12-30T12:00", "2011-12-30T10:00"),  # a whole day is skipped
        ("Africa/Cairo", "2026-04-24T00:00", "2026-04-23T22:00"),  # midnight is skipped
    ],
)
def test_a_wall_clock_time_is_an_instant(timezone: str, wall: str, expected: str) -> None:
    found = instant(ZoneInfo(timezone), datetime.fromisoformat(wall))
    assert found == datetime.fromisoformat(expected).replace(tzinfo=UTC)
    assert found.tzinfo is UTC


@given(zones_and_moments(1))
def test_an_instant_goes_to_the_wall_clock_and_back_to_its_first_occurrence(drawn: tuple[str, list[datetime]]) -> None:
    name, (at,) = drawn
    wall = at.astimezone(ZoneInfo(name)).replace(tzinfo=None)
    found = instant(ZoneInfo(name), wall)
    assert found <= at
    assert found.astimezone(ZoneInfo(name)).replace(tzinfo=None) == wall


@given(zones_and_moments(2))
def test_stretches_have_one_offset_each_and_no_gap(drawn: tuple[str, list[datetime]]) -> None:
    name, (start, end) = drawn
    at = start
    for since, until, offset in stretches(ZoneInfo(name), start, end):
        assert since == at < until
        for moment in (since, until - timedelta(seconds=1)):
            assert moment.astimezone(ZoneInfo(name)).utcoffset() == offset
        at = until
    assert at == end


def test_an_unknown_zone_is_told_the_nearest() -> None:
    with pytest.raises(ValueError, match='did you mean "Europe/Berlin"'):
        zone("Europe/Berln")


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "/etc/localtime", "a\0b", "Europe", "x" * 10_000])
def test_what_is_no_zone_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="unknown timezone"):
        zone(name)
