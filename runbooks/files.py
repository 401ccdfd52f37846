"""`team.yml` and `connectors.yml` as they are written, and the team that comes of it."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import date
from functools import partial
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StrictStr
from pydantic.dataclasses import dataclass

from runbooks.calendars import Calendar, build_calendar
from runbooks.connectors import STRICT, ConnectorShape, SourceShape
from runbooks.faults import Fault
from runbooks.fields import ClockLength, Name, Person, shown
from runbooks.folder import Folder
from runbooks.holiday_dates import check_holidays
from runbooks.hours import parse_hours, parse_week
from runbooks.ical import IcalRota, parse_ical
from runbooks.lengths import Length
from runbooks.rotas import Rota, build_layer, build_rota
from runbooks.shape_faults import Loc, Source, key_at, read_shape
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
_NOBODY_YET = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//pointsman//not fetched yet//EN\r\nEND:VCALENDAR\r\n"
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


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class TeamFile:
    """The whole of `team.yml`."""

    calendars: Mapping[Name, CalendarShape]
    rotas: Mapping[Name, RotaShape] = Field(default_factory=dict)
    roles: Mapping[Name, RoleShape]
    defaults: Defaults


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class ConnectorsFile:
    """The whole of `connectors.yml`."""

    connectors: Mapping[Name, ConnectorShape] = Field(default_factory=dict)
    sources: Mapping[Name, SourceShape] = Field(default_factory=dict)


def read_team(folder: Folder, faults: list[Fault]) -> Team | None:
    """The team, or None and its faults added: of the shapes, and of what only shows when all is put together."""
    source = folder.team
    if source is None:
        return None
    written, found = read_shape(source, TeamFile)
    faults += found
    if written is None:
        return None
    calendars = {name: _calendar(source, name, it, faults) for name, it in written.calendars.items()}
    rotas = {name: _rota(folder, source, name, it, faults) for name, it in written.rotas.items()}
    addresses = {name: it.ical for name, it in written.rotas.items() if it.ical and it.ical.startswith("https://")}
    return Team(
        calendars={name: it for name, it in calendars.items() if it},
        rotas={name: it for name, it in rotas.items() if it},
        rota_addresses=addresses,
        roles={name: Role(name=name, **fields_of(it)) for name, it in written.roles.items()},
        defaults=written.defaults,
    )


def fields_of(shape: Any) -> dict[str, Any]:
    """The fields of a shape, to make of it what has a name as well."""
    return {field.name: getattr(shape, field.name) for field in fields(shape)}


def _built(source: Source, at: Loc, build: Callable[[], T], faults: list[Fault]) -> T | None:
    """What `build` makes; if it raises ValueError, a fault at the key of `at`."""
    try:
        return build()
    except ValueError as error:
        message, _, hint = str(error).partition("; ")
        faults.append(source.fault(key_at(source.root, at), message, hint or None))
        return None


def _calendar(source: Source, name: str, it: CalendarShape, faults: list[Fault]) -> Calendar | None:
    other_hours: dict[date | str, str] = {day: hours for day, hours in it.open.items()}

    def build() -> Calendar:
        return build_calendar(it.timezone, it.hours, holidays=it.holidays, closed=it.closed, open=other_hours)

    return _built(source, ("calendars", name), build, faults)


def _rota(folder: Folder, source: Source, name: str, it: RotaShape, faults: list[Fault]) -> Rota | IcalRota | None:
    at: Loc = ("rotas", name)
    if it.ical:
        return _ical(folder, source, name, it.ical, faults)
    if not (it.timezone and it.starts and it.every and it.people):
        return None  # team_rules tells what is missing
    lowest = LayerShape(starts=it.starts, every=it.every, people=it.people)
    layers = [
        _built(source, (*at, "layers", number - 1) if number else at, partial(build_layer, **fields_of(layer)), faults)
        for number, layer in enumerate((lowest, *it.layers))
    ]
    whole = [layer for layer in layers if layer]
    if len(whole) < len(layers):
        return None
    return _built(source, at, partial(build_rota, name, it.timezone, whole), faults)


def _ical(folder: Folder, source: Source, name: str, ical: str, faults: list[Fault]) -> IcalRota | None:
    if ical.startswith("https://"):
        return parse_ical(_NOBODY_YET, name)
    node = source.root.find("rotas", name, "ical") or source.root
    if ical not in folder.calendars:
        hint = suggest(ical, folder.calendars, "put the .ics file beside team.yml, or write an https address")
        faults.append(source.fault(node, f"there is no file {shown(ical)}", hint))
        return None
    try:
        return parse_ical(folder.calendars[ical], name)
    except ValueError as error:
        message, _, hint = str(error).partition("; ")
        faults.append(Fault(ical, 1, 1, message, hint or None))
        return None
