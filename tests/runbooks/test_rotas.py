"""Who is on call: turns by the wall clock, layers, overrides, and the nights on which clocks change."""

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbooks.lengths import parse_length
from runbooks.rotas import Layer, OnCall, Override, Rota, build_layer, build_rota, gaps, on_call, shifts
from tests.runbooks.nights import zones_and_moments

BERLIN = ZoneInfo("Europe/Berlin")
PEOPLE = ("U0ADA", "U0BEN", "U0CLEO")


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


def weekly(**changed: Any) -> Layer:
    given: dict[str, Any] = {"starts": "2026-01-05T09:00", "every": parse_length("1w"), "people": PEOPLE}
    return build_layer(**{**given, **changed})


def rota(*layers: Layer) -> Rota:
    return build_rota("revenue", "Europe/Berlin", layers or (weekly(),))


@pytest.mark.parametrize(
    ("at", "person", "shift"),
    [
        ("2026-01-05T09:00", "U0ADA", 1),
        ("2026-01-12T08:59", "U0ADA", 1),
        ("2026-01-12T09:00", "U0BEN", 2),
        ("2026-01-19T09:00", "U0CLEO", 3),
        ("2026-01-26T09:00", "U0ADA", 4),
        ("2026-03-30T08:59", "U0CLEO", 12),
        ("2026-03-30T09:00", "U0ADA", 13),  # 09:00 is 09:00 in summer too
        ("2026-10-26T08:59", "U0CLEO", 42),
        ("2026-10-26T09:00", "U0ADA", 43),
    ],
)
def test_people_take_turns_at_the_wall_clock(at: str, person: str, shift: int) -> None:
    found = on_call(rota(), berlin(at))
    assert found is not None
    assert (found.person, found.why) == (person, f"rota revenue, shift {shift}")


def test_who_is_on_call_says_since_and_until() -> None:
    assert on_call(rota(), berlin("2026-03-25T12:00")) == OnCall(
        "U0CLEO", berlin("2026-03-23T09:00"), berlin("2026-03-30T09:00"), "rota revenue, shift 12"
    )


def test_nobody_is_on_call_before_the_start() -> None:
    assert on_call(rota(), berlin("2026-01-05T08:59")) is None
    assert gaps(rota(), berlin("2026-01-01T00:00"), berlin("2026-01-20T00:00")) == (
        (berlin("2026-01-01T00:00"), berlin("2026-01-05T09:00")),
    )
    assert gaps(rota(), berlin("2026-01-01T00:00"), berlin("2026-01-02T00:00")) == (
        (berlin("2026-01-01T00:00"), berlin("2026-01-02T00:00")),
    )


def test_an_override_takes_over_and_gives_back() -> None:
    override = Override(berlin("2026-01-06T18:00"), berlin("2026-01-07T08:00"), "U0ZOE")
    found = on_call(rota(), berlin("2026-01-07T07:59"), [override])
    assert found == OnCall("U0ZOE", override.start_at, override.end_at, f"override of {rota().name}")
    before = on_call(rota(), berlin("2026-01-06T12:00"), [override])
    assert before is not None
    assert (before.person, before.since, before.until) == ("U0ADA", berlin("2026-01-05T09:00"), override.start_at)
    after = on_call(rota(), override.end_at, [override])
    assert after is not None
    assert (after.person, after.since) == ("U0ADA", override.end_at)


def test_of_two_overrides_the_one_that_starts_later_wins() -> None:
    early = Override(berlin("2026-01-06T08:00"), berlin("2026-01-06T18:00"), "U0EVA")
    late = Override(berlin("2026-01-06T10:00"), berlin("2026-01-06T12:00"), "U0LEO")
    for overrides in ([early, late], [late, early]):
        listed = shifts(rota(), early.start_at, early.end_at, overrides)
        assert [each.person for each in listed] == ["U0EVA", "U0LEO", "U0EVA"]
    same = Override(early.start_at, early.end_at, "U0NEW")
    assert [each.person for each in shifts(rota(), early.start_at, early.end_at, [early, same])] == ["U0NEW"]


def test_an_override_reaches_over_a_handoff() -> None:
    override = Override(berlin("2026-01-11T00:00"), berlin("2026-01-13T00:00"), "U0ZOE")
    listed = shifts(rota(), berlin("2026-01-10T00:00"), berlin("2026-01-14T00:00"), [override])
    assert [each.person for each in listed] == ["U0ADA", "U0ZOE", "U0BEN"]
    assert listed[1].why == f"override of {rota().name}"


def test_a_layer_lies_on_top_in_its_hours() -> None:
    night = weekly(people=["U0NIA"], every=parse_length("1d"), hours={"mon-fri": "00:00-06:00, 22:00-24:00"})
    layered = rota(weekly(people=["U0ADA"]), night)
    listed = shifts(layered, berlin("2026-01-07T12:00"), berlin("2026-01-08T12:00"))
    assert [(each.person, each.start) for each in listed] == [
        ("U0ADA", berlin("2026-01-07T12:00")),
        ("U0NIA", berlin("2026-01-07T22:00")),
        ("U0ADA", berlin("2026-01-08T06:00")),
    ]
    found = on_call(layered, berlin("2026-01-08T01:00"))
    assert found == OnCall(
        "U0NIA", berlin("2026-01-07T22:00"), berlin("2026-01-08T06:00"), "rota revenue, layer 2, shift 3"
    )
    day = on_call(layered, berlin("2026-01-08T12:00"))
    assert day is not None
    assert (day.since, day.until) == (berlin("2026-01-08T06:00"), berlin("2026-01-08T22:00"))


