"""`team.yml` and `connectors.yml` as they are written, and the team that comes of it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from datetime import date
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StrictStr
from pydantic.dataclasses import dataclass

from runbooks.calendars import Calendar, build_calendar
from runbooks.connectors import STRICT, ConnectorShape, SourceShape
from runbooks.faults import Fault
from runbooks.fields import ClockLength, Name, Person, shown
from runbooks.folder import Folder, texts
from runbooks.holiday_dates import check_holidays
from runbooks.hours import parse_hours, parse_week
from runbooks.ical import IcalRota, parse_ical
from runbooks.lengths import Length
from runbooks.rotas import Rota, build_layer, build_rota
from runbooks.shape_faults import read_shape
from runbooks.suggestions import suggest
from runbooks.team import Defaults, Role, RoleShape, Team
from runbooks.wallclock import zone


def _checked(check: Callable[[str], object]) -> AfterValidator:
    """The text stays as it is, if `check` raises no ValueError."""

    def read(value: str) -> str:
        check(value)
        return value

    return AfterValidator(read)


def _read_hours(value: str) -> str:
    try:
        parse_hours(value, "")
    except ValueError as error:
        raise ValueError(str(error).removeprefix(": ")) from None
    return value


def _read_day(value: str) -> str:
    try:
        parse_week({value: "00:00-24:00"})
    except ValueError as error:
        raise ValueError(str(error).removeprefix("hours: ")) from None
    return value


def _read_date(value: str) -> str:
    try:
        date.fromisoformat(value)
    except ValueError:
        raise ValueError(f"{shown(value)} is not a date; write 2026-12-24") from None
    return value


def _read_wall(value: str) -> str:
    try:
        build_layer(starts=value, every=Length(seconds=86_400), people=("U000",))
    except ValueError as error:
        raise ValueError(str(error).removeprefix("starts: ")) from None
    return value


def _read_ical_name(value: str) -> str:
    if value.startswith("https://"):
        try:
            is_address = bool(urlsplit(value).hostname) and value.isascii() and " " not in value
        except ValueError:
            is_address = False
        if not is_address:
            raise ValueError(f"{shown(value)} is not an address; write https://host/path.ics")
    elif "://" in value or not value.endswith(".ics"):
        raise ValueError(f"{shown(value)} is no calendar; write the name of an .ics file, or an https address")
    return value


T = TypeVar("T")
_NOBODY_YET = "\r\n".join(
    (
        *("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//pointsman//not fetched yet//EN"),
        *("BEGIN:VEVENT", "UID:none", "DTSTAMP:19700101T000000Z", "DTSTART:19700101T000000Z"),
        *("DTEND:19700102T000000Z", "SUMMARY:nobody@calendar.invalid", "END:VEVENT", "END:VCALENDAR", ""),
    )
)
"""The calendar of a rota whose own is not fetched yet: a day long past, and nobody since."""
WallText = Annotated[StrictStr, AfterValidator(_read_wall)]
Zone = Annotated[StrictStr, _checked(zone)]
HoursText = Annotated[StrictStr, AfterValidator(_read_hours)]
DaysText = Annotated[StrictStr, AfterValidator(_read_day)]
DateText = Annotated[StrictStr, AfterValidator(_read_date)]


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class CalendarShape:
    """A calendar as `team.yml` has it."""

    timezone: Zone
    hours: Mapping[DaysText, HoursText]
    holidays: Annotated[StrictStr, _checked(check_holidays)] | None = None
    closed: tuple[DateText, ...] = ()
    open: Mapping[DateText, HoursText] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class LayerShape:
    """A layer of a rota: it lies on those before it, in its hours if it has some."""

    starts: WallText
    every: ClockLength
    people: Annotated[tuple[Person, ...], Field(min_length=1)]
    hours: Mapping[DaysText, HoursText] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class RotaShape:
    """A rota as `team.yml` has it: written out, or the name of a calendar file or https address."""

    timezone: Zone | None = None
    starts: WallText | None = None
    every: ClockLength | None = None
    people: Annotated[tuple[Person, ...], Field(min_length=1)] = ()
    layers: tuple[LayerShape, ...] = ()
    ical: Annotated[StrictStr, AfterValidator(_read_ical_name)] | None = None


def fields_of(shape: Any) -> dict[str, Any]:
    """The fields of a shape, to make of it what has a name as well."""
    return {field.name: getattr(shape, field.name) for field in fields(shape)}


def _calendar(name: str, it: CalendarShape) -> Calendar:
    other_hours: dict[date | str, str] = {day: hours for day, hours in it.open.items()}
    return build_calendar(it.timezone, it.hours, holidays=it.holidays, closed=it.closed, open=other_hours)


def _rota(name: str, it: RotaShape) -> Rota | None:
    """None for a calendar's, and for one with parts missing, which team_rules tells."""
    if it.ical or not (it.timezone and it.starts and it.every and it.people):
        return None
    lowest = LayerShape(starts=it.starts, every=it.every, people=it.people)
    return build_rota(name, it.timezone, [build_layer(**fields_of(layer)) for layer in (lowest, *it.layers)])


