"""Moments around the nights on which some zone changes its clocks, for properties that must hold on them."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import strategies as st

from runbooks.wallclock import stretches

ZONES = sorted(available_timezones() - {"localtime", "Factory"})


@lru_cache(maxsize=4_096)
def changes(name: str, year: int) -> tuple[datetime, ...]:
    """The instants of a year at which the zone changes its clocks."""
    start, end = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
    return tuple(since for since, _, _ in stretches(ZoneInfo(name), start, end))[1:]


@st.composite
def zones_and_moments(draw: st.DrawFn, count: int) -> tuple[str, list[datetime]]:
    """A zone, and moments in order within some days of one of its changes (or of any day, if it has none)."""
    name = draw(st.sampled_from(ZONES))
    year = draw(st.integers(2018, 2029))
    night = draw(st.sampled_from(changes(name, year) or (datetime(year, 6, 1, tzinfo=UTC),)))
    seconds = st.one_of(st.integers(-12, 12).map(lambda quarter: quarter * 900), st.integers(-300_000, 300_000))
    moments = draw(st.lists(seconds, min_size=count, max_size=count))
    return name, sorted(night + timedelta(seconds=each) for each in moments)