def test_a_rota_with_hours_has_gaps() -> None:
    office = rota(weekly(hours={"mon-fri": "09:00-17:00"}))
    assert on_call(office, berlin("2026-01-07T20:00")) is None
    assert gaps(office, berlin("2026-01-07T00:00"), berlin("2026-01-08T00:00")) == (
        (berlin("2026-01-07T00:00"), berlin("2026-01-07T09:00")),
        (berlin("2026-01-07T17:00"), berlin("2026-01-08T00:00")),
    )


def test_a_handoff_on_a_night_of_dst() -> None:
    nightly = rota(weekly(starts="2026-03-27T02:30", every=parse_length("1d")))
    handoffs = [each.start for each in shifts(nightly, berlin("2026-03-28T00:00"), berlin("2026-03-31T00:00"))[1:]]
    assert handoffs == [berlin("2026-03-28T02:30"), berlin("2026-03-29T03:00"), berlin("2026-03-30T02:30")]
    autumn = rota(weekly(starts="2026-10-24T02:30", every=parse_length("1d")))
    first = shifts(autumn, berlin("2026-10-25T00:00"), berlin("2026-10-26T00:00"))[1].start
    assert first == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"starts": "tomorrow"}, "starts: 'tomorrow' is not a time; write 2026-01-05T09:00"),
        ({"starts": "2026-01-05T09:00Z"}, "starts: a time on the wall clock has no offset"),
        ({"starts": datetime(2026, 1, 5, 9, tzinfo=UTC)}, "has no offset"),
        ({"starts": "9999-01-05T09:00"}, "not in the years from 1970 to 2199"),
        ({"every": parse_length("1bd")}, "every: a rota cannot turn every 1bd; write 12h, 1d or 1w"),
        ({"every": parse_length("30m")}, "cannot turn every 30m"),
        ({"every": parse_length("400d")}, "cannot turn every 400d"),
        ({"people": []}, "people: a rota needs somebody"),
    ],
)
def test_a_layer_that_cannot_be_is_refused(changed: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        weekly(**changed)


def test_a_rota_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="needs starts, every and people"):
        build_rota("r", "UTC", [])
    with pytest.raises(ValueError, match="unknown timezone 'Mars'"):
        build_rota("r", "Mars", [weekly()])
    with pytest.raises(ValueError, match="'monday' is not a day"):
        rota(weekly(hours={"monday": "09:00-17:00"}))


def test_a_list_of_shifts_is_bounded() -> None:
    with pytest.raises(ValueError, match="two years at most"):
        shifts(rota(), berlin("2026-01-05T00:00"), berlin("2029-01-05T00:00"))


LENGTHS = st.sampled_from(["1h", "8h", "12h", "1d", "1w"])


@given(zones_and_moments(2), st.integers(0, 23), LENGTHS)
def test_shifts_have_no_gap_and_no_overlap_and_hand_over_at_the_wall_clock(
    drawn: tuple[str, list[datetime]], hour: int, every: str
) -> None:
    name, (start, end) = drawn
    started = (start - timedelta(days=10)).astimezone(UTC).replace(tzinfo=None, hour=hour, minute=30, second=0)
    layer = weekly(starts=started.replace(microsecond=0), every=parse_length(every))
    turning = build_rota("r", name, [layer])
    listed = shifts(turning, start, end)
    assert gaps(turning, start, end) == ()
    assert all(one.end == other.start for one, other in pairwise(listed))
    for shift in listed[1:]:
        wall = shift.start.astimezone(ZoneInfo(name)).replace(tzinfo=None)
        skipped = (shift.start - timedelta(seconds=1)).astimezone(ZoneInfo(name)).utcoffset() != (
            shift.start.astimezone(ZoneInfo(name)).utcoffset()
        )
        assert skipped or (wall - layer.starts) % layer.every == timedelta(0)


@given(zones_and_moments(4), LENGTHS)
def test_the_list_and_the_question_agree(drawn: tuple[str, list[datetime]], every: str) -> None:
    name, (start, at, until, end) = drawn
    layer = weekly(starts=datetime(2017, 1, 2, 9), every=parse_length(every))
    night = weekly(starts=datetime(2017, 1, 2, 9), every=parse_length("1d"), hours={"mon-sun": "00:00-03:00"})
    turning = build_rota("r", name, [layer, night])
    overrides = [Override(at, until, "U0ZOE")]
    found = on_call(turning, at, overrides)
    assert found is not None
    assert found.since <= at < found.until
    for shift in shifts(turning, start, end, overrides):
        if shift.start <= at < shift.end:
            assert (shift.person, shift.why) == (found.person, found.why)
            assert (shift.start, shift.end) == (max(found.since, start), min(found.until, end))