def _buildable(build: Callable[[str, T], object]) -> AfterValidator:
    """What only shows when all the parts are put together is told of the shape as well."""

    def check(shape: T) -> T:
        build("", shape)
        return shape

    return AfterValidator(check)


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class TeamFile:
    """The whole of `team.yml`."""

    calendars: Mapping[Name, Annotated[CalendarShape, _buildable(_calendar)]]
    rotas: Mapping[Name, Annotated[RotaShape, _buildable(_rota)]] = Field(default_factory=dict)
    roles: Mapping[Name, RoleShape]
    defaults: Defaults


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class ConnectorsFile:
    """The whole of `connectors.yml`."""

    connectors: Mapping[Name, ConnectorShape] = Field(default_factory=dict)
    sources: Mapping[Name, SourceShape] = Field(default_factory=dict)


def read_team(folder: Folder) -> tuple[Team | None, list[Fault]]:
    """The team, or None and the faults of its shape. Calendar files that do not fit are left to calendar_files."""
    if folder.team is None:
        return None, []
    written, faults = read_shape(folder.team, TeamFile)
    if written is None:
        return None, faults
    rotas = {name: _rota(name, it) or _ical(folder, name, it.ical or "") for name, it in written.rotas.items()}
    addresses = {name: it.ical for name, it in written.rotas.items() if it.ical and it.ical.startswith("https://")}
    team = Team(
        calendars={name: _calendar(name, it) for name, it in written.calendars.items()},
        rotas={name: it for name, it in rotas.items() if it},
        rota_addresses=addresses,
        roles={name: Role(name=name, **fields_of(it)) for name, it in written.roles.items()},
        defaults=written.defaults,
    )
    return team, faults


def _ical(folder: Folder, name: str, ical: str) -> IcalRota | None:
    text = _NOBODY_YET if ical.startswith("https://") else folder.calendars.get(ical)
    try:
        return parse_ical(text, name) if text else None
    except ValueError:
        return None


def calendar_files(folder: Folder) -> Iterator[Fault]:
    """The faults of the .ics files that rotas name: they are not there, or not calendars of shifts."""
    for node in texts(folder.team.root, "rotas.*.ical") if folder.team else ():
        name = str(node.data)
        if name in folder.calendars:
            yield from _not_shifts(name, folder.calendars[name])
        elif folder.team and name.endswith(".ics") and "://" not in name:
            hint = suggest(name, folder.calendars, "put the .ics file beside team.yml, or write an https address")
            yield folder.team.fault(node, f"there is no file {shown(name)}", hint)


def _not_shifts(name: str, text: str) -> Iterator[Fault]:
    try:
        parse_ical(text, name)
    except ValueError as error:
        message, _, hint = str(error).partition("; ")
        yield Fault(name, 1, 1, message, hint or None)
