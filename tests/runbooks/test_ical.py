"""Rotas that are kept in calendars."""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from runbooks.ical import parse_ical
from runbooks.rotas import OnCall, Override, gaps, on_call, shifts

BERLIN = ZoneInfo("Europe/Berlin")
DAY = ("DTSTART:20260105T090000Z", "DTEND:20260106T090000Z")


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


def calendar(*events: tuple[str, ...], head: tuple[str, ...] = ()) -> str:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//acme//on call//EN", *head]
    for number, event in enumerate(events):
        lines += ["BEGIN:VEVENT", f"UID:{number}@acme", "DTSTAMP:20260101T000000Z", *event, "END:VEVENT"]
    return "\r\n".join([*lines, "END:VCALENDAR", ""])


WEEKLY = calendar(
    (
        "DTSTART;TZID=Europe/Berlin:20260105T090000",
        "DTEND;TZID=Europe/Berlin:20260112T090000",
        "RRULE:FREQ=WEEKLY;INTERVAL=2",
        "EXDATE;TZID=Europe/Berlin:20260202T090000",
        "SUMMARY:U0FAY",
    ),
    (
        "DTSTART;TZID=Europe/Berlin:20260112T090000",
        "DTEND;TZID=Europe/Berlin:20260119T090000",
        "RRULE:FREQ=WEEKLY;INTERVAL=2",
        "SUMMARY:U0GUS",
    ),
)


def test_a_calendar_is_a_rota() -> None:
    rota = parse_ical(WEEKLY, "billing")
    assert on_call(rota, berlin("2026-01-07T12:00")) == OnCall(
        "U0FAY", berlin("2026-01-05T09:00"), berlin("2026-01-12T09:00"), "calendar billing"
    )
    assert on_call(rota, berlin("2026-01-05T08:59")) is None
    assert rota == parse_ical(WEEKLY, "billing")


def test_handoffs_keep_the_wall_clock_over_dst() -> None:
    listed = shifts(parse_ical(WEEKLY), berlin("2026-03-23T12:00"), berlin("2026-04-10T12:00"))
    assert [(each.person, each.start) for each in listed[1:]] == [
        ("U0FAY", berlin("2026-03-30T09:00")),
        ("U0GUS", berlin("2026-04-06T09:00")),
    ]


def test_an_exception_leaves_a_gap_that_is_told() -> None:
    found = gaps(parse_ical(WEEKLY), berlin("2026-01-20T00:00"), berlin("2026-03-01T00:00"))
    assert found == ((berlin("2026-02-02T09:00"), berlin("2026-02-09T09:00")),)


def test_of_overlapping_events_the_later_start_wins() -> None:
    rota = parse_ical(
        calendar(
            ("DTSTART:20260106T090000Z", "DTEND:20260107T090000Z", "SUMMARY:U0GUS"),
            ("DTSTART:20260105T090000Z", "DTEND:20260109T090000Z", "SUMMARY:U0FAY"),
        )
    )
    listed = shifts(rota, datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 1, 12, tzinfo=UTC))
    assert [each.person for each in listed] == ["U0FAY", "U0GUS", "U0FAY"]


def test_an_override_lies_over_a_calendar() -> None:
    override = Override(berlin("2026-01-06T00:00"), berlin("2026-01-07T00:00"), "U0ZOE")
    found = on_call(parse_ical(WEEKLY), berlin("2026-01-06T12:00"), [override])
    assert found is not None
    assert found.person == "U0ZOE"


def test_a_moved_occurrence_and_a_cancelled_event() -> None:
    moved = (
        "UID:0@acme",
        "RECURRENCE-ID;TZID=Europe/Berlin:20260119T090000",
        "DTSTART;TZID=Europe/Berlin:20260120T090000",
        "DTEND;TZID=Europe/Berlin:20260126T090000",
        "SUMMARY:U0NEW",
    )
    cancelled = ("DTSTART:20260119T080000Z", "DTEND:20260126T080000Z", "STATUS:CANCELLED", "SUMMARY:nobody")
    text = WEEKLY.replace("END:VCALENDAR\r\n", "") + calendar(moved, cancelled).partition("EN\r\n")[2]
    text = text.replace(
        "UID:0@acme\r\nDTSTAMP:20260101T000000Z\r\nUID:0@acme", "UID:0@acme\r\nDTSTAMP:20260101T000000Z"
    )
    listed = shifts(parse_ical(text), berlin("2026-01-18T00:00"), berlin("2026-01-26T09:00"))
    assert [(each.person, each.start) for each in listed[1:]] == [("U0NEW", berlin("2026-01-20T09:00"))]


