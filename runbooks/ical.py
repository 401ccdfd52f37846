"""A rota that is kept in a calendar: iCalendar (RFC 5545), one person an event, the later start wins.

A person is a Slack id or an e-mail address in SUMMARY, or else the one ATTENDEE. Folded lines, zones, recurrence,
exceptions and moved occurrences are read by icalendar and recurring-ical-events.
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import cast
from zoneinfo import ZoneInfo

import icalendar
import recurring_ical_events
from dateutil.rrule import rrulestr  # type: ignore[import-untyped]

from runbooks.wallclock import instant, zone

_TEXT_LIMIT = 1_048_576
_EVENTS_LIMIT = 5_000
_SERIES_LIMIT = 200
_LONGEST = timedelta(days=366)
_DAY = timedelta(days=1)
_SLACK_ID = re.compile(r"(?<![A-Za-z0-9])[UW](?=[A-Z0-9]*[0-9])[A-Z0-9]{4,20}(?![A-Za-z0-9])", re.ASCII)
_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+", re.ASCII)
_ENDING = re.compile(r";?(?:UNTIL|COUNT)=[^;]*", re.IGNORECASE)
_FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_TOO_FINE = ("BYHOUR", "BYMINUTE", "BYSECOND")

Event = tuple[datetime, datetime, str]
"""Start, end (UTC) and person."""


@dataclass(frozen=True, slots=True)
class IcalRota:
    """A rota read from a calendar by `parse_ical`; equal to another if name and text are."""

    name: str
    text: str = field(repr=False)
    timezone: ZoneInfo
    query: recurring_ical_events.CalendarQuery = field(repr=False, compare=False)


def parse_ical(text: str, name: str = "calendar") -> IcalRota:
    """Read a calendar, all of it: each event must name one person and be a shift of at most a year.

    Times without a zone are in the calendar's X-WR-TIMEZONE, or else UTC. Raises ValueError that names the event.
    """
    if len(text) > _TEXT_LIMIT:
        raise ValueError("the calendar has more than 1 MiB")
    try:
        calendar = icalendar.Calendar.from_ical(text.removeprefix("\ufeff"))
        walked = cast("list[icalendar.Event]", calendar.walk("VEVENT"))
        found = [each for each in walked if not _is_cancelled(each)]
        _check_amount(found)
        for event in found:
            _check_event(event)
        timezone = zone(str(calendar.get("X-WR-TIMEZONE", "UTC")))
        rota = IcalRota(name, text, timezone, recurring_ical_events.of(calendar))
        first = min(_moment(event.start, timezone) for event in found)
        events(rota, first, first + _LONGEST)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, icalendar.error.InvalidCalendar) as error:
        raise ValueError(f"not a calendar of shifts: {str(error)[:300]}") from error
    return rota


def events(rota: IcalRota, start: datetime, end: datetime) -> list[Event]:
    """The shifts that touch [start, end), uncut, by their start; of those at the same moment the later wins."""
    days = _day(start) - _DAY, _day(end) + 2 * _DAY
    return [event for event in _expanded(rota, *days) if event[0] < end and event[1] > start]


def _day(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


@lru_cache(maxsize=64)
def _expanded(rota: IcalRota, start: datetime, end: datetime) -> tuple[Event, ...]:
    """The shifts of whole days, by their start. Every card asks for today's, and expanding takes milliseconds."""
    events = [each for each in rota.query.between(start, end) if not _is_cancelled(each)]
    shifts = [(_moment(each.start, rota.timezone), _moment(each.end, rota.timezone), _person(each)) for each in events]
    return tuple(sorted(shifts, key=lambda event: event[0]))


def _check_amount(found: list[icalendar.Event]) -> None:
    if not found:
        raise ValueError("it has no events")
    if len(found) > _EVENTS_LIMIT:
        raise ValueError(f"it has more than {_EVENTS_LIMIT} events")
    if sum("RRULE" in event for event in found) > _SERIES_LIMIT:
        raise ValueError(f"it has more than {_SERIES_LIMIT} recurring events")