@pytest.mark.parametrize(
    ("lines", "person"),
    [
        (("SUMMARY:On call: U0FAY",), "U0FAY"),
        (("SUMMARY:W12 duty U0FAY",), "U0FAY"),
        (("SUMMARY:Fay <Fay.Long@acme.exa", " mple>"), "fay.long@acme.example"),  # folded by RFC 5545, 3.1
        (("SUMMARY:On call", "ATTENDEE;CN=Fay:mailto:Fay@acme.example"), "fay@acme.example"),
        (("SUMMARY:U0FAY", "ATTENDEE:mailto:a@acme.example", "ATTENDEE:mailto:b@acme.example"), "U0FAY"),
    ],
)
def test_a_person_is_read(lines: tuple[str, ...], person: str) -> None:
    found = on_call(parse_ical(calendar((*DAY, *lines))), datetime(2026, 1, 5, 12, tzinfo=UTC))
    assert found is not None
    assert found.person == person


@pytest.mark.parametrize(
    ("head", "lines", "since"),
    [
        ((), ("DTSTART;VALUE=DATE:20260105",), "2026-01-05T01:00"),
        (("X-WR-TIMEZONE:Europe/Berlin",), ("DTSTART;VALUE=DATE:20260105",), "2026-01-05T00:00"),
        (("X-WR-TIMEZONE:Europe/Berlin",), ("DTSTART:20260105T090000", "DURATION:P1D"), "2026-01-05T09:00"),
        ((), ("DTSTART;TZID=W. Europe Standard Time:20260105T090000", "DURATION:P1D"), "2026-01-05T09:00"),
        ((), ("DTSTART:20260105T090000Z", "DURATION:P1D"), "2026-01-05T10:00"),
    ],
)
def test_times_are_read_in_their_zone(head: tuple[str, ...], lines: tuple[str, ...], since: str) -> None:
    rota = parse_ical(calendar((*lines, "SUMMARY:U0FAY"), head=head))
    found = on_call(rota, berlin("2026-01-05T12:00"))
    assert found is not None
    assert found.since == berlin(since)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ((*DAY, "SUMMARY:WEDNESDAY shift"), "event 'WEDNESDAY shift': it names nobody; write a Slack id"),
        (DAY, "it names nobody"),
        ((*DAY, "SUMMARY:U0FAY and U0GUS"), "it names 2 people (U0FAY, U0GUS); write one an event"),
        ((*DAY, "ATTENDEE:mailto:a@acme.example", "ATTENDEE:mailto:b@acme.example"), "it names 2 people"),
        (("SUMMARY:U0FAY",), "event 'U0FAY'"),
        (("DTSTART:20260105T090000Z", "SUMMARY:U0FAY"), "it has no end after its start"),
        (("DTSTART:20260105T090000Z", "DTEND:20260105T080000Z", "SUMMARY:U0FAY"), "it has no end after its start"),
        (("DTSTART:20260105T090000Z", "DTEND:20290105T080000Z", "SUMMARY:U0FAY"), "longer than a year"),
        (("DTSTART:00010105T090000Z", "DTEND:00010106T080000Z", "SUMMARY:U0FAY"), "not in the years"),
        (("DTSTART:2026garbage", "DTEND:20290105T080000Z", "SUMMARY:U0FAY"), "DTSTART cannot be read"),
        (
            ("DTSTART;TZID=Mars/X:20260105T090000", "DTEND;TZID=Mars/X:20260106T090000", "SUMMARY:U0FAY"),
            "'Mars/X' is not",
        ),
        ((*DAY, "SUMMARY:U0FAY", "RRULE:FREQ=SECONDLY"), "recurs more than once a day"),
        ((*DAY, "SUMMARY:U0FAY", "RRULE:FREQ=DAILY;BYHOUR=1,2,3;BYSECOND=1,2,3"), "recurs more than once a day"),
        ((*DAY, "SUMMARY:U0FAY", "RRULE:FREQ=DAILY;INTERVAL=0"), "INTERVAL must be 1 or more"),
        ((*DAY, "SUMMARY:U0FAY", "RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"), "names no day that there is"),
        ((*DAY, "SUMMARY:U0FAY", "RRULE:FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30;COUNT=3"), "names no day that there is"),
        ((*DAY, "SUMMARY:U0FAY", "RRULE:FREQ=NONSENSE"), "RRULE cannot be read"),
        ((*DAY, "SUMMARY:U0FAY", "RRULE:FREQ=DAILY;UNTIL=xx"), "RRULE cannot be read"),
    ],
)
def test_an_event_that_is_no_shift_is_told_loudly(lines: tuple[str, ...], told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        parse_ical(calendar(lines))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "garbage",
        "BEGIN:VCALENDAR\nEND:VCALENDAR",
        "BEGIN:VCALENDAR\nBEGIN:VEVENT",
        "<html>sign in</html>",
        WEEKLY + WEEKLY,
        "x" * 2_000_000,
        calendar(*[(*DAY, "SUMMARY:U0FAY", "RRULE:FREQ=DAILY")] * 300),
        calendar((*DAY, "SUMMARY:U0FAY"), head=("X-WR-TIMEZONE:Mars/Olympus",)),
    ],
)
def test_what_is_no_calendar_of_shifts_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="calendar"):
        parse_ical(text)