def _is_cancelled(event: icalendar.Event) -> bool:
    return str(event.get("STATUS", "")).upper() == "CANCELLED"


def _check_event(event: icalendar.Event) -> None:
    """Raises ValueError for an event that is no shift: unreadable, without one person, endless, or too fine."""
    label = f"event {_label(event)}"
    if event.errors:
        what, why = event.errors[0]
        raise ValueError(f"{label}: {what} cannot be read: {why}")
    try:
        _person(event)
        _check_times(event)
        _check_rules(event)
    except icalendar.error.InvalidCalendar as error:
        raise ValueError(f"{label}: {error}") from error
    except ValueError as error:
        raise ValueError(f"{label}: {error}") from error


def _label(event: icalendar.Event) -> str:
    words = str(event.get("SUMMARY") or event.get("UID") or "without a name")
    return repr(words[:60])


def _person(event: icalendar.Event) -> str:
    """The one person whom the event names: a Slack id, or an e-mail in small letters. Raises ValueError."""
    attendees = event.get("ATTENDEE", [])
    written = [str(event.get("SUMMARY", ""))[:1_000]]
    written.append(" ".join(str(each)[:320] for each in (attendees if isinstance(attendees, list) else [attendees])))
    for text in written:
        emails = [each.lower() for each in _EMAIL.findall(text.replace("mailto:", " ").replace("MAILTO:", " "))]
        people: set[str] = {*emails, *_SLACK_ID.findall(_EMAIL.sub(" ", text))}
        if len(people) > 1:
            raise ValueError(f"it names {len(people)} people ({', '.join(sorted(people)[:3])}); write one an event")
        if people:
            return people.pop()
    raise ValueError("it names nobody; write a Slack id (U…) or an e-mail in its title, or invite one person")


def _check_times(event: icalendar.Event) -> None:
    start, end = event.start, event.end
    if not 1970 <= start.year < 2200:
        raise ValueError(f"{start.year} is not in the years from 1970 to 2199")
    if isinstance(start, datetime) and start.tzinfo is None and "TZID" in event["DTSTART"].params:
        raise ValueError(f"its zone {event['DTSTART'].params['TZID']!r} is not known")
    if end <= start:
        raise ValueError("it has no end after its start")
    if end - start > _LONGEST:
        raise ValueError("it lasts longer than a year")


def _check_rules(event: icalendar.Event) -> None:
    rules = event.get("RRULE", [])
    for rule in rules if isinstance(rules, list) else [rules]:
        if rule.get("FREQ", [""])[0] not in _FREQUENCIES or any(part in rule for part in _TOO_FINE):
            raise ValueError("it recurs more than once a day; shifts recur daily, weekly, monthly or yearly")
        if int(rule.get("INTERVAL", [1])[0]) < 1:
            raise ValueError("its INTERVAL must be 1 or more")
        if _never_recurs(rule.to_ical().decode(), event.start):
            raise ValueError("its RRULE names no day that there is")


def _never_recurs(rule: str, start: date) -> bool:
    """Whether a rule has no occurrence, such as 30 February, which is searched for to the year 9999.

    Asked in the last 400 years before it, where the search is short: the calendar repeats every 400 years.
    """
    late = datetime.combine(start, time()).replace(year=start.year + (9_999 - start.year) // 400 * 400)
    return rrulestr(_ENDING.sub("", rule), dtstart=late).after(late, inc=True) is None


def _moment(written: date, timezone: ZoneInfo) -> datetime:
    """The instant of a DTSTART or DTEND: on the wall clock of its zone, or of the calendar's."""
    if not isinstance(written, datetime):
        return instant(timezone, datetime.combine(written, time()))
    if written.tzinfo is None:
        return instant(timezone, written)
    if isinstance(written.tzinfo, ZoneInfo):
        return instant(written.tzinfo, written.replace(tzinfo=None))
    return written.astimezone(UTC)
